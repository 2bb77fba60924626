"""What a shortfall does to the books of closed offers: who loses how much, place by place.

`shortfall` shares among lines. A line may hold several places in the queue; the newest loses first, as when supply
falls. What is shorted stays so: a closed offer serves nobody, so nothing of it can be sold again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from services.allocation.domain.books import Decision, Line, LineShortage, OfferBook, Reason, Shorted
from services.allocation.domain.shortfall import NetPromise, SharingRule, share_shortfall


class Coming(Struct, frozen=True):
    """What of a closed offer is coming after all, in steps; and how its lines share what is not."""

    offer_id: UUID
    available_steps: int
    rule: SharingRule


def shorten(coming: Iterable[Coming], books: Mapping[UUID, OfferBook], lines: Iterable[Line]) -> Decision:
    """Cut the net promises of each offer to what is coming; an offer of which enough is coming stays as it is.

    `lines` are at least all places of these offers that have a net promise. Of each order there is one effect at most,
    with all the lines that lost. Raises ValueError for an offer that is open, or whose places do not add up.
    """
    places: defaultdict[UUID, defaultdict[tuple[UUID, int], list[Line]]] = defaultdict(lambda: defaultdict(list))
    for line in sorted(lines, key=lambda line: line.position):
        if line.net_steps:
            places[line.offer_id][line.order_id, line.line_no].append(line)
    found_books: list[OfferBook] = []
    found_lines: list[Line] = []
    losses: defaultdict[UUID, list[LineShortage]] = defaultdict(list)
    for one in coming:
        book, own = books[one.offer_id], places[one.offer_id]
        _check(book, own)
        promises = [_promise(own_places) for own_places in own.values()]
        lost_steps = 0
        for cut in share_shortfall(one.offer_id, one.available_steps, promises, one.rule).cuts:
            before, after = cut.before_net_steps, cut.after_net_steps
            why = Reason.BELOW_MINIMUM if cut.below_minimum else Reason.NOT_DELIVERED
            losses[cut.order_id].append(LineShortage(cut.line_no, one.offer_id, before, after, why))
            found_lines += _take_back(own[cut.order_id, cut.line_no], before - after, why)
            lost_steps += before - after
        if lost_steps:
            found_books.append(replace(book, promised_net_steps=book.promised_net_steps - lost_steps))
    effects = tuple(Shorted(order_id, tuple(own)) for order_id, own in losses.items())
    return Decision(tuple(found_books), tuple(found_lines), effects)


def _check(book: OfferBook, places: Mapping[tuple[UUID, int], Sequence[Line]]) -> None:
    if book.open:
        raise ValueError(f"offer {book.offer_id}: its intake is open, so nothing of it can be missing yet")
    net_steps = sum(line.net_steps for own in places.values() for line in own)
    if net_steps != book.promised_net_steps:
        raise ValueError(
            f"offer {book.offer_id}: {book.promised_net_steps} steps promised, but its lines hold {net_steps}"
        )


def _promise(places: Sequence[Line]) -> NetPromise:
    """A line is of the first tier that any of its places is of."""
    first = places[0]
    return NetPromise(
        first.order_id,
        first.line_no,
        min(place.tier for place in places),
        sum(place.net_steps for place in places),
        first.minimum_steps,
    )


def _take_back(places: Sequence[Line], steps: int, why: Reason) -> Iterable[Line]:
    for place in reversed(places):
        taken_steps = min(place.net_steps, steps)
        if taken_steps:
            steps -= taken_steps
            yield replace(place, shorted_steps=place.shorted_steps + taken_steps, reason=why)
