"""How households are reached, and the staff themselves; written down by the cooperative's staff."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict

from services.chassis.access import Authenticated
from services.chassis.ledger import Transaction
from services.chassis.problems import not_found, refusals
from services.notify.domain import addresses
from services.notify.domain.notices import EMAIL, Contact, StaffContact
from services.notify.store import contacts as store
from services.notify.store.notices import requeue_baskets

router = APIRouter(prefix="/v1/households/{household_id}/contact", tags=["contact book"], responses=refusals(401, 404))
staff_router = APIRouter(
    prefix="/v1/cooperatives/{cooperative_id}/contact", tags=["contact book"], responses=refusals(401, 404)
)


class ContactBody(BaseModel):
    """Where notices to the household go, how it is addressed, and in which language."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    email: Annotated[str, AfterValidator(addresses.email)]
    display_name: Annotated[str, AfterValidator(addresses.name)]
    language: Literal["vi", "en"] = "vi"


class ContactAnswer(ContactBody):
    """The contact as it stands."""

    household_id: UUID


@router.put("")
async def put_contact(
    request: Request, response: Response, principal: Authenticated, household_id: UUID, body: ContactBody
) -> ContactAnswer:
    """Writes the contact down. Baskets of days to come that could not be delivered so far are sent now."""
    now = datetime.now(UTC)

    async def work(tx: Transaction) -> None:
        principal.must_see(await store.lock_household(tx.conn, household_id), "household")
        contact = Contact(household_id, body.email, body.display_name, body.language)
        await store.save_contact(tx.conn, contact, now)
        await requeue_baskets(tx.conn, household_id, EMAIL, now)

    await request.app.state.runtime.ledger.transact(work)
    response.headers["Cache-Control"] = "no-store"
    return ContactAnswer(household_id=household_id, **body.model_dump())


@router.get("")
async def get_contact(
    request: Request, response: Response, principal: Authenticated, household_id: UUID
) -> ContactAnswer:
    """The household's contact."""
    found = await store.get_contact(request.app.state.runtime.pool, household_id)
    principal.must_see(found[0] if found else None, "household")
    contact = found[1] if found else None
    if contact is None:
        raise not_found("contact")
    response.headers["Cache-Control"] = "no-store"
    return ContactAnswer.model_validate(
        {
            "household_id": household_id,
            "email": contact.email,
            "display_name": contact.display_name,
            "language": contact.language,
        }
    )


@router.delete("", status_code=204)
async def delete_contact(request: Request, principal: Authenticated, household_id: UUID) -> None:
    """Forgets the contact; notices that wait become undeliverable."""

    async def work(tx: Transaction) -> None:
        principal.must_see(await store.lock_household(tx.conn, household_id), "household")
        if not await store.delete_contact(tx.conn, household_id):
            raise not_found("contact")

    await request.app.state.runtime.ledger.transact(work)


class StaffContactAnswer(ContactBody):
    """The contact as it stands."""

    cooperative_id: UUID


@staff_router.put("")
async def put_staff_contact(
    request: Request, response: Response, principal: Authenticated, cooperative_id: UUID, body: ContactBody
) -> StaffContactAnswer:
    """Who is told by mail of what staff must see to, such as a partner's endpoint that was given up."""
    principal.may_act_for(cooperative_id)
    now = datetime.now(UTC)

    async def work(tx: Transaction) -> None:
        contact = StaffContact(cooperative_id, body.email, body.display_name, body.language)
        if not await store.save_staff_contact(tx.conn, contact, now):
            raise not_found("cooperative")

    await request.app.state.runtime.ledger.transact(work)
    response.headers["Cache-Control"] = "no-store"
    return StaffContactAnswer(cooperative_id=cooperative_id, **body.model_dump())


@staff_router.get("")
async def get_staff_contact(
    request: Request, response: Response, principal: Authenticated, cooperative_id: UUID
) -> StaffContactAnswer:
    """The cooperative's contact."""
    principal.may_act_for(cooperative_id)
    found = await store.get_staff_contact(request.app.state.runtime.pool, cooperative_id)
    if found is None:
        raise not_found("contact")
    response.headers["Cache-Control"] = "no-store"
    return StaffContactAnswer.model_validate(asdict(found))


@staff_router.delete("", status_code=204)
async def delete_staff_contact(request: Request, principal: Authenticated, cooperative_id: UUID) -> None:
    """Forgets the contact; notices that wait for it become undeliverable."""
    principal.may_act_for(cooperative_id)

    async def work(tx: Transaction) -> None:
        if not await store.delete_staff_contact(tx.conn, cooperative_id):
            raise not_found("contact")

    await request.app.state.runtime.ledger.transact(work)
