"""Staff: partners, their secrets and their tiers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.chassis import problems, standard_webhooks
from services.chassis.access import Authenticated
from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.chassis.runtime import Runtime
from services.orders.adapters import ADAPTERS, canonical
from services.orders.registration import MOST_TEXT, NAME, TEXT, Faulty, change_settings, check_settings
from services.orders.settings import OrdersSettings
from services.orders.store import partners as store
from services.orders.store.partners import OPEN_SALE, Partner

router = APIRouter(tags=["staff"], responses=problems.refusals(401, 404))

Text = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=TEXT)]


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Tier = Annotated[
    int,
    Field(ge=1, le=99, description="Whose orders are served first and lose last: 1 before all others, 5 is open sale."),
]


Secret = Annotated[
    str,
    StringConstraints(min_length=8, max_length=500, pattern=TEXT),
    Field(description="The one that the platform has given, or will be told; without it a fresh one is made."),
]
SettingName = Annotated[str, StringConstraints(pattern=NAME)]
SettingText = Annotated[str, StringConstraints(min_length=1, max_length=MOST_TEXT, pattern=TEXT)]


class NewPartner(Input):
    """A platform's shop. `settings`: what its adapter needs beside the secret."""

    cooperative: Annotated[
        Text | None,
        Field(description="The slug of whose shop it is. null: a campaign of the union, over cooperatives (operator)."),
    ]
    name: Text
    adapter: Text = Field(examples=sorted(ADAPTERS))
    tier: Tier = OPEN_SALE
    secret: Secret | None = None
    settings: Annotated[dict[SettingName, SettingText], Field(max_length=20)] = {}


class NewSecret(Input):
    """The next secret of a partner."""

    secret: Secret | None = None


class PartnerSettings(Input):
    """What is to change; null takes a setting away."""

    settings: Annotated[dict[SettingName, SettingText | None], Field(min_length=1, max_length=20)]


class PartnerTier(Input):
    """What is agreed with the partner, such as a supermarket's contract."""

    tier: Tier


class PartnerRegistered(BaseModel):
    """`secret` is shown this once, and only where it was made here."""

    partner_id: UUID
    name: str
    adapter: str
    push_url: str
    secret: str | None


class SecretRotated(BaseModel):
    """`secret` is shown this once, if it was made here; the one before it is valid until it is deleted."""

    partner_id: UUID
    secret: str | None


async def _partner_of_principal(partner_id: UUID, request: Request, principal: Authenticated) -> Partner:
    """The partner, if the key may act for its cooperative."""
    partner = await store.get_partner(request.app.state.runtime.pool, partner_id)
    principal.must_see(partner.cooperative_id if partner else None, "partner")
    assert partner is not None
    return partner


OwnPartner = Annotated[Partner, Depends(_partner_of_principal)]


def _no_seat(partner: OwnPartner) -> Partner:
    if partner.campaign_id:
        raise problems.conflict("This is a cooperative's seat in a campaign; the union sets what concerns it.")
    return partner


OwnShop = Annotated[Partner, Depends(_no_seat)]
"""A partner that pushes itself: no seat in a campaign."""


@router.post("/v1/partners", status_code=201, summary="Register a partner", responses=problems.refusals(403))
async def register_partner(body: NewPartner, request: Request, principal: Authenticated) -> PartnerRegistered:
    """Makes a partner, with the secret that its platform has given or a fresh one."""
    runtime: Runtime[OrdersSettings] = request.app.state.runtime
    if body.adapter not in ADAPTERS:
        raise problems.invalid([("adapter", f"must be one of {', '.join(sorted(ADAPTERS))}")])
    faults = _faulty_secret(body.adapter, body.secret)
    try:
        check_settings(body.adapter, body.settings, runtime.settings)
    except Faulty as error:
        faults = [*error.fields, *faults]
    if faults:
        raise problems.invalid(faults)
    partner_id = cooperative_id = uuid7()
    if body.cooperative is None:
        principal.must_be("operator")
    else:
        found = await store.get_cooperative_id(runtime.pool, body.cooperative)
        principal.must_see(found, "cooperative")
        assert found is not None
        cooperative_id = found
    secret = body.secret or standard_webhooks.new_secret()
    partner = Partner(partner_id, cooperative_id, body.name, body.adapter, (secret,), body.tier, body.settings)

    async def work(tx: Transaction) -> None:
        await store.insert_partner(tx.conn, partner)

    await runtime.ledger.transact(work)
    return PartnerRegistered(
        partner_id=partner.partner_id,
        name=partner.name,
        adapter=partner.adapter,
        push_url=f"/v1/partners/{partner.partner_id}/orders",
        secret=None if body.secret else secret,
    )


def _faulty_secret(adapter: str, secret: str | None) -> list[tuple[str, str]]:
    """Partners that write their own integration sign as Standard Webhooks do; a platform's secret is any text."""
    if secret is None or adapter != canonical.DECLARATION.name:
        return []
    try:
        standard_webhooks.key_of(secret)
    except ValueError as error:
        return [("secret", str(error))]
    return []


@router.put(
    "/v1/partners/{partner_id}/tier",
    status_code=204,
    summary="Say which tier a partner is of",
    responses=problems.refusals(409),
)
async def set_tier(body: PartnerTier, partner: OwnShop, request: Request) -> Response:
    """Counts for what the partner orders from now on; orders that are there keep the tier that they came with."""

    async def work(tx: Transaction) -> None:
        await store.save_tier(tx.conn, partner.partner_id, body.tier)

    await request.app.state.runtime.ledger.transact(work)
    return Response(status_code=204)


@router.patch("/v1/partners/{partner_id}/settings", status_code=204, summary="Change what a partner has registered")
async def set_settings(body: PartnerSettings, partner: OwnShop, request: Request) -> Response:
    """What is not named stays. With another `shop_url`, the key of the shop's API has to be given again."""
    runtime: Runtime[OrdersSettings] = request.app.state.runtime

    async def work(tx: Transaction) -> None:
        await change_settings(tx.conn, partner.partner_id, body.settings, runtime.settings)

    try:
        await runtime.ledger.transact(work)
    except Faulty as error:
        raise problems.invalid(error.fields) from None
    return Response(status_code=204)


@router.post(
    "/v1/partners/{partner_id}/secrets",
    status_code=201,
    summary="Rotate the secret of a partner",
    responses=problems.refusals(409),
)
async def rotate_secret(
    partner: OwnShop, request: Request, body: Annotated[NewSecret | None, Body()] = None
) -> SecretRotated:
    """The new secret is valid at once; the previous one until it is deleted; one before that no longer."""
    given = body.secret if body else None
    if faults := _faulty_secret(partner.adapter, given):
        raise problems.invalid(faults)
    secret = given or standard_webhooks.new_secret()

    async def work(tx: Transaction) -> None:
        await store.save_secret(tx.conn, partner.partner_id, secret)

    await request.app.state.runtime.ledger.transact(work)
    return SecretRotated(partner_id=partner.partner_id, secret=None if given else secret)


@router.delete(
    "/v1/partners/{partner_id}/secrets/previous",
    status_code=204,
    summary="End the previous secret of a partner",
    responses=problems.refusals(409),
)
async def delete_previous_secret(partner: OwnShop, request: Request) -> Response:
    """From now on only the newest secret is valid."""

    async def work(tx: Transaction) -> None:
        await store.delete_previous_secret(tx.conn, partner.partner_id)

    await request.app.state.runtime.ledger.transact(work)
    return Response(status_code=204)
