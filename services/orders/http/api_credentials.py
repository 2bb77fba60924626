"""Staff: what opens a platform's API for a partner. It is given here once and shown to nobody."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.chassis import problems
from services.chassis.ledger import Connection, Transaction
from services.chassis.runtime import Runtime
from services.orders.adapters import ADAPTERS
from services.orders.domain.token import Token
from services.orders.http.partners import OwnPartner
from services.orders.registration import SHOP_URL, shop_url_fault
from services.orders.settings import OrdersSettings
from services.orders.store import pulls, reconciliations, tokens
from services.orders.store.partners import Partner
from services.orders.store.tokens import Stored

router = APIRouter(tags=["staff"], responses=problems.refusals(401, 404))

PULLED = ("tiktok", "shopee", "lazada")
"""Adapters whose orders are pulled."""
READ = "woocommerce"
"""The adapter whose shops are read now and then."""

Credential = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[!-~]+$")]
Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]

M = TypeVar("M", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlatformCredentials(_Body):
    """What the platform gave when the seller authorised the app: TikTok Shop, Shopee, Lazada.

    `app_secret`: the app's secret (Shopee: its partner key), where it is another than the one that pushes are signed
    with. Without `access_token`, or `expires_at` of it, the first one is got with the refresh token.
    """

    refresh_token: Credential
    access_token: Credential | None = None
    expires_at: Moment | None = None
    app_secret: Credential | None = None


class ShopKey(_Body):
    """A key of WooCommerce's REST API with the right to read."""

    consumer_key: Annotated[str, StringConstraints(pattern=r"^ck_[0-9a-zA-Z]{8,100}$")]
    consumer_secret: Annotated[str, StringConstraints(pattern=r"^cs_[0-9a-zA-Z]{8,100}$")]


class ApiCredentials(BaseModel):
    """Whether there are any. `valid_until`: the end of the access token that is used now, which is renewed by itself.

    `needs_authorisation`: the platform gives no new one; the seller has to authorise the app again.
    """

    is_set: bool
    valid_until: datetime | None = None
    needs_authorisation: bool = False


_SCHEMA = {"oneOf": [kind.model_json_schema() for kind in (PlatformCredentials, ShopKey)]}


@router.put(
    "/v1/partners/{partner_id}/api-credentials",
    status_code=204,
    summary="Give what opens the platform's API for a partner",
    responses={409: problems.refusal("The partner's platform has no API here, or a setting of the partner is wrong.")},
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": _SCHEMA}}}},
)
async def set_api_credentials(
    partner: OwnPartner, request: Request, body: Annotated[dict[str, Any], Body()]
) -> Response:
    """Takes the place of what was given before; orders that wait for it, or were given up, are pulled at once."""
    runtime: Runtime[OrdersSettings] = request.app.state.runtime
    save = _saving(partner, body, runtime.settings, datetime.now(UTC))
    await runtime.ledger.transact(lambda tx: save(tx.conn))
    return Response(status_code=204)


def _saving(
    partner: Partner, body: dict[str, Any], settings: OrdersSettings, now: datetime
) -> Callable[[Connection], Awaitable[None]]:
    """What stores the credentials, after they were checked as the partner's platform wants them. Raises 409, 422."""
    if partner.adapter in PULLED:
        _check_settings(partner)
        stored = _stored(_read(PlatformCredentials, body), now)

        async def save_token(conn: Connection) -> None:
            await tokens.save_credentials(conn, partner.partner_id, stored, now)
            await pulls.make_due(conn, partner.partner_id, now)
            await pulls.retry(conn, partner.partner_id, None, now)

        return save_token
    if partner.adapter != READ:
        raise problems.conflict(f"Partners with the adapter {partner.adapter} push all that is needed.")
    _check_shop(partner, settings)
    key = _read(ShopKey, body)

    async def save_key(conn: Connection) -> None:
        await reconciliations.save_key(conn, partner.partner_id, key.consumer_key, key.consumer_secret, now)

    return save_key


@router.get("/v1/partners/{partner_id}/api-credentials", summary="Read whether a partner's platform can be asked")
async def read_api_credentials(partner: OwnPartner, request: Request) -> ApiCredentials:
    """Nothing of what was given is shown."""
    pool = request.app.state.runtime.pool
    if partner.adapter == READ:
        return ApiCredentials(is_set=await reconciliations.has_key(pool, partner.partner_id))
    stored = await tokens.get_credentials(pool, partner.partner_id)
    if stored is None:
        return ApiCredentials(is_set=False)
    until = stored.token.expires_at if stored.token.access else None
    return ApiCredentials(is_set=True, valid_until=until, needs_authorisation=stored.refused_at is not None)


@router.delete(
    "/v1/partners/{partner_id}/api-credentials", status_code=204, summary="Forget what opens a partner's API"
)
async def delete_api_credentials(partner: OwnPartner, request: Request) -> Response:
    """The platform is not asked any more; what pushes tell of waits until there are others."""

    async def work(tx: Transaction) -> None:
        await _delete(tx.conn, partner)

    await request.app.state.runtime.ledger.transact(work)
    return Response(status_code=204)


async def _delete(conn: Connection, partner: Partner) -> None:
    await tokens.delete_credentials(conn, partner.partner_id)
    await reconciliations.delete_key(conn, partner.partner_id)


def _read(model: type[M], body: dict[str, Any]) -> M:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise problems.from_validation(error) from None


def _stored(given: PlatformCredentials, now: datetime) -> Stored:
    """Without both halves of the access token it counts as over."""
    if given.access_token is None or given.expires_at is None:
        return Stored(given.app_secret, Token(given.access_token or "", given.refresh_token, now))
    return Stored(given.app_secret, Token(given.access_token, given.refresh_token, given.expires_at))


def _check_settings(partner: Partner) -> None:
    """Numbers have to be numbers, or the platform could not be asked. Raises 409."""
    needed = [name for name in ADAPTERS[partner.adapter].DECLARATION.settings if not name.endswith("?")]
    wrong = [name for name in needed if name not in partner.settings]
    if partner.adapter == "shopee":
        wrong += [name for name in needed if name not in wrong and not partner.settings[name].isdecimal()]
    if wrong:
        raise problems.conflict(f"Set what the partner has registered right first: {', '.join(wrong)}.")


def _check_shop(partner: Partner, settings: OrdersSettings) -> None:
    """Raises 409 where the shop could not be reached under its address, whatever its name leads to."""
    if fault := shop_url_fault(partner.settings.get(SHOP_URL, ""), settings):
        raise problems.conflict(f"The partner's setting {SHOP_URL} {fault}.")
