"""What is asked of the households of one delivery day, what they answer, and what comes of it: the values.

The one idea: an item keeps three numbers. `quantity_steps` is what the household was told in the current version of
its basket, `confirmed_steps` what it has said that it will bring, `most_steps` what it can be asked for at all. They
differ only while a question is open: when its round closes, the quantity is what is confirmed, or the household is
asked anew.

For each item, always: 0 <= confirmed <= quantity <= most, and most is never above the pledge. For each offer, always:
sum of `standing_steps` = promised net - missing - what is freed and waits for the round to close.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

# -- What is asked -------------------------------------------------------------------------------------------


class Silence(StrEnum):
    """What it means, by the cooperative's choice, when a household has not answered as its round closes."""

    YES = "yes"  # it brings all that it is asked for
    RE_OFFER = "re_offer"  # what it had not confirmed before is offered to others


@dataclass(frozen=True, slots=True)
class ReplyPolicy:
    """How silence counts, and how often households are asked at most: 1 means that nothing is offered again.

    Raises ValueError for fewer than 1 round.
    """

    silence: Silence
    rounds: int

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds is {self.rounds}, must be 1 or more")


class Answer(StrEnum):
    """How a household answers its whole basket."""

    CONFIRM = "confirm"  # all as asked
    LESS = "less"
    CANNOT = "cannot"  # nothing of anything


@dataclass(frozen=True, slots=True)
class AskedOffer:
    """One offer that was shared out: what was promised of it, and how much of that nobody will bring.

    `step_grams` is the weight of a step; None: not known, and does not count.
    """

    offer_id: UUID
    product_code: str
    step_value_vnd: int
    promised_net_steps: int
    missing_steps: int = 0
    step_grams: int | None = None


@dataclass(frozen=True, slots=True)
class AskedItem:
    """One household's part in one offer; a quantity of 0 is a pledge of which nothing is asked.

    `most_steps` is at first what the household pledged. Raises ValueError unless 0 <= confirmed <= quantity <= most.
    """

    offer_id: UUID
    quantity_steps: int
    most_steps: int
    confirmed_steps: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.confirmed_steps <= self.quantity_steps <= self.most_steps:
            raise ValueError(
                f"offer {self.offer_id}: {self.confirmed_steps} steps confirmed of {self.quantity_steps} asked "
                f"of {self.most_steps} at most"
            )

    @property
    def room_steps(self) -> int:
        """What the household can still be asked for."""
        return self.most_steps - self.quantity_steps


@dataclass(frozen=True, slots=True)
class AskedBasket:
    """What one household was told in this version, and its answer. Items stand in the order of offer ids.

    `round_no` is the last round in which it was asked (0: never); `answer` is None while it has not answered
    there. `reason` is the code that came with `cannot`.
    """

    household_id: UUID
    version: int
    round_no: int
    items: tuple[AskedItem, ...]
    answer: Answer | None = None
    reason: str | None = None

    @property
    def asks_for_anything(self) -> bool:
        """Whether there is anything to bring."""
        return any(item.quantity_steps for item in self.items)

    def standing_steps(self) -> dict[UUID, int]:
        """What counts on this household, by offer: what it said, or what it is asked for as long as it says nothing."""
        return {
            item.offer_id: item.quantity_steps if self.answer is None else item.confirmed_steps for item in self.items
        }


@dataclass(frozen=True, slots=True)
class AskedDay:
    """One delivery day of one cooperative: offers in the order of sharing, baskets in that of household ids.

    While it is `open`, the baskets asked in `round_no` can be answered. Closed, every basket is final.
    """

    policy: ReplyPolicy
    round_no: int = 0
    last_round_no: int = 0
    open: bool = False
    offers: tuple[AskedOffer, ...] = ()
    baskets: tuple[AskedBasket, ...] = ()


# -- What is answered ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reply:
    """One household's answer to one version of its basket.

    `less_steps` says for `less` what it can bring, by offer; an offer that is not named is confirmed. `reason` is
    the code of `cannot`. Raises ValueError for either with another answer, for `cannot` without a reason, a quantity
    below 0, or an offer named twice.
    """

    household_id: UUID
    version: int
    answer: Answer
    less_steps: tuple[tuple[UUID, int], ...] = ()
    reason: str | None = None

    def __post_init__(self) -> None:
        who = f"household {self.household_id}"
        if self.less_steps and self.answer is not Answer.LESS:
            raise ValueError(f"{who}: quantities with the answer {self.answer}")
        if bool(self.reason) != (self.answer is Answer.CANNOT):
            raise ValueError(f"{who}: the answer {self.answer} with the reason {self.reason!r}")
        if len(dict(self.less_steps)) < len(self.less_steps):
            raise ValueError(f"{who}: an offer is named twice")
        for offer_id, steps in self.less_steps:
            if steps < 0:
                raise ValueError(f"{who}: {steps} steps of offer {offer_id}, must be 0 or more")


class Verdict(StrEnum):
    """What became of a reply; all but `accepted` mean that it changed nothing."""

    ACCEPTED = "accepted"
    NOT_ASKED = "not_asked"  # nothing is asked of this household
    OTHER_VERSION = "other_version"  # it answers another basket than the current one
    ROUND_CLOSED = "round_closed"  # too late
    MORE_THAN_ASKED = "more_than_asked"  # it names more than it was asked for


# -- What comes of it ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WhyRaised:
    """What decided how much more a household was asked for, as numbers from which a sentence can be made."""

    rule: str
    floor_steps: int  # what it was asked for before
    room_steps: int  # what it could be asked for beyond that
    freed_steps: int  # of this offer, among
    households: int  # so many who had room
    weight: int
    memory_vnd: int  # past days: beyond (+) or behind (-) its fair part
    today_vnd: int  # all that it was asked for already that day
    by_lot: bool  # the last step was drawn among households that stood exactly level


@dataclass(frozen=True, slots=True)
class Raise:
    """So many steps of one offer more than before."""

    offer_id: UUID
    more_steps: int
    why: WhyRaised


@dataclass(frozen=True, slots=True)
class Changed:
    """A basket has a new version: lowered as the household said, raised, or both; if raised, it is asked again."""

    basket: AskedBasket
    raised: tuple[Raise, ...]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """All of this version will be brought, as the household said or, if `silent`, as its silence counts."""

    household_id: UUID
    version: int
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Missed:
    """So many further steps of an offer that were promised and that nobody brings."""

    offer_id: UUID
    steps: int


Effect: TypeAlias = Changed | Confirmed | Missed


@dataclass(frozen=True, slots=True)
class Outcome:
    """The day as it is now, a verdict for each reply, and what there is to say, in the order in which it happened."""

    day: AskedDay
    verdicts: tuple[Verdict, ...]
    effects: tuple[Effect, ...]
