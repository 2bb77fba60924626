"""The truck departs, the day is settled; what each household is owed, and corrections of it."""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from services.allocation import exports
from services.allocation.domain.settlement import adjust, month_totals
from services.allocation.http.context import Body, Code, Commanding, Here, Reason, TheDay
from services.allocation.store.arrivals import list_bringing
from services.allocation.store.members import get_household, is_cooperative
from services.allocation.store.offers import count_unassigned
from services.allocation.store.settlements import BookedEntry, get_correction, list_booked, list_settled_days
from services.chassis.access import Authenticated
from services.chassis.ledger import Transaction
from services.chassis.problems import conflict, invalid, not_found, refusals
from services.contracts.allocation import SettlementCorrected, TruckDeparted
from services.contracts.base import Event

router = APIRouter(tags=["settlement"])
_DAY = "/cooperatives/{cooperative_id}/days/{delivery_day}"

Month = Annotated[str, Query(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2026-11"])]
Vnd = Annotated[int, Field(description="VND")]


class EntryAnswer(BaseModel):
    """One entry. Without a reason it is the settlement of the day itself; net = gross - fee + adjustment."""

    household_code: str
    delivery_day: date
    gross_vnd: Vnd
    fee_vnd: Vnd
    adjustment_vnd: Vnd
    net_vnd: Vnd
    reason: str | None
    made_at: datetime

    @classmethod
    def of(cls, one: BookedEntry) -> "EntryAnswer":
        """As booked."""
        entry = one.entry
        return cls(
            household_code=one.household_code,
            delivery_day=entry.delivery_day,
            gross_vnd=entry.gross_vnd,
            fee_vnd=entry.fee_vnd,
            adjustment_vnd=entry.adjustment_vnd,
            net_vnd=entry.net_vnd,
            reason=entry.reason,
            made_at=one.made_at,
        )


class SettlementAnswer(BaseModel):
    """The entries of a delivery day."""

    entries: list[EntryAnswer]
    net_vnd: Vnd


class TotalAnswer(BaseModel):
    """What a household has of a month so far."""

    household_code: str
    gross_vnd: Vnd
    fee_vnd: Vnd
    adjustment_vnd: Vnd
    net_vnd: Vnd


class MonthAnswer(BaseModel):
    """A month to date by household, and the entries of which it is the sum."""

    month: str
    totals: list[TotalAnswer]
    net_vnd: Vnd
    entries: list[EntryAnswer]


class CorrectionBody(Body):
    """An amount that is added to what a household has of a settled day, or taken from it."""

    correction_id: Annotated[UUID, Field(description="Yours to choose: the same again is booked once.")]
    household_code: Code
    amount_vnd: Annotated[int, Field(strict=True, ge=-1_000_000_000, le=1_000_000_000)]
    reason: Reason


@router.post(f"{_DAY}/departure", summary="The truck has left: close the day and settle it", responses=refusals(409))
async def depart(day: TheDay, here: Here, commands: Commanding) -> SettlementAnswer:
    """What has not arrived is taken from the orders, and each household gets its entry. Doing it again does nothing."""

    async def decide(tx: Transaction) -> Sequence[tuple[UUID, Event]]:
        if waiting := await count_unassigned(tx.conn, day):
            raise conflict(f"{waiting} offers of {day[1]} are not shared out yet: the truck leaves after the cut-off.")
        bringing = await list_bringing(tx.conn, day)
        if not bringing:
            raise conflict(f"Nothing is shared out for {day[1]}, so there is nothing to settle.")
        return [] if all(one.settled for one in bringing) else [(day[0], TruckDeparted(delivery_day=day[1]))]

    await commands.execute([day[0]], decide)
    return await show_day(day, here)


@router.get(f"{_DAY}/settlement", summary="What each household is owed for a day")
async def show_day(day: TheDay, here: Here) -> SettlementAnswer:
    """None before the truck has left."""
    booked = await list_booked(here.pool, day[0], day[1], day[1])
    return SettlementAnswer(
        entries=[EntryAnswer.of(one) for one in booked], net_vnd=sum(one.entry.net_vnd for one in booked)
    )


@router.post(f"{_DAY}/corrections", summary="Correct a settled day", responses=refusals(409))
async def correct(body: CorrectionBody, day: TheDay, here: Here, commands: Commanding) -> SettlementAnswer:
    """A new entry; those that are there stay as they are."""

    async def decide(tx: Transaction) -> Sequence[tuple[UUID, Event]]:
        household_id = await get_household(tx.conn, day[0], body.household_code)
        if household_id is None:
            raise invalid([("household_code", f"{body.household_code} is no household of this cooperative")])
        try:
            settled = await list_settled_days(tx.conn, day[0], [day[1]])
            entry = adjust(settled, household_id, day[1], body.amount_vnd, body.reason)
        except ValueError as error:
            raise conflict(f"{error}.") from None
        booked = await get_correction(tx.conn, day[0], body.correction_id)
        if booked is not None and booked != entry:
            raise conflict("Another correction is booked under this correction_id; give this one its own.")
        if booked is not None:
            return []
        event = SettlementCorrected(
            correction_id=body.correction_id,
            household_id=household_id,
            delivery_day=day[1],
            amount_vnd=body.amount_vnd,
            reason=body.reason,
        )
        return [(day[0], event)]

    await commands.execute([day[0]], decide)
    return await show_day(day, here)


@router.get(
    "/cooperatives/{cooperative_id}/settlements",
    summary="A month to date by household",
    response_model=MonthAnswer,
    responses={200: {"content": {exports.CSV_TYPE: {}, exports.XLSX_TYPE: {}}}},
)
async def show_month(
    cooperative_id: UUID,
    month: Month,
    principal: Authenticated,
    here: Here,
    format: Annotated[Literal["json", "csv", "xlsx"], Query()] = "json",
) -> MonthAnswer | Response:
    """Also as a file: every entry of the month, as CSV or as a workbook."""
    principal.may_act_for(cooperative_id)
    if not await is_cooperative(here.pool, cooperative_id):
        raise not_found("cooperative")
    year, number = int(month[:4]), int(month[5:])
    booked = await list_booked(
        here.pool, cooperative_id, date(year, number, 1), date(year, number, monthrange(year, number)[1])
    )
    if format != "json":
        content, kind = (
            (exports.to_csv(booked), exports.CSV_TYPE)
            if format == "csv"
            else (exports.to_xlsx(booked), exports.XLSX_TYPE)
        )
        name = {"Content-Disposition": f'attachment; filename="settlement-{month}.{format}"'}
        return Response(content, media_type=kind, headers=name)
    codes = {one.entry.household_id: one.household_code for one in booked}
    totals = month_totals((one.entry for one in booked), year, number)
    answers = [
        TotalAnswer(
            household_code=codes[total.household_id],
            gross_vnd=total.gross_vnd,
            fee_vnd=total.fee_vnd,
            adjustment_vnd=total.adjustment_vnd,
            net_vnd=total.net_vnd,
        )
        for total in totals
    ]
    return MonthAnswer(
        month=month,
        totals=sorted(answers, key=lambda total: total.household_code),
        net_vnd=sum(total.net_vnd for total in totals),
        entries=[EntryAnswer.of(one) for one in booked],
    )
