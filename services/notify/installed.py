"""The channels that an installation has, made from its settings, and the readers of what their providers report."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.chassis.jobs import Job
from services.chassis.ledger import Ledger
from services.chassis.outbound import OutboundClient
from services.notify.channels import PeopleChannel
from services.notify.channels.email import EmailChannel
from services.notify.channels.esms import EsmsChannel
from services.notify.channels.http_api import HttpApi
from services.notify.channels.pace import Pace
from services.notify.channels.person_webhook import AT_ONCE, PersonWebhookChannel
from services.notify.channels.speedsms import SpeedSmsChannel
from services.notify.channels.telegram import TelegramChannel
from services.notify.channels.twilio import TwilioChannel
from services.notify.channels.web_push import WebPushChannel, own_key, public_key
from services.notify.channels.webhook import KEPT_OPEN_S
from services.notify.channels.zalo import ZaloChannel
from services.notify.channels.zalo_api import ZaloApi
from services.notify.channels.zalo_oa import ZaloOaChannel
from services.notify.channels.zalo_oauth import ZaloOauth
from services.notify.clock import wall_clock
from services.notify.domain.contacts import ZALO
from services.notify.domain.hooks import Hooks
from services.notify.http.sms_hooks import SmsReaders
from services.notify.inbound.esms import ESMS, EsmsReader, ShortNumber
from services.notify.inbound.push import PUSH, PushReader
from services.notify.inbound.speedsms import SpeedSmsReader
from services.notify.inbound.telegram import TelegramReader
from services.notify.inbound.twilio import TwilioReader
from services.notify.inbound.zalo import ZaloReader
from services.notify.settings import NotifySettings
from services.notify.tokens import TokenMetrics, Tokens


@dataclass(slots=True)
class Installed:
    """`channels`, what must run for them, be closed after them, and be at hand."""

    channels: list[PeopleChannel] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    close: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    readers: dict[str, Any] = field(default_factory=dict)


def install(settings: NotifySettings, ledger: Ledger, registry: CollectorRegistry) -> Installed:
    """All channels of these settings; e-mail there is always."""
    made = Installed()
    _install_email(made, settings)
    _install_zalo(made, settings, ledger, registry)
    _install_sms(made, settings)
    _install_telegram(made, settings)
    _install_own_addresses(made, settings)
    return made


def _install_email(made: Installed, settings: NotifySettings) -> None:
    channel = EmailChannel(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_tls,
        settings.smtp_sender,
        wall_clock,
        settings.smtp_timeout_s,
        settings.smtp_username,
        settings.smtp_password.get_secret_value() if settings.smtp_password else None,
    )
    made.channels.append(channel)


def _install_zalo(made: Installed, settings: NotifySettings, ledger: Ledger, registry: CollectorRegistry) -> None:
    app_id = settings.zalo_app_id
    if app_id is None:
        made.readers["zalo_reader"] = None
        return
    oauth = ZaloOauth(settings.zalo_oauth_url, app_id, _open(settings.zalo_app_secret))
    seed = _open(settings.zalo_refresh_token)
    tokens = Tokens(ledger, ZALO, oauth.next_pair, seed, wall_clock, TokenMetrics(registry))
    pace = Pace(settings.zalo_per_second)
    timeout_s = settings.provider_timeout_s
    apis = [
        ZaloApi(url, tokens.access, pace, wall_clock, timeout_s) for url in (settings.zalo_url, settings.zalo_oa_url)
    ]
    made.channels += [
        ZaloChannel(apis[0], settings.zalo_templates, settings.zalo_development),
        ZaloOaChannel(apis[1]),
    ]
    made.jobs.append(Job("keep_zalo_token", 60.0, tokens.keep_fresh))
    made.close += [api.close for api in apis]
    first_term = settings.zalo_webhook_first_term or app_id
    made.readers["zalo_reader"] = ZaloReader(first_term, _open(settings.zalo_oa_secret_key))


def _install_sms(made: Installed, settings: NotifySettings) -> None:
    pace, timeout_s = Pace(settings.sms_per_second), settings.provider_timeout_s
    hooks = Hooks(settings.public_url, settings.link_keys)
    channel: PeopleChannel | None = None
    readers, api = SmsReaders(), None
    match settings.sms_provider:
        case "esms":
            api = HttpApi(settings.esms_url, pace, timeout_s)
            receipt_url = partial(hooks.receipt_url, ESMS)
            key, secret = _open(settings.esms_api_key), _open(settings.esms_secret_key)
            channel = EsmsChannel(api, key, secret, settings.esms_brandname or "", receipt_url, wall_clock)
            short = settings.esms_cp_id
            number = short and ShortNumber(short, _open(settings.esms_private_key), settings.esms_keyword)
            readers = SmsReaders(esms=EsmsReader(hooks, number or None))
        case "speedsms":
            api = HttpApi(settings.speedsms_url, pace, timeout_s, (_open(settings.speedsms_token), "x"))
            channel = SpeedSmsChannel(api, settings.speedsms_sender or "", settings.speedsms_type, wall_clock)
            readers = SmsReaders(speedsms=SpeedSmsReader(hooks))
        case "twilio":
            sid, token = settings.twilio_account_sid or "", _open(settings.twilio_auth_token)
            api = HttpApi(settings.twilio_url, pace, timeout_s, (sid, token))
            reader = TwilioReader(settings.public_url, token)
            channel = TwilioChannel(api, sid, settings.twilio_sender or "", reader.receipt_url, wall_clock)
            readers = SmsReaders(twilio=reader)
    made.readers["sms_readers"] = readers
    if channel is not None and api is not None:
        made.channels.append(channel)
        made.close.append(api.close)


def _install_telegram(made: Installed, settings: NotifySettings) -> None:
    if settings.telegram_token is None:
        made.readers["telegram_reader"] = None
        return
    api = HttpApi(settings.telegram_url, Pace(settings.telegram_per_second), settings.provider_timeout_s)
    channel = TelegramChannel(api, _open(settings.telegram_token), wall_clock)
    made.channels.append(channel)
    made.close.append(api.close)
    made.readers["telegram_reader"] = TelegramReader(_open(settings.telegram_webhook_secret))


def _install_own_addresses(made: Installed, settings: NotifySettings) -> None:
    """Web push and webhooks go to addresses that people have chosen."""
    timeout_s = settings.webhook_timeout_s
    client = OutboundClient(settings.private_networks, timeout_s, AT_ONCE, KEPT_OPEN_S)
    hooks = Hooks(settings.public_url, settings.link_keys)
    made.close.append(client.close)
    made.channels.append(PersonWebhookChannel(wall_clock, client))
    made.readers["push_key"] = None
    if settings.vapid_private_key is not None:
        vapid, subject = own_key(_open(settings.vapid_private_key)), settings.vapid_subject or ""
        channel = WebPushChannel(client, vapid, subject, partial(hooks.shown_url, PUSH), wall_clock)
        made.channels.append(channel)
        made.readers["push_key"] = public_key(vapid)
    made.readers["push_reader"] = PushReader(hooks)


def _open(secret: SecretStr | None) -> str:
    """The settings see to it that it is there."""
    return secret.get_secret_value() if secret else ""
