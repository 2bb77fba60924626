"""What becomes of a delivery day's baskets when the households answer, and when they do not.

The one idea: a round. While it is open, households only say what they will bring, and may correct it; nothing moves,
so the order in which they speak does not matter. It closes when everybody who was asked has answered, or when the
deadline passes. Then what was freed is shared among those that have room, and whoever is raised by it is asked again,
in the next round. Nobody's quantity goes down but by its own word or silence.

What nobody has room for, and what is freed in the last round, is missing. It stays so: what a household could not
bring it is not asked for again, so room never grows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from services.allocation.domain.asked import (
    Answer,
    AskedBasket,
    AskedDay,
    AskedItem,
    AskedOffer,
    Changed,
    Confirmed,
    Effect,
    Missed,
    Outcome,
    Raise,
    Reply,
    Silence,
    Verdict,
)
from services.allocation.domain.freed import freed_steps, share_freed


def ask(day: AskedDay, offers: Iterable[AskedOffer], items: Mapping[UUID, Sequence[AskedItem]]) -> AskedDay:
    """Ask the households for their parts in offers that were just shared out: on a new day, or in addition.

    `items` holds all who pledged, with those of whom nothing is asked. A household of whom more is asked gets a new
    version and is asked for its whole basket in the open round, or in a new one; what it had answered in the open
    round counts first. The rounds are counted anew. Raises ValueError for an offer
    that comes twice, an item of another offer, or items that do not add up to the net promise without what is missing.
    """
    fresh = list(offers)
    _check_sums(day, fresh, items)
    round_no = day.round_no if day.open else day.round_no + 1
    baskets = {basket.household_id: basket for basket in day.baskets}
    for household_id, added in items.items():
        baskets[household_id] = _with_added(baskets.get(household_id), household_id, added, round_no, day)
    by_code = sorted((*day.offers, *fresh), key=lambda offer: (offer.product_code, offer.offer_id.int))
    grown = replace(
        day, offers=tuple(by_code), baskets=tuple(sorted(baskets.values(), key=lambda basket: basket.household_id.int))
    )
    if not any(item.quantity_steps for added in items.values() for item in added):
        return grown
    return replace(grown, open=True, round_no=round_no, last_round_no=round_no + day.policy.rounds - 1)


def answer(
    day: AskedDay,
    replies: Iterable[Reply],
    weights: Mapping[UUID, int],
    memory_vnd: Mapping[UUID, int],
    load_grams: Mapping[UUID, int] = {},
) -> Outcome:
    """Apply the replies one after the other; the last one that a round waits for closes it.

    A reply takes the place of an earlier one to the same version. A household absent from `memory_vnd` (the past
    days) stands at 0; one absent from `load_grams` can carry as much as it likes. Raises ValueError for a household
    that could bring more but has no weight.
    """
    round_ = _Round(day, weights, memory_vnd, load_grams)
    verdicts = tuple(round_.take(reply) for reply in replies)
    return Outcome(round_.day(), verdicts, tuple(round_.effects))


def close_round(
    day: AskedDay,
    round_no: int,
    weights: Mapping[UUID, int],
    memory_vnd: Mapping[UUID, int],
    load_grams: Mapping[UUID, int] = {},
) -> Outcome:
    """The deadline of a round has passed: silence counts now. Another round than the open one changes nothing.

    Raises ValueError as `answer` does.
    """
    round_ = _Round(day, weights, memory_vnd, load_grams)
    if day.open and round_no == day.round_no:
        round_.close()
    return Outcome(round_.day(), (), tuple(round_.effects))


class _Round:
    """A day while replies are applied. Its offers and baskets keep their order."""

    __slots__ = ("_loaded", "_standings", "baskets", "effects", "offers", "open", "round_no", "unanswered")

    def __init__(
        self,
        day: AskedDay,
        weights: Mapping[UUID, int],
        memory_vnd: Mapping[UUID, int],
        load_grams: Mapping[UUID, int],
    ) -> None:
        self._loaded = day
        self._standings = weights, memory_vnd, load_grams
        self.round_no, self.open = day.round_no, day.open
        self.offers = day.offers
        self.baskets = {basket.household_id: basket for basket in day.baskets}
        self.unanswered = sum(self._is_asked(basket) and basket.answer is None for basket in day.baskets)
        self.effects: list[Effect] = []

    def day(self) -> AskedDay:
        return replace(
            self._loaded,
            round_no=self.round_no,
            open=self.open,
            offers=self.offers,
            baskets=tuple(self.baskets.values()),
        )

    def _is_asked(self, basket: AskedBasket) -> bool:
        return self.open and basket.round_no == self.round_no

    def take(self, reply: Reply) -> Verdict:
        basket = self.baskets.get(reply.household_id)
        if basket is None:
            return Verdict.NOT_ASKED
        if reply.version != basket.version:
            return Verdict.OTHER_VERSION
        if not basket.asks_for_anything:
            return Verdict.NOT_ASKED
        if not self._is_asked(basket):
            return Verdict.ROUND_CLOSED
        asked_steps = {item.offer_id: item.quantity_steps for item in basket.items}
        if any(steps > asked_steps.get(offer_id, 0) for offer_id, steps in reply.less_steps):
            return Verdict.MORE_THAN_ASKED

        answered = self.baskets[reply.household_id] = _answered(basket, reply)
        if answered.answer is Answer.CONFIRM and basket.answer is not Answer.CONFIRM:
            self.effects.append(Confirmed(basket.household_id, basket.version))
        self.unanswered -= basket.answer is None
        if not self.unanswered:
            self.close()
        return Verdict.ACCEPTED

    def close(self) -> None:
        told = self.baskets
        silence = self._loaded.policy.silence
        settled = {h: _settled(basket, silence) if self._is_asked(basket) else basket for h, basket in told.items()}
        raised: Mapping[UUID, Sequence[Raise]] = {}
        if self.round_no < self._loaded.last_round_no:
            raised = share_freed(self.offers, settled.values(), self.round_no, *self._standings)
        self.baskets = {h: self._next(told[h], basket, raised.get(h, ())) for h, basket in settled.items()}
        self._count_missing()
        self.open, self.unanswered = bool(raised), len(raised)
        self.round_no += self.open

    def _next(self, told: AskedBasket, settled: AskedBasket, raised: Sequence[Raise]) -> AskedBasket:
        """The basket after the round, with a new version if its quantities are others than it told."""
        basket = settled
        if raised:
            items = _raised(settled.items, raised)
            basket = replace(settled, items=items, round_no=self.round_no + 1, answer=None, reason=None)
        if any(a.quantity_steps != b.quantity_steps for a, b in zip(told.items, basket.items, strict=True)):
            basket = replace(basket, version=told.version + 1)
            self.effects.append(Changed(basket, tuple(raised)))
        # A basket that was confirmed as asked has been announced when the reply came.
        if self._is_asked(told) and not raised and told.answer is not Answer.CONFIRM and basket.asks_for_anything:
            silent = told.answer is None and self._loaded.policy.silence is Silence.YES
            self.effects.append(Confirmed(basket.household_id, basket.version, silent))
        return basket

    def _count_missing(self) -> None:
        more = freed_steps(self.offers, self.baskets.values())
        self.offers = tuple(
            replace(offer, missing_steps=offer.missing_steps + more[offer.offer_id]) for offer in self.offers
        )
        self.effects.extend(Missed(offer_id, steps) for offer_id, steps in more.items() if steps)


def _answered(basket: AskedBasket, reply: Reply) -> AskedBasket:
    said_steps = dict(reply.less_steps)
    if reply.answer is Answer.CANNOT:
        said_steps = {item.offer_id: 0 for item in basket.items}
    items = tuple(
        replace(item, confirmed_steps=said_steps.get(item.offer_id, item.quantity_steps)) for item in basket.items
    )
    lowers = any(item.confirmed_steps < item.quantity_steps for item in items)
    return replace(basket, items=items, answer=reply.answer if lowers else Answer.CONFIRM, reason=reply.reason)


def _settled(basket: AskedBasket, silence: Silence) -> AskedBasket:
    """The basket with its question closed: what it asks for is what is confirmed.

    A household that cannot bring anything, or whose silence counts against it, is not asked for more of anything.
    """
    items = basket.items
    match basket.answer:
        case None if silence is Silence.YES:
            items = tuple(replace(item, confirmed_steps=item.quantity_steps) for item in items)
        case None | Answer.CANNOT:
            items = tuple(_no_more(item) for item in items)
        case Answer.LESS:
            items = tuple(_no_more(x) if x.confirmed_steps < x.quantity_steps else x for x in items)
    return replace(basket, items=items)


def _no_more(item: AskedItem) -> AskedItem:
    return AskedItem(item.offer_id, item.confirmed_steps, item.confirmed_steps, item.confirmed_steps)


def _raised(items: Iterable[AskedItem], raised: Iterable[Raise]) -> tuple[AskedItem, ...]:
    more_steps = {more.offer_id: more.more_steps for more in raised}
    return tuple(replace(x, quantity_steps=x.quantity_steps + more_steps.get(x.offer_id, 0)) for x in items)


def _with_added(
    before: AskedBasket | None, household_id: UUID, added: Sequence[AskedItem], round_no: int, day: AskedDay
) -> AskedBasket:
    is_asked = any(item.quantity_steps for item in added)
    if before is None:
        return AskedBasket(household_id, 1, round_no if is_asked else 0, _in_order(added))
    if not is_asked:
        return replace(before, items=_in_order((*before.items, *added)))
    if before.round_no == round_no and before.answer is not None:
        before = _settled(before, day.policy.silence)
    return AskedBasket(household_id, before.version + 1, round_no, _in_order((*before.items, *added)))


def _in_order(items: Iterable[AskedItem]) -> tuple[AskedItem, ...]:
    return tuple(sorted(items, key=lambda item: item.offer_id.int))


def _check_sums(day: AskedDay, fresh: Sequence[AskedOffer], items: Mapping[UUID, Sequence[AskedItem]]) -> None:
    offer_ids = [offer.offer_id for offer in (*day.offers, *fresh)]
    if len(set(offer_ids)) < len(offer_ids):
        raise ValueError("an offer comes twice in one day")
    left_steps = {offer.offer_id: offer.promised_net_steps - offer.missing_steps for offer in fresh}
    for household_id, added in items.items():
        own = {item.offer_id for item in added}
        if len(own) < len(added) or not own <= left_steps.keys():
            raise ValueError(f"household {household_id}: an item comes twice, or of an offer that is not asked now")
        for item in added:
            left_steps[item.offer_id] -= item.quantity_steps
    for offer in fresh:
        if left := left_steps[offer.offer_id]:
            asked = offer.promised_net_steps - offer.missing_steps - left
            raise ValueError(
                f"offer {offer.offer_id}: {offer.promised_net_steps} steps promised, {offer.missing_steps} missing, "
                f"{asked} asked"
            )
