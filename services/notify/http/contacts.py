"""The contact book, kept by a cooperative's staff: how the members of a household are reached, and staff themselves.

The union's operators keep those who are told of all cooperatives.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from services.chassis.access import Authenticated, Principal
from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.chassis.problems import conflict, invalid, not_found, refusals
from services.notify import contact_book
from services.notify.domain.contacts import UNION, Address, Contact, QuietHours
from services.notify.http.contact_bodies import (
    MOST_RANK,
    ContactAnswer,
    ContactBody,
    ContactList,
    ContactSaved,
    Reason,
    read,
    shown,
)
from services.notify.places import find_same
from services.notify.store import consents, contacts

MOST_CONTACTS = 50
"""Of one household, of one cooperative's staff, or of the union."""

Lock = Callable[[Transaction], Awaitable[tuple[UUID | None, UUID | None]]]
"""Locks a recipient that the key may write to; returns the cooperative and the household of its contacts."""


def no_store(response: Response) -> None:
    """Whatever is answered here is nobody else's business."""
    response.headers["Cache-Control"] = "no-store"


router = APIRouter(tags=["contact book"], dependencies=[Depends(no_store)], responses=refusals(401, 404))


@router.get("/v1/households/{household_id}/contacts")
async def list_household(request: Request, principal: Authenticated, household_id: UUID) -> ContactList:
    """The members of the household in the order in which they are told."""
    owner = await contacts.get_household_cooperative(request.app.state.runtime.pool, household_id)
    principal.must_see(owner, "household")
    return await _list(request, household_id)


@router.post("/v1/households/{household_id}/contacts", status_code=201)
async def post_household(
    request: Request, response: Response, principal: Authenticated, household_id: UUID, body: ContactBody
) -> ContactSaved:
    """Writes a member of the household down, with addresses and what it has agreed to.

    Baskets of days to come that have reached nobody so far are sent now. Who is there already with this name and these
    addresses is not written down twice: the answer is 200 then, and the rest is changed to what is sent.
    """

    async def lock(tx: Transaction) -> tuple[UUID | None, UUID | None]:
        owner = await contacts.lock_household(tx.conn, household_id)
        principal.must_see(owner, "household")
        return owner, household_id

    return await _write_down(request, response, principal, lock, body)


@router.get("/v1/cooperatives/{cooperative_id}/contacts")
async def list_staff(request: Request, principal: Authenticated, cooperative_id: UUID) -> ContactList:
    """The cooperative's staff as far as they are told of something."""
    principal.may_act_for(cooperative_id)
    return await _list(request, cooperative_id)


@router.post("/v1/cooperatives/{cooperative_id}/contacts", status_code=201)
async def post_staff(
    request: Request, response: Response, principal: Authenticated, cooperative_id: UUID, body: ContactBody
) -> ContactSaved:
    """Writes one of the staff down, to be told of what staff must see to. Again the same is the same person: 200."""
    principal.may_act_for(cooperative_id)

    async def lock(tx: Transaction) -> tuple[UUID | None, UUID | None]:
        if not await contacts.lock_staff(tx.conn, cooperative_id):
            raise not_found("cooperative")
        return cooperative_id, None

    return await _write_down(request, response, principal, lock, body)


@router.get("/v1/contacts", responses=refusals(403))
async def list_union(request: Request, principal: Authenticated) -> ContactList:
    """Those of the union who are told of all cooperatives; for operators."""
    principal.must_be("operator")
    return await _list(request, UNION)


@router.post("/v1/contacts", status_code=201, responses=refusals(403))
async def post_union(request: Request, response: Response, principal: Authenticated, body: ContactBody) -> ContactSaved:
    """Writes one of the union down; for operators. Again the same is the same person: 200."""
    principal.must_be("operator")

    async def lock(tx: Transaction) -> tuple[UUID | None, UUID | None]:
        await contacts.lock_union(tx.conn)
        return None, None

    return await _write_down(request, response, principal, lock, body)


@router.get("/v1/contacts/{contact_id}")
async def get_contact(request: Request, principal: Authenticated, contact_id: UUID) -> ContactAnswer:
    """One person as the book has it."""
    pool = request.app.state.runtime.pool
    found = must_see(principal, await contacts.get_contact(pool, contact_id))
    agreed = await consents.list_agreed(pool, [contact_id])
    return ContactAnswer(**shown(found, agreed.get(contact_id, ())))


