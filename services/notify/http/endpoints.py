"""Where partners take signed messages about one cooperative's orders."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from services.chassis import standard_webhooks
from services.chassis.access import Authenticated, Principal
from services.chassis.ledger import Transaction
from services.chassis.problems import invalid, not_found
from services.notify.domain import addresses
from services.notify.domain.notices import Endpoint
from services.notify.store import contacts as store

router = APIRouter(prefix="/v1/partners/{partner_id}/webhook", tags=["partner webhooks"])

Cooperative = Annotated[UUID | None, Query(description="Whose orders; may be left out with a key of one cooperative.")]


def _secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(standard_webhooks.PREFIX):
        raise ValueError("a Standard Webhooks secret is whsec_ and base64")
    standard_webhooks.key_of(value.get_secret_value())
    return value


class EndpointBody(BaseModel):
    """Where messages go. Without a secret one is made, and shown in the answer to this request only."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    cooperative: UUID
    url: Annotated[str, AfterValidator(addresses.webhook_url)]
    secret: Annotated[SecretStr, AfterValidator(_secret)] | None = None


class EndpointAnswer(BaseModel):
    """`disabled`: the endpoint answered 410 Gone, and is left alone until it is set again."""

    partner_id: UUID
    cooperative: UUID
    url: str
    disabled: bool


class EndpointMade(EndpointAnswer):
    """`secret` is the one that was made, or null where it was given."""

    secret: str | None = Field(description="Keep it now; it is not shown again.")


@router.put("")
async def put_endpoint(
    request: Request, response: Response, principal: Authenticated, partner_id: UUID, body: EndpointBody
) -> EndpointMade:
    """Sets the endpoint; it is told of what happens from now on."""
    principal.may_act_for(body.cooperative)
    now = datetime.now(UTC)
    made = standard_webhooks.new_secret() if body.secret is None else None
    secret = made if body.secret is None else body.secret.get_secret_value()
    assert secret is not None

    async def work(tx: Transaction) -> None:
        endpoint = Endpoint(body.cooperative, partner_id, body.url, secret)
        if not await store.save_endpoint(tx.conn, endpoint, now):
            raise not_found("cooperative")

    await request.app.state.runtime.ledger.transact(work)
    response.headers["Cache-Control"] = "no-store"
    return EndpointMade(partner_id=partner_id, cooperative=body.cooperative, url=body.url, disabled=False, secret=made)


@router.get("")
async def get_endpoint(
    request: Request, principal: Authenticated, partner_id: UUID, cooperative: Cooperative = None
) -> EndpointAnswer:
    """The endpoint, without its secret."""
    of = _whose(principal, cooperative)
    found = await store.get_endpoint(request.app.state.runtime.pool, of, partner_id)
    if found is None:
        raise not_found("webhook")
    return EndpointAnswer(partner_id=partner_id, cooperative=of, url=found.url, disabled=found.disabled)


@router.delete("", status_code=204)
async def delete_endpoint(
    request: Request, principal: Authenticated, partner_id: UUID, cooperative: Cooperative = None
) -> None:
    """Forgets the endpoint; messages that wait become undeliverable."""
    of = _whose(principal, cooperative)

    async def work(tx: Transaction) -> None:
        if not await store.delete_endpoint(tx.conn, of, partner_id):
            raise not_found("webhook")

    await request.app.state.runtime.ledger.transact(work)


def _whose(principal: Principal, cooperative: UUID | None) -> UUID:
    of = cooperative or principal.scope
    if of is None:
        raise invalid([("cooperative", "is needed with a key of the union")])
    principal.may_act_for(of)
    return of
