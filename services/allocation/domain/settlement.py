"""What the cooperative owes each household for a delivery day, to the đồng.

The books are a list of entries to which one only adds: a settled day is never edited. Every entry is the sum of three
amounts, and a correction is the difference to what is booked already; so what a household has of a day or of a
month is the sum of its entries, and it can be told how it came about.

The fee is taken of the whole day and then split, so rounding neither gains nor loses anything: the households'
nets add up to the gross minus the fee. When one household's goods are counted anew, the fee of another may therefore
change by a đồng.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from uuid import UUID

from msgspec import Struct


class Accepted(Struct, frozen=True):
    """What was accepted of one product from one household. Raises ValueError below 0, or for a step worth nothing."""

    household_id: UUID
    accepted_steps: int
    step_value_vnd: int

    def __post_init__(self) -> None:
        if self.accepted_steps < 0:
            raise ValueError(
                f"household {self.household_id}: accepted_steps is {self.accepted_steps}, must be 0 or more"
            )
        if self.step_value_vnd < 1:
            raise ValueError(
                f"household {self.household_id}: step_value_vnd is {self.step_value_vnd}, must be 1 or more"
            )


class Entry(Struct, frozen=True):
    """One line of a household's account, in VND; it counts for the delivery day, whenever it is made.

    Without a reason it is the settlement of the day itself. A correction says why it was made, and its amounts may
    be below 0: of `gross_vnd` and `fee_vnd` when goods were counted anew, of `adjustment_vnd` when staff add
    or take an amount.
    """

    household_id: UUID
    delivery_day: date
    gross_vnd: int
    fee_vnd: int
    adjustment_vnd: int = 0
    reason: str | None = None

    @property
    def net_vnd(self) -> int:
        """What the household gets by this entry."""
        return self.gross_vnd - self.fee_vnd + self.adjustment_vnd


class MonthTotal(Struct, frozen=True):
    """The sum of one household's entries of a month, in VND."""

    household_id: UUID
    gross_vnd: int
    fee_vnd: int
    adjustment_vnd: int

    @property
    def net_vnd(self) -> int:
        """What the household gets for the month."""
        return self.gross_vnd - self.fee_vnd + self.adjustment_vnd


def settle_day(delivery_day: date, accepted: Iterable[Accepted], fee_permille: int) -> tuple[Entry, ...]:
    """Settle a day: one entry per household named, by household id; 0 VND where nothing was accepted.

    The fee is so many thousandths of the day's gross, rounded half up to whole VND; nobody's part is above its
    gross. Raises ValueError for a fee outside 0 to 1000.
    """
    if not 0 <= fee_permille <= 1000:
        raise ValueError(f"fee_permille is {fee_permille}, must be 0 to 1000")
    gross_vnd: defaultdict[UUID, int] = defaultdict(int)
    for goods in accepted:
        gross_vnd[goods.household_id] += goods.accepted_steps * goods.step_value_vnd
    fees_vnd = _fees(gross_vnd, fee_permille)
    return tuple(
        Entry(household, delivery_day, gross_vnd[household], fee_vnd) for household, fee_vnd in fees_vnd.items()
    )


def recount_day(
    delivery_day: date, accepted: Iterable[Accepted], fee_permille: int, booked: Iterable[Entry], reason: str
) -> tuple[Entry, ...]:
    """The corrections that bring a settled day to what was accepted after all; only of households that differ.

    `accepted` is the whole day as it is known now, `fee_permille` that of its settlement, and `booked` all entries of
    the day. Adjustments by staff stand. Made again after its corrections are booked, it has none. Raises
    ValueError without a reason, for an entry of another day, and as `settle_day` does.
    """
    _check_reason(reason)
    gross_vnd: defaultdict[UUID, int] = defaultdict(int)
    fee_vnd: defaultdict[UUID, int] = defaultdict(int)
    for entry in booked:
        if entry.delivery_day != delivery_day:
            raise ValueError(f"{delivery_day} is counted anew, but an entry of {entry.delivery_day} is given as booked")
        gross_vnd[entry.household_id] -= entry.gross_vnd
        fee_vnd[entry.household_id] -= entry.fee_vnd
    for entry in settle_day(delivery_day, accepted, fee_permille):
        gross_vnd[entry.household_id] += entry.gross_vnd
        fee_vnd[entry.household_id] += entry.fee_vnd
    return tuple(
        Entry(household, delivery_day, gross_vnd[household], fee_vnd[household], reason=reason)
        for household in sorted(gross_vnd, key=_by_id)
        if gross_vnd[household] or fee_vnd[household]
    )


def adjust(
    settled_days: Collection[date], household_id: UUID, delivery_day: date, amount_vnd: int, reason: str
) -> Entry:
    """An amount that staff add to (or, below 0, take from) what a household has of a settled day.

    Raises ValueError for an amount of 0, without a reason, or for a day that is not settled.
    """
    if not amount_vnd:
        raise ValueError("amount_vnd is 0, so nothing would be corrected")
    _check_reason(reason)
    if delivery_day not in settled_days:
        raise ValueError(f"{delivery_day} is not settled, so there is nothing to correct")
    return Entry(household_id, delivery_day, 0, 0, amount_vnd, reason)


def month_totals(entries: Iterable[Entry], year: int, month: int) -> tuple[MonthTotal, ...]:
    """Sum up the entries of the month's delivery days per household, by household id; other months do not count."""
    sums: defaultdict[UUID, list[int]] = defaultdict(lambda: [0, 0, 0])
    for entry in entries:
        if (entry.delivery_day.year, entry.delivery_day.month) == (year, month):
            own = sums[entry.household_id]
            own[0] += entry.gross_vnd
            own[1] += entry.fee_vnd
            own[2] += entry.adjustment_vnd
    return tuple(MonthTotal(household, *sums[household]) for household in sorted(sums, key=_by_id))


def _fees(gross_vnd: Mapping[UUID, int], fee_permille: int) -> dict[UUID, int]:
    """Split the day's fee in proportion to the gross by largest remainder (Hamilton; ties by household id).

    The whole fee is not above the whole gross, so no part is above its own, even rounded up.
    """
    total_vnd = sum(gross_vnd.values())
    total_fee_vnd = (total_vnd * fee_permille + 500) // 1000
    households = sorted(gross_vnd, key=_by_id)
    if not total_vnd:
        return dict.fromkeys(households, 0)
    fees_vnd = {household: total_fee_vnd * gross_vnd[household] // total_vnd for household in households}
    by_remainder = sorted(households, key=lambda household: -(total_fee_vnd * gross_vnd[household] % total_vnd))
    for household in by_remainder[: total_fee_vnd - sum(fees_vnd.values())]:
        fees_vnd[household] += 1
    return fees_vnd


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise ValueError("reason is empty: a correction says why it was made")


def _by_id(household_id: UUID) -> int:
    return household_id.int
