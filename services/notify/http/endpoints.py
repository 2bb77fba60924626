"""Where partners take signed messages about one cooperative's orders."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from services.chassis import outbound, standard_webhooks
from services.chassis.access import Authenticated, Principal
from services.chassis.ledger import Transaction
from services.chassis.problems import invalid, not_found
from services.notify.domain import addresses
from services.notify.domain.endpoints import Endpoint
from services.notify.http.callbacks import CALLBACKS
from services.notify.store import endpoints as store
from services.notify.store.partner_messages import hurry

router = APIRouter(prefix="/v1/partners/{partner_id}/webhook", tags=["partner webhooks"])
list_router = APIRouter(tags=["partner webhooks"])

Cooperative = Annotated[UUID | None, Query(description="Whose orders; may be left out with a key of one cooperative.")]

LONGEST_OVERLAP_H = 24 * 7

_REFUSED = {
    "address_not_public": "must be a public address",
    "https_needed": "must begin with https://",
    "port_not_allowed": "must be on port 443",
}


def _secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(standard_webhooks.PREFIX):
        raise ValueError("a Standard Webhooks secret is whsec_ and base64")
    standard_webhooks.key_of(value.get_secret_value())
    return value


Secret = Annotated[SecretStr, AfterValidator(_secret)]


class EndpointBody(BaseModel):
    """Where messages go. Without a secret one is made, and shown in the answer to this request only."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    cooperative: UUID
    url: Annotated[str, AfterValidator(addresses.webhook_url)]
    secret: Secret | None = None


