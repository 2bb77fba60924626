"""Staff: partners, their secrets and their tiers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.chassis import problems, standard_webhooks
from services.chassis.access import Authenticated
from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.chassis.runtime import Runtime
from services.orders.adapters import ADAPTERS
from services.orders.settings import OrdersSettings
from services.orders.store import partners as store
from services.orders.store.partners import OPEN_SALE, Partner

router = APIRouter(tags=["staff"])

_TEXT = r"^[^\x00-\x1f\x7f]+$"
Text = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_TEXT)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Tier = Annotated[
    int,
    Field(ge=1, le=99, description="Whose orders are served first and lose last: 1 before all others, 5 is open sale."),
]


class NewPartner(_Body):
    """A platform's shop of one cooperative, by its slug."""

    cooperative: Text
    name: Text
    adapter: Text = Field(examples=sorted(ADAPTERS))
    tier: Tier = OPEN_SALE


class PartnerTier(_Body):
    """What is agreed with the partner, such as a supermarket's contract."""

    tier: Tier


class PartnerRegistered(BaseModel):
    """`secret` is shown this once."""

    partner_id: UUID
    name: str
    adapter: str
    push_url: str
    secret: str


class SecretRotated(BaseModel):
    """`secret` is shown this once; the one before it is valid until it is deleted."""

    partner_id: UUID
    secret: str


async def _partner_of_principal(partner_id: UUID, request: Request, principal: Authenticated) -> Partner:
    """The partner, if the key may act for its cooperative."""
    partner = await store.get_partner(request.app.state.runtime.pool, partner_id)
    principal.must_see(partner.cooperative_id if partner else None, "partner")
    assert partner is not None
    return partner


OwnPartner = Annotated[Partner, Depends(_partner_of_principal)]


@router.post("/v1/partners", status_code=201, summary="Register a partner")
async def register_partner(body: NewPartner, request: Request, principal: Authenticated) -> PartnerRegistered:
    """Makes a partner with a fresh secret."""
    runtime: Runtime[OrdersSettings] = request.app.state.runtime
    if body.adapter not in ADAPTERS:
        raise problems.invalid([("adapter", f"must be one of {', '.join(sorted(ADAPTERS))}")])
    cooperative_id = await store.get_cooperative_id(runtime.pool, body.cooperative)
    principal.must_see(cooperative_id, "cooperative")
    assert cooperative_id is not None
    secret = standard_webhooks.new_secret()
    partner = Partner(uuid7(), cooperative_id, body.name, body.adapter, (secret,), body.tier)

    async def work(tx: Transaction) -> None:
        await store.insert_partner(tx.conn, partner)

    await runtime.ledger.transact(work)
    return PartnerRegistered(
        partner_id=partner.partner_id,
        name=partner.name,
        adapter=partner.adapter,
        push_url=f"/v1/partners/{partner.partner_id}/orders",
        secret=secret,
    )


@router.put("/v1/partners/{partner_id}/tier", status_code=204, summary="Say which tier a partner is of")
async def set_tier(body: PartnerTier, partner: OwnPartner, request: Request) -> Response:
    """Counts for what the partner orders from now on; orders that are there keep the tier that they came with."""

    async def work(tx: Transaction) -> None:
        await store.save_tier(tx.conn, partner.partner_id, body.tier)

    await request.app.state.runtime.ledger.transact(work)
    return Response(status_code=204)


@router.post("/v1/partners/{partner_id}/secrets", status_code=201, summary="Rotate the secret of a partner")
async def rotate_secret(partner: OwnPartner, request: Request) -> SecretRotated:
    """The new secret is valid at once; the previous one until it is deleted; one before that no longer."""
    secret = standard_webhooks.new_secret()

    async def work(tx: Transaction) -> None:
        await store.save_secret(tx.conn, partner.partner_id, secret)

    await request.app.state.runtime.ledger.transact(work)
    return SecretRotated(partner_id=partner.partner_id, secret=secret)


@router.delete(
    "/v1/partners/{partner_id}/secrets/previous", status_code=204, summary="End the previous secret of a partner"
)
async def delete_previous_secret(partner: OwnPartner, request: Request) -> Response:
    """From now on only the newest secret is valid."""

    async def work(tx: Transaction) -> None:
        await store.delete_previous_secret(tx.conn, partner.partner_id)

    await request.app.state.runtime.ledger.transact(work)
    return Response(status_code=204)
