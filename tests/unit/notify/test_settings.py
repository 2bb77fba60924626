"""Wrong settings are named, and a password never leaves in clear."""

from ipaddress import ip_network

import pytest

from services.chassis.settings import WrongSettings, load
from services.notify.settings import NotifySettings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {
        "DATABASE_URL": "postgresql://x", "AMQP_URL": "amqp://x", "SMTP_HOST": "mail", "SMTP_SENDER": "no-reply@x.vn",
        "PUBLIC_URL": "https://cho.example/", "LINK_SECRETS": "s" * 32,
    }.items():  # fmt: skip
        monkeypatch.setenv(f"NOTIFY_{name}", value)
    return monkeypatch


def test_mail_goes_out_over_tls_unless_said_otherwise(environment: pytest.MonkeyPatch) -> None:
    settings = load(NotifySettings)
    assert (settings.smtp_tls, settings.smtp_port, settings.http_port) == ("starttls", 587, 8004)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SMTP_SENDER": "no-reply"}, "NOTIFY_SMTP_SENDER is wrong"),
        ({"SMTP_SENDER": "a@x.vn\r\nBcc: b@y.vn"}, "NOTIFY_SMTP_SENDER is wrong"),
        ({"SMTP_USERNAME": "u", "SMTP_PASSWORD": "geheim", "SMTP_TLS": "none"}, "NOTIFY_SMTP_TLS is wrong"),
        ({"SMTP_USERNAME": "u"}, "NOTIFY_SMTP_TLS is wrong"),
        ({"UNKNOWN_AFTER_S": "60"}, "NOTIFY_UNKNOWN_AFTER_S is wrong"),
        ({"PUBLIC_URL": "cho.example"}, "NOTIFY_PUBLIC_URL is wrong"),
        ({"PUBLIC_URL": "https://cho.example/?a=1"}, "NOTIFY_PUBLIC_URL is wrong"),
        ({"WEBHOOK_PRIVATE_NETWORKS": "0.0.0.0/0"}, "NOTIFY_WEBHOOK_PRIVATE_NETWORKS is wrong"),
        ({"WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8,shop"}, "NOTIFY_WEBHOOK_PRIVATE_NETWORKS is wrong"),
        ({"VAPID_SUBJECT": "mailto:admin"}, "NOTIFY_VAPID_SUBJECT is wrong"),
        ({"VAPID_SUBJECT": "mailto:a@intranet"}, "NOTIFY_VAPID_SUBJECT is wrong"),
        ({"VAPID_SUBJECT": "https://example.vn/lien-he"}, "NOTIFY_VAPID_SUBJECT is wrong"),
        ({"VAPID_SUBJECT": "quan-tri@example.vn"}, "NOTIFY_VAPID_SUBJECT is wrong"),
        ({"LINK_SECRETS": "geheim"}, "NOTIFY_LINK_SECRETS is wrong"),
        ({"LINK_SECRETS": "s" * 32 + ","}, "NOTIFY_LINK_SECRETS is wrong"),
    ],
)
def test_settings_that_do_not_fit_together_are_named(
    environment: pytest.MonkeyPatch, changes: dict[str, str], named: str
) -> None:
    for name, value in changes.items():
        environment.setenv(f"NOTIFY_{name}", value)
    with pytest.raises(WrongSettings, match=named) as refused:
        load(NotifySettings)
    assert "geheim" not in str(refused.value)


ESMS = {"SMS_PROVIDER": "esms", "ESMS_API_KEY": "k", "ESMS_SECRET_KEY": "s", "ESMS_BRANDNAME": "CHO"}
TELEGRAM = {"TELEGRAM_TOKEN": "t", "TELEGRAM_WEBHOOK_SECRET": "s"}
ZALO = {"ZALO_APP_ID": "1", "ZALO_APP_SECRET": "s", "ZALO_REFRESH_TOKEN": "r", "ZALO_OA_SECRET_KEY": "k"}


@pytest.mark.parametrize(
    ("channel", "provider", "timeout_s", "line"),
    [
        ("sms", ESMS, 37, "must be at least 122, since an attempt by sms can take 117 s"),
        ("telegram", TELEGRAM, 116, "must be at least 121, since an attempt by telegram can take 116 s"),
        ("zalo", ZALO, 43, "must be at least 121, since an attempt by zalo can take 116 s"),
    ],
)
def test_a_timeout_that_leaves_no_time_to_begin_is_refused(
    environment: pytest.MonkeyPatch, channel: str, provider: dict[str, str], timeout_s: int, line: str
) -> None:
    for name, value in (provider | {"PROVIDER_TIMEOUT_S": str(timeout_s)}).items():
        environment.setenv(f"NOTIFY_{name}", value)
    with pytest.raises(WrongSettings) as refused:
        load(NotifySettings)
    assert str(refused.value) == f"NOTIFY_UNKNOWN_AFTER_S is wrong: Value error, {line}"
    environment.setenv("NOTIFY_PROVIDER_TIMEOUT_S", str(timeout_s - 1))
    settings = load(NotifySettings)
    assert settings.unknown_after_s - settings.longest_attempts_s[channel] >= 5


@pytest.mark.parametrize("name", ["SMTP_HOST", "PUBLIC_URL", "LINK_SECRETS"])
def test_a_missing_setting_is_named_in_one_line(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(f"NOTIFY_{name}")
    with pytest.raises(WrongSettings) as refused:
        load(NotifySettings)
    assert str(refused.value) == f"NOTIFY_{name} is not set"


def test_of_two_secrets_the_first_one_signs_and_none_is_ever_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("NOTIFY_LINK_SECRETS", "n" * 32 + ", " + "o" * 32)
    settings = load(NotifySettings)
    assert settings.link_keys == ("n" * 32, "o" * 32)
    assert settings.public_url == "https://cho.example"
    assert "nnn" not in repr(settings)


@pytest.mark.parametrize("subject", ["mailto:quan-tri@example.vn", "https://example.vn"])
def test_push_services_are_told_how_to_reach_us(environment: pytest.MonkeyPatch, subject: str) -> None:
    environment.setenv("NOTIFY_VAPID_SUBJECT", subject)
    assert load(NotifySettings).vapid_subject == subject


def test_webhooks_reach_no_private_network_unless_it_is_named(environment: pytest.MonkeyPatch) -> None:
    assert load(NotifySettings).private_networks == ()
    environment.setenv("NOTIFY_WEBHOOK_PRIVATE_NETWORKS", "127.0.0.0/8, fd00::/8")
    assert load(NotifySettings).private_networks == (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))
