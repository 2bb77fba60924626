"""Standing offers: what repeats daily, and which offers are due for it.

The one idea: a standing offer is kept in local time, so each delivery day gets its cut-off and arrive-by from
the zone's own rules for that day. What is due depends on `now` and on what was published, on nothing else.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.catalog.domain.checks import check_price, resolve_collection_point, resolve_pledges
from services.catalog.domain.values import (
    Books,
    Fault,
    Faulty,
    OfferTerms,
    PledgeDraft,
    Product,
    StandingOffer,
)

MOST_DAYS_BEFORE = 7
"""The most days that the cut-off of a standing offer lies before its delivery day."""


@dataclass(frozen=True, slots=True)
class StandingDraft:
    """A standing offer as staff write it; without a collection point the cooperative's only one is meant."""

    price_vnd: int
    cut_off_time: time
    cut_off_days_before: int
    arrive_by_time: time
    collection_point_id: UUID | None
    pledges: Sequence[PledgeDraft]


def plan_standing(draft: StandingDraft, product: Product, books: Books) -> StandingOffer:
    """The standing offer that staff ask for. Raises Faulty."""
    faults: list[Fault] = []
    check_price("", draft.price_vnd, product, faults)
    _check_local_times("cut_off_time", draft.cut_off_time, draft.cut_off_days_before, draft.arrive_by_time, faults)
    point = resolve_collection_point("", draft.collection_point_id, books, faults)
    pledges = resolve_pledges("", draft.pledges, product, books, faults)
    if faults or point is None:
        raise Faulty(faults)
    return StandingOffer(
        product.product_id,
        draft.price_vnd,
        draft.cut_off_time,
        draft.cut_off_days_before,
        draft.arrive_by_time,
        point,
        pledges,
    )


def repeat_daily(at: str, terms: OfferTerms, zone: ZoneInfo, faults: list[Fault]) -> StandingOffer:
    """The standing offer that repeats this offer each day, to the minute. Notes what keeps it from repeating."""
    cut_off, arrive_by = terms.cut_off_at.astimezone(zone), terms.arrive_by_at.astimezone(zone)
    days_before = (terms.delivery_day - cut_off.date()).days
    cut_off_time, arrive_by_time = (moment.time().replace(second=0, microsecond=0) for moment in (cut_off, arrive_by))
    _check_local_times(f"{at}cut_off_at", cut_off_time, days_before, arrive_by_time, faults)
    if days_before > MOST_DAYS_BEFORE:
        faults.append(
            (f"{at}cut_off_at", f"must lie at most {MOST_DAYS_BEFORE} days before an offer that repeats daily")
        )
    return StandingOffer(
        terms.product_id,
        terms.price_vnd,
        cut_off_time,
        days_before,
        arrive_by_time,
        terms.collection_point_id,
        terms.pledges,
    )


def _check_local_times(field: str, cut_off: time, days_before: int, arrive_by: time, faults: list[Fault]) -> None:
    if days_before == 0 and cut_off >= arrive_by:
        faults.append((field, f"must lie before arrive-by, {arrive_by:%H:%M} on the same day"))


def renewal_days(now: datetime, zone: ZoneInfo, days_ahead: int) -> tuple[date, date]:
    """The first and the last delivery day that any standing offer can be due for."""
    today = now.astimezone(zone).date()
    return today + timedelta(days=1), today + timedelta(days=max(days_ahead, MOST_DAYS_BEFORE + 1))


def due_offers(
    standing: Iterable[StandingOffer],
    published: Collection[tuple[UUID, date]],
    zone: ZoneInfo,
    now: datetime,
    days_ahead: int,
) -> Iterator[OfferTerms]:
    """The offers that standing offers ask for now, by local delivery day from tomorrow to `days_ahead` days ahead.

    A cut-off `n` days before delivery looks at least `n + 1` days ahead, since within `n` it would always be past.
    `published` are the (product, day) for which there was an offer, withdrawn ones too: staff who took an offer
    back do not want it again. An offer whose cut-off has passed is not due.
    """
    today = now.astimezone(zone).date()
    for offer in standing:
        for ahead in range(1, max(days_ahead, offer.cut_off_days_before + 1) + 1):
            day = today + timedelta(days=ahead)
            terms = _on(offer, day, zone)
            if (offer.product_id, day) not in published and terms is not None and terms.cut_off_at > now:
                yield terms


def _on(standing: StandingOffer, day: date, zone: ZoneInfo) -> OfferTerms | None:
    """The standing offer on one day; None on a day that the zone's clock leaves out."""
    cut_off_day = day - timedelta(days=standing.cut_off_days_before)
    cut_off_at = min(_readings(cut_off_day, standing.cut_off_time, zone))
    arrive_by_at = _readings(day, standing.arrive_by_time, zone)[0]
    if arrive_by_at.astimezone(zone).date() != day:
        return None
    return OfferTerms(
        standing.product_id,
        day,
        standing.price_vnd,
        cut_off_at,
        standing.collection_point_id,
        arrive_by_at,
        standing.pledges,
    )


def _readings(day: date, local: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Both readings of a local time (PEP 495): the same but where the clock is put back or forward.

    Put back: the first comes first. Put forward over it: the first counts from before the gap and so lies after
    it. With the lesser one as cut-off and the first as arrive-by, the order of local times holds on every day.
    """
    moment = datetime.combine(day, local, zone)
    return moment.astimezone(UTC), moment.replace(fold=1).astimezone(UTC)