class RotationBody(BaseModel):
    """A new secret. Without one it is made, and shown in the answer to this request only."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    cooperative: UUID
    secret: Secret | None = None
    keep_old_h: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP_H)] = 24
    """For so many hours the secret before signs beside the new one; 0 where others may know it."""


class EndpointAnswer(BaseModel):
    """An endpoint and how it fares."""

    partner_id: UUID
    cooperative: UUID
    url: str
    disabled: bool = Field(description="nothing is sent there until it is set again or enabled")
    disabled_reason: str | None = Field(
        description="endpoint_gone: it answered 410; lasting_failure: nothing got through for five days"
    )
    disabled_at: datetime | None
    failing_since: datetime | None = Field(description="since when nothing has got through; null where the last did")
    failures: int = Field(description="in a row")
    last_failure: str | None
    throttled_until: datetime | None = Field(
        description="it has a pause until then: it asked for one, or does not answer"
    )
    old_secret_until: datetime | None = Field(description="until when the secret before signs as well")


class EndpointMade(EndpointAnswer):
    """`secret` is the one that was made, or null where it was given."""

    secret: str | None = Field(description="Keep it now; it is not shown again.")


class EndpointList(BaseModel):
    """What does not fare well comes first."""

    webhooks: list[EndpointAnswer]


@router.put("", openapi_extra=CALLBACKS)
async def put_endpoint(
    request: Request, response: Response, principal: Authenticated, partner_id: UUID, body: EndpointBody
) -> EndpointMade:
    """Sets the endpoint and enables it; it is told of what happens from now on, and at once of what waits.

    Messages are signed as Standard Webhooks 1.0 says. They go to public addresses only, by https on port 443, and
    redirects are not followed. Each change of an order is one message; one that is overtaken by a newer state before it
    got through is not sent any more. See the callbacks for every message with an example.
    """
    principal.may_act_for(body.cooperative)
    settings = request.app.state.runtime.settings
    if fault := outbound.refusal_of_url(body.url, settings.private_networks):
        raise invalid([("url", _REFUSED[fault])])
    now = datetime.now(UTC)
    made, secret = _made_or_given(body.secret)
    endpoint = Endpoint(body.cooperative, partner_id, body.url, secret)

    async def work(tx: Transaction) -> None:
        if not await store.save_endpoint(tx.conn, endpoint, now):
            raise not_found("cooperative")
        await hurry(tx.conn, body.cooperative, partner_id, now)

    await request.app.state.runtime.ledger.transact(work)
    return _shown_once(response, endpoint, now, made)


@router.post("/secret/rotate")
async def rotate_secret(
    request: Request, response: Response, principal: Authenticated, partner_id: UUID, body: RotationBody
) -> EndpointMade:
    """Replaces the secret. For a stated time the one before signs as well, so that the partner can change over at ease.

    At most two secrets sign: another rotation within that time ends the oldest one.
    """
    principal.may_act_for(body.cooperative)
    now = datetime.now(UTC)
    made, secret = _made_or_given(body.secret)
    old_until = now + timedelta(hours=body.keep_old_h) if body.keep_old_h else None

    async def work(tx: Transaction) -> Endpoint:
        if not await store.rotate_secret(tx.conn, body.cooperative, partner_id, secret, old_until, now):
            raise not_found("webhook")
        found = await store.get_endpoint(tx.conn, body.cooperative, partner_id)
        assert found is not None
        return found

    endpoint = await request.app.state.runtime.ledger.transact(work)
    return _shown_once(response, endpoint, now, made)


@router.post("/enable")
async def enable_endpoint(
    request: Request, principal: Authenticated, partner_id: UUID, cooperative: Cooperative = None
) -> EndpointAnswer:
    """Sends to the endpoint again, also where it had a pause: what waits is due now. What it missed can be resent."""
    of = whose(principal, cooperative)
    now = datetime.now(UTC)

    async def work(tx: Transaction) -> Endpoint:
        if not await store.enable_endpoint(tx.conn, of, partner_id):
            raise not_found("webhook")
        await hurry(tx.conn, of, partner_id, now)
        found = await store.get_endpoint(tx.conn, of, partner_id)
        assert found is not None
        return found

    return EndpointAnswer(**_shown(await request.app.state.runtime.ledger.transact(work), now))


@router.get("")
async def get_endpoint(
    request: Request, principal: Authenticated, partner_id: UUID, cooperative: Cooperative = None
) -> EndpointAnswer:
    """The endpoint, without its secret."""
    of = whose(principal, cooperative)
    found = await store.get_endpoint(request.app.state.runtime.pool, of, partner_id)
    if found is None:
        raise not_found("webhook")
    return EndpointAnswer(**_shown(found, datetime.now(UTC)))


@router.delete("", status_code=204)
async def delete_endpoint(
    request: Request, principal: Authenticated, partner_id: UUID, cooperative: Cooperative = None
) -> None:
    """Forgets the endpoint; messages that wait become undeliverable."""
    of = whose(principal, cooperative)

    async def work(tx: Transaction) -> None:
        if not await store.delete_endpoint(tx.conn, of, partner_id):
            raise not_found("webhook")

    await request.app.state.runtime.ledger.transact(work)


@list_router.get("/v1/cooperatives/{cooperative_id}/webhooks")
async def list_endpoints(request: Request, principal: Authenticated, cooperative_id: UUID) -> EndpointList:
    """The endpoints of all partners of a cooperative, and how they fare."""
    principal.may_act_for(cooperative_id)
    now = datetime.now(UTC)
    found = await store.list_endpoints(request.app.state.runtime.pool, cooperative_id)
    return EndpointList(webhooks=[EndpointAnswer(**_shown(endpoint, now)) for endpoint in found])


def whose(principal: Principal, cooperative: UUID | None) -> UUID:
    """Which cooperative is meant. Raises a problem where the key is not for it, or does not say which."""
    of = cooperative or principal.scope
    if of is None:
        raise invalid([("cooperative", "is needed with a key of the union")])
    principal.may_act_for(of)
    return of


def _made_or_given(given: SecretStr | None) -> tuple[str | None, str]:
    """The secret that was made, if one was; and the one that counts."""
    if given is not None:
        return None, given.get_secret_value()
    made = standard_webhooks.new_secret()
    return made, made


def _shown(endpoint: Endpoint, now: datetime) -> dict[str, object]:
    health = endpoint.health
    throttled = health.throttled_until is not None and health.throttled_until > now
    return {
        "partner_id": endpoint.partner_id,
        "cooperative": endpoint.cooperative_id,
        "url": endpoint.url,
        "disabled": endpoint.disabled,
        "disabled_reason": health.disabled_reason,
        "disabled_at": health.disabled_at,
        "failing_since": health.failing_since,
        "failures": health.failures,
        "last_failure": health.last_failure,
        "throttled_until": health.throttled_until if throttled else None,
        "old_secret_until": endpoint.old_secret_until if len(endpoint.secrets(now)) > 1 else None,
    }


def _shown_once(response: Response, endpoint: Endpoint, now: datetime, made: str | None) -> EndpointMade:
    response.headers["Cache-Control"] = "no-store"
    return EndpointMade(**_shown(endpoint, now), secret=made)