@router.put("/v1/contacts/{contact_id}")
async def put_contact(request: Request, principal: Authenticated, contact_id: UUID, body: ContactBody) -> ContactSaved:
    """Replaces what is said of a person. It stays with its household, and keeps what it has agreed to.

    Consent that is sent is added; consent for a channel ends with its address. An address that did not change stays
    gone if it was; new consent, given after that, brings it back.
    """
    now = datetime.now(UTC)
    private = request.app.state.runtime.settings.private_networks

    async def work(tx: Transaction) -> dict[str, Any]:
        before = await lock_contact(tx, principal, contact_id)
        wanted, faults = read(body, before.places, private, now)
        if faults:
            raise invalid(faults)
        after = Contact(
            contact_id, before.cooperative_id, before.household_id, *_sent(body, before.rank, wanted.addresses)
        )
        await contact_book.save(tx, request.app.state.ladder, after, before, wanted.given, principal.key_id, now)
        return await as_saved(tx, contact_id) | {"webhook_secret": wanted.made_secret}

    return ContactSaved(**await request.app.state.runtime.ledger.transact(work))


@router.delete("/v1/contacts/{contact_id}", status_code=204)
async def erase_contact(request: Request, principal: Authenticated, contact_id: UUID, reason: Reason) -> None:
    """Erases the person: name, addresses and consents. What was told, when and by which channel stays, without it.

    What waits for it is not sent any more. Recorded are the key, the time and the reason.
    """
    now = datetime.now(UTC)

    async def work(tx: Transaction) -> None:
        contact = await lock_contact(tx, principal, contact_id)
        await contact_book.erase(tx, contact, reason, principal.key_id, now)

    await request.app.state.runtime.ledger.transact(work)


def must_see(principal: Principal, found: Contact | None) -> Contact:
    """Raises a 404 problem where there is none, or it is not for this key; the union's are for operators only."""
    of_union = found is not None and found.cooperative_id is None
    if found is None or (of_union and principal.role != "operator"):
        raise not_found("contact")
    if not of_union:
        principal.must_see(found.cooperative_id, "contact")
    return found


async def lock_contact(tx: Transaction, principal: Principal, contact_id: UUID) -> Contact:
    """The person as it is until the transaction ends; no notice to its household is made meanwhile."""
    found = must_see(principal, await contacts.get_contact(tx.conn, contact_id))
    await contact_book.lock(tx, found.cooperative_id, found.household_id)
    return must_see(principal, await contacts.get_contact(tx.conn, contact_id))


def _sent(
    body: ContactBody, rank: int, addresses: Sequence[Address]
) -> tuple[str, str, QuietHours | None, int, Sequence[Address]]:
    """What a request says of a person, in the order of `Contact`; `rank` is for one that says nothing of it."""
    quiet = body.quiet_hours.value() if body.quiet_hours else None
    return body.display_name, body.language, quiet, body.rank or rank, addresses


async def as_saved(tx: Transaction, contact_id: UUID) -> dict[str, Any]:
    """The person as it stands now, for `ContactAnswer`."""
    found = await contacts.get_contact(tx.conn, contact_id)
    assert found is not None
    return shown(found, (await consents.list_agreed(tx.conn, [contact_id])).get(contact_id, ()))


async def _list(request: Request, recipient: UUID) -> ContactList:
    pool = request.app.state.runtime.pool
    found = await contacts.list_contacts(pool, recipient)
    agreed = await consents.list_agreed(pool, [one.contact_id for one in found])
    return ContactList(contacts=[ContactAnswer(**shown(one, agreed.get(one.contact_id, ()))) for one in found])


async def _write_down(
    request: Request, response: Response, principal: Principal, lock: Lock, body: ContactBody
) -> ContactSaved:
    now = datetime.now(UTC)
    private = request.app.state.runtime.settings.private_networks

    async def work(tx: Transaction) -> tuple[bool, dict[str, Any]]:
        cooperative_id, household_id = await lock(tx)
        known = await contacts.list_contacts(tx.conn, household_id or cooperative_id or UNION)
        places: dict[str, str] = {one.channel: str(one.address) for one in body.addresses}
        before = find_same(known, body.display_name, places)
        wanted, faults = read(body, before.places if before else {}, private, now)
        if faults:
            raise invalid(faults)
        if before is None and len(known) >= MOST_CONTACTS:
            raise conflict(f"There are {MOST_CONTACTS} contacts already; delete those that are no longer needed.")
        last = min(max((one.rank for one in known), default=0) + 1, MOST_RANK)
        after = Contact(
            before.contact_id if before else uuid7(),
            cooperative_id,
            household_id,
            *_sent(body, before.rank if before else last, wanted.addresses),
        )
        await contact_book.save(tx, request.app.state.ladder, after, before, wanted.given, principal.key_id, now)
        saved = await as_saved(tx, after.contact_id)
        return before is None, saved | {"webhook_secret": wanted.made_secret}

    new, saved = await request.app.state.runtime.ledger.transact(work)
    response.status_code = 201 if new else 200
    return ContactSaved(**saved)
