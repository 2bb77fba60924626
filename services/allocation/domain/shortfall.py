"""Who bears a shortfall: what is promised but not coming, shared among the order lines of one offer.

Tiers are served in order, each of them whole as long as it fits; the first that does not fit is shared by the stated
rule, and later ones get nothing. It is shared among lines and not among places in the queue, so raising an order in
small bits gains nothing.

Minimum useful fill: half a crate may be of no use to a kitchen. A line's part is measured against its minimum before
the odd steps of rounding are dealt, so no lot decides whether an order is of use. Lines are taken in one after the
other, the least demanding first, as long as all that are taken in reach their minimum; one that would not is
passed over and gets nothing. That is the same as dropping again and again the line whose part is smallest in relation
to its minimum, and then letting in whoever still fits; but it costs no more than sorting. It is fair in that a
line is passed over only on account of lines that demand no more than it does, and under the equal rule stating a
higher minimum never gains a step. No line that was passed over could still be taken in, so what is left over is of no
use to any line of its tier: it stays with the cooperative.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum
from hashlib import sha256
from itertools import groupby, pairwise
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct

_Name: TypeAlias = tuple[int, int]  # of a line in its offer: order_id as a number, line_no; in the order of lines


class SharingRule(StrEnum):
    """How the first tier that does not fit is shared."""

    EQUAL = "equal"  # capped equal share in whole steps: the rule of `sharing`, without weights and memory
    PRO_RATA = "pro_rata"  # in proportion to the net promises


class NetPromise(Struct, frozen=True):
    """What one order line has been promised of the offer and still counts on, all its places taken together.

    Tier 1 is served first. Less than `minimum_steps` is of no use to the customer, unless it is the whole net
    promise. Raises ValueError for a tier or minimum below 1, or a net promise below 0.
    """

    order_id: UUID
    line_no: int
    tier: int
    net_steps: int
    minimum_steps: int = 1

    def __post_init__(self) -> None:
        if self.tier < 1:
            raise ValueError(f"{_called(self)}: tier is {self.tier}, must be 1 or more")
        if self.net_steps < 0:
            raise ValueError(f"{_called(self)}: net_steps is {self.net_steps}, must be 0 or more")
        if self.minimum_steps < 1:
            raise ValueError(f"{_called(self)}: minimum_steps is {self.minimum_steps}, must be 1 or more")

    @property
    def least_steps(self) -> int:
        """The least that is of use: the minimum, or the whole net promise where that is less."""
        return min(self.minimum_steps, self.net_steps)


class NetCut(Struct, frozen=True):
    """A line that gets less than its net promise; `below_minimum`: nothing, as its part would be of no use to it."""

    order_id: UUID
    line_no: int
    before_net_steps: int
    after_net_steps: int
    below_minimum: bool = False


class Shortfall(Struct, frozen=True):
    """The lines that lose, by order and line number; and what is left of the quantity for the cooperative.

    Available = the net promises after + `left_steps`: a surplus over all promises, or what minimums leave unused.
    """

    cuts: tuple[NetCut, ...]
    left_steps: int


def share_shortfall(offer_id: UUID, available_steps: int, lines: Iterable[NetPromise], rule: SharingRule) -> Shortfall:
    """Share what is really there among all lines of one offer that have a net promise.

    The same on every machine, whatever the order of the lines. Under the equal rule and without minimums, more
    available never gives any line less. O(n log n). Raises ValueError for a negative quantity, or a line that comes
    twice.
    """
    ordered = _checked(available_steps, lines)
    left_steps = available_steps
    for _, group in groupby(ordered, key=lambda line: line.tier):
        tier = list(group)
        tier_steps = sum(line.net_steps for line in tier)
        if tier_steps > left_steps:
            break
        left_steps -= tier_steps
    else:
        return Shortfall((), left_steps)

    shares = _equal(left_steps, tier, offer_id) if rule is SharingRule.EQUAL else _pro_rata(left_steps, tier)
    passed_over = {_name(line) for line in tier if left_steps and line.least_steps > 1} - shares.keys()
    after = ((line, shares.get(_name(line), 0)) for line in ordered if line.tier >= tier[0].tier)
    cuts = [
        NetCut(line.order_id, line.line_no, line.net_steps, steps, _name(line) in passed_over)
        for line, steps in after
        if steps < line.net_steps
    ]
    cuts.sort(key=_name)
    return Shortfall(tuple(cuts), left_steps - sum(shares.values()))


# -- Equal ---------------------------------------------------------------------------------------------------


def _equal(steps: int, lines: Iterable[NetPromise], offer_id: UUID) -> dict[_Name, int]:
    """Capped equal share: every line is filled to one level or to its net promise; odd steps by lot.

    At a level, a line demands what its least is. So those taken in are the first of them in this order, and as both
    the demand and what it takes to lift all of them to it rise along the order, a bisection finds how many.
    """
    drawn = sorted((line.least_steps, _lot(offer_id, line), _name(line), line.net_steps) for line in lines)
    leasts, caps = [row[0] for row in drawn], [row[3] for row in drawn]

    def needed_steps(count: int) -> int:
        level = leasts[count - 1]
        return sum(min(cap, level) for cap in caps[:count])

    count = bisect_right(range(1, len(drawn) + 1), steps, key=needed_steps)
    level = _level(steps, caps[:count])
    shares = {name: min(cap, level) for _, _, name, cap in drawn[:count]}
    by_lot = sorted((lot, name) for _, lot, name, cap in drawn[:count] if cap > level)
    for _, name in by_lot[: steps - sum(shares.values())]:
        shares[name] += 1
    return shares


def _level(steps: int, caps: Sequence[int]) -> int:
    """The greatest level to which the steps fill the caps, or the greatest cap if they fill all of them."""
    left_steps, rising = steps, sorted(caps)
    for full, cap in enumerate(rising):
        not_full = len(rising) - full
        if cap * not_full > left_steps:
            return left_steps // not_full
        left_steps -= cap
    return rising[-1] if rising else 0


def _lot(offer_id: UUID, line: NetPromise) -> bytes:
    """The lowest wins. Offers differ, so no order always wins; the same on every machine."""
    return sha256(b"shortfall.v1" + offer_id.bytes + line.order_id.bytes + b"%d" % line.line_no).digest()


# -- Pro rata ------------------------------------------------------------------------------------------------


def _pro_rata(steps: int, lines: Iterable[NetPromise]) -> dict[_Name, int]:
    """In proportion to the net promises by largest remainder (Hamilton); ties by order and line number.

    More than the whole is nobody's part, so a part rounded up is within the net promise.
    """
    taken = sorted(_taken_in(steps, [line for line in lines if line.net_steps]), key=_name)
    taken_steps = sum(line.net_steps for line in taken)
    given_steps = min(steps, taken_steps)
    shares = {_name(line): given_steps * line.net_steps // taken_steps for line in taken}
    by_remainder = sorted(taken, key=lambda line: -(given_steps * line.net_steps % taken_steps))
    for line in by_remainder[: given_steps - sum(shares.values())]:
        shares[_name(line)] += 1
    return shares


def _taken_in(steps: int, lines: Sequence[NetPromise]) -> list[NetPromise]:
    """The lines whose exact part of the steps reaches their least; where 1 is enough, rounding alone decides.

    A line demands least / net of its promise. On a grid finer than any difference of two such fractions whole
    numbers compare them exactly.
    """
    grid = max((line.net_steps for line in lines), default=0) ** 2

    def demand(line: NetPromise) -> tuple[int, _Name]:
        return line.least_steps * grid // line.net_steps if line.least_steps > 1 else 0, _name(line)

    taken, taken_steps = [], 0
    for line in sorted(lines, key=demand):
        with_it_steps = taken_steps + line.net_steps
        if line.least_steps == 1 or steps * line.net_steps >= line.least_steps * with_it_steps:
            taken.append(line)
            taken_steps = with_it_steps
    return taken


# -- Lines ---------------------------------------------------------------------------------------------------


def _checked(available_steps: int, lines: Iterable[NetPromise]) -> list[NetPromise]:
    """The lines by tier, and within a tier by name."""
    if available_steps < 0:
        raise ValueError(f"available_steps is {available_steps}, must be 0 or more")
    named = sorted(lines, key=_name)
    for before, after in pairwise(named):
        if _name(before) == _name(after):
            raise ValueError(f"{_called(after)} comes twice")
    return sorted(named, key=lambda line: line.tier)


def _name(line: NetPromise | NetCut) -> _Name:
    return line.order_id.int, line.line_no


def _called(line: NetPromise) -> str:
    return f"line {line.line_no} of order {line.order_id}"
