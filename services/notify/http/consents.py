"""What a person of the contact book agrees to, and takes back; and all that is kept about it, to be handed to it."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from services.chassis.access import Authenticated
from services.chassis.ledger import Transaction
from services.chassis.problems import invalid, refusals
from services.notify import contact_book
from services.notify.domain.contacts import ChannelName
from services.notify.http.contact_bodies import (
    Body,
    ConsentBody,
    ContactAnswer,
    Purpose,
    Source,
    given_faults,
    given_of,
    shown,
)
from services.notify.http.contacts import as_saved, lock_contact, must_see, no_store
from services.notify.http.words import WordsAnswer
from services.notify.store import consents, contacts, persons, words

router = APIRouter(
    prefix="/v1/contacts/{contact_id}",
    tags=["contact book"],
    dependencies=[Depends(no_store)],
    responses=refusals(401, 404),
)


class GivenBody(ConsentBody):
    """What the person agrees to be told by one of its channels."""

    channel: ChannelName


class WithdrawalBody(Body):
    """What the person takes back: for a channel, for a purpose, for both together; without either, everything."""

    channel: ChannelName | None = None
    purpose: Purpose | None = None
    source: Source


class ConsentAnswer(BaseModel):
    """One consent with its end, if it has ended. `recorded_by` and `withdrawn_by` are keys; null: nobody of ours."""

    model_config = ConfigDict(from_attributes=True)

    channel: str
    purpose: str
    given_at: datetime
    source: str
    recorded_at: datetime
    recorded_by: UUID | None
    withdrawn_at: datetime | None
    withdrawn_source: str | None
    withdrawn_by: UUID | None


class WayAnswer(BaseModel):
    """One way by which a notice went, or was to go."""

    model_config = ConfigDict(from_attributes=True)

    channel: str
    state: str
    attempts: int
    queued_at: datetime
    tried_at: datetime | None
    reason: str | None


class ToldAnswer(BaseModel):
    """A notice that was for the person, and what it said."""

    model_config = ConfigDict(from_attributes=True)

    notice_id: UUID
    kind: str
    delivery_day: date | None
    happened_at: datetime
    state: str
    told_at: datetime | None
    facts: dict[str, Any]
    ways: list[WayAnswer]


class RepliedAnswer(BaseModel):
    """What the household answered to a basket, whoever of it did so."""

    model_config = ConfigDict(from_attributes=True)

    delivery_day: date
    version: int
    answer: str
    reason: str | None
    lines: list[dict[str, Any]]
    channel: str
    replied_at: datetime


class ExportAnswer(BaseModel):
    """All that is kept about one person."""

    exported_at: datetime
    contact: ContactAnswer
    consents: list[ConsentAnswer] = Field(description="with their history")
    notices: list[ToldAnswer]
    replies: list[RepliedAnswer]
    words: list[WordsAnswer] = Field(description="what the person wrote back")


@router.post("/consents")
async def give_consent(request: Request, principal: Authenticated, contact_id: UUID, body: GivenBody) -> ContactAnswer:
    """Writes down what the person agrees to, when and how it said so. What it agreed to before stays as it is.

    Baskets of days to come that have reached nobody so far are sent now.
    """
    now = datetime.now(UTC)

    async def work(tx: Transaction) -> dict[str, Any]:
        contact = await lock_contact(tx, principal, contact_id)
        faults = given_faults(body, "", now)
        if body.channel not in contact.places:
            faults.append(("channel", "the person has no address for it; add that first"))
        if faults:
            raise invalid(faults)
        await contact_book.agree(
            tx, request.app.state.ladder, contact, given_of(body.channel, body, now), principal.key_id, now
        )
        return await as_saved(tx, contact_id)

    return ContactAnswer(**await request.app.state.runtime.ledger.transact(work))


@router.post("/consents/withdraw")
async def withdraw_consent(
    request: Request, principal: Authenticated, contact_id: UUID, body: WithdrawalBody
) -> ContactAnswer:
    """Ends consent at once: what waits for that channel is not sent any more. The history is kept."""
    now = datetime.now(UTC)

    async def work(tx: Transaction) -> dict[str, Any]:
        await lock_contact(tx, principal, contact_id)
        await contact_book.withdraw(tx, contact_id, body.channel, body.purpose, body.source, principal.key_id, now)
        return await as_saved(tx, contact_id)

    return ContactAnswer(**await request.app.state.runtime.ledger.transact(work))


@router.get("/export")
async def export_contact(request: Request, principal: Authenticated, contact_id: UUID) -> ExportAnswer:
    """All that is kept about the person, to be handed to it on request. Secrets of webhooks and push are left out."""
    now = datetime.now(UTC)
    async with request.app.state.runtime.pool.acquire() as conn, conn.transaction(isolation="repeatable_read"):
        contact = must_see(principal, await contacts.get_contact(conn, contact_id))
        household_id = contact.household_id
        agreed = await consents.list_agreed(conn, [contact_id])
        return ExportAnswer(
            exported_at=now,
            contact=ContactAnswer(**shown(contact, agreed.get(contact_id, ()))),
            consents=[ConsentAnswer.model_validate(one) for one in await consents.list_consents(conn, contact_id)],
            notices=[ToldAnswer.model_validate(one) for one in await persons.list_told(conn, contact_id)],
            replies=[
                RepliedAnswer.model_validate(one)
                for one in (await persons.list_replied(conn, household_id) if household_id else ())
            ],
            words=[WordsAnswer.model_validate(one) for one in await words.list_of_contact(conn, contact_id)],
        )
