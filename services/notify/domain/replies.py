"""What a household may answer to its basket, and what becomes of a form that it sends.

A form is judged against the version that it was shown. The same form again is the same answer, also when the basket has
changed because of it; that is looked at first, so that a second tap on the button never reads like a failure.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from services.notify.domain.facts import BasketFacts, BasketItem, Goods
from services.notify.domain.quantities import milliunits

CONFIRM, LESS, CANNOT = "confirm", "less", "cannot"
REASONS = ("sold_out", "damaged", "cannot_come", "other")

PAGE = "page"
"""The way by which answers come: the page that a link leads to."""

QUANTITY = "q."
"""Before the offer in the name of a quantity's field."""


class Refused(Exception):
    """The answer is not taken, and nothing was changed."""


class Closed(Refused):
    """No answer is asked for (any more)."""


class Outdated(Refused):
    """The basket has changed since the form was shown."""


class Faulty(Refused):
    """`faults` are (field, code) for all that is wrong."""

    def __init__(self, faults: Iterable[tuple[str, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__(", ".join(f"{field}: {code}" for field, code in self.faults))


class Form(Struct, frozen=True):
    """What was sent: the version that was shown, and by offer the quantity as it was typed."""

    version: int
    answer: str
    quantities: Mapping[UUID, str]
    reason: str | None = None


class Asked(Struct, frozen=True):
    """What a basket asks of one offer."""

    offer_id: UUID
    goods: Goods
    quantity_steps: int


class ReplyLine(Struct, frozen=True):
    """What was asked of one offer, and how much of it the household brings."""

    offer_id: UUID
    goods: Goods
    asked_steps: int
    quantity_steps: int


class Reply(Struct, frozen=True):
    """An answer to one version of a basket; `reason` is one of `REASONS` where the answer is `cannot`."""

    version: int
    answer: str
    reason: str | None
    lines: tuple[ReplyLine, ...]

    @property
    def asked(self) -> tuple[Asked, ...]:
        """What it answers."""
        return tuple(Asked(line.offer_id, line.goods, line.asked_steps) for line in self.lines)


class CurrentBasket(Struct, frozen=True):
    """One household's basket of a day as it stands now; `confirmed_by` is `reply`, `silence`, `staff` or not yet.

    `sequence` is that of the event that told of it; `told_at` is when the household was told, or when telling it began.
    """

    household_id: UUID
    cooperative_id: UUID
    version: int
    sequence: int
    facts: BasketFacts
    confirmed_by: str | None = None
    told_at: datetime | None = None

    @property
    def reply_by_at(self) -> datetime | None:
        """Until when the household may answer; None: nothing is asked of it."""
        return self.facts.answerable_until(self.told_at)

    @property
    def brought(self) -> tuple[BasketItem, ...]:
        """The items of which something is to be brought: once it is confirmed, those of which something is settled."""
        is_confirmed = self.confirmed_by is not None
        return tuple(i for i in self.facts.items if (i.confirmed_steps if is_confirmed else i.quantity_steps))

    @property
    def asked(self) -> tuple[Asked, ...]:
        """What it asks of each offer."""
        items = self.facts.items
        return tuple(Asked(i.offer_id, i.goods, i.quantity_steps) for i in items if i.offer_id is not None)

    def is_open(self, now: datetime) -> bool:
        """Whether the household may answer."""
        reply_by_at = self.reply_by_at
        return bool(self.facts.items) and reply_by_at is not None and now < reply_by_at


class Standing(Struct, frozen=True):
    """A basket, the last reply, when that came and which state of the basket it saw, and the household's language."""

    basket: CurrentBasket
    reply: Reply | None
    replied_at: datetime | None
    seen_sequence: int | None
    language: str | None

    @property
    def is_confirmed(self) -> bool:
        """Whether the basket is settled, and what settled it came after the last reply."""
        return self.basket.confirmed_by is not None and self.basket.sequence > (self.seen_sequence or 0)


class Telling(Struct, frozen=True):
    """How far a household was told of one version of a basket; `told_at` is when the receipt of it came.

    `sent_at` is when the first message went out that may have arrived. `is_tried`: some message was begun, whatever
    came of it, or a person has told it.
    """

    version: int
    is_tried: bool = False
    sent_at: datetime | None = None
    told_at: datetime | None = None


def is_spoken_of(version: int, tellings: Iterable[Telling], said_at: datetime) -> bool:
    """Whether words that were said then can only answer this version of a basket, since words name none.

    Where an older version may have been read, the receipt of this one must have come before; where there is none that
    words could mean instead, it is enough that this one was on its way.
    """
    known = {one.version: one for one in tellings}
    this = known.get(version, Telling(version))
    is_told = this.told_at is not None and this.told_at <= said_at
    if any(one.is_tried for one in known.values() if one.version < version):
        return is_told
    return is_told or (this.sent_at is not None and this.sent_at <= said_at)


def read_form(fields: Sequence[tuple[str, str]]) -> Form:
    """The form of these fields; others than its own are passed over. Raises Faulty."""
    names = [name for name, _ in fields]
    faults = [(name, "twice") for name in sorted(set(names)) if names.count(name) > 1]
    found = dict(fields)
    version, answer = found.get("version", ""), found.get("answer", "")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        faults.append(("version", "missing"))
    if answer not in (CONFIRM, LESS, CANNOT):
        faults.append(("answer", "missing"))
    quantities: dict[UUID, str] = {}
    for name, text in found.items():
        if name.startswith(QUANTITY):
            try:
                quantities[UUID(name.removeprefix(QUANTITY))] = text.strip()
            except ValueError:
                faults.append((name, "unknown"))
    if faults:
        raise Faulty(faults)
    return Form(int(version), answer, quantities, found.get("reason"))


def decide(basket: CurrentBasket, last: Reply | None, form: Form, now: datetime) -> Reply | None:
    """The reply to be kept; None where the last one says the same. Raises Closed, Outdated or Faulty."""
    if last is not None and _says(last, form):
        return None
    if not basket.is_open(now):
        raise Closed("the time to answer is over")
    if form.version != basket.version:
        raise Outdated(f"the basket has version {basket.version}")
    return judge(form, basket.asked)


def judge(form: Form, asked: Sequence[Asked]) -> Reply:
    """The reply that the form is to what was asked. Raises Faulty.

    Less that is not less is a confirmation.
    """
    wanted = {item.offer_id for item in asked} if form.answer == LESS else set()
    faults = [(f"{QUANTITY}{offer_id}", "unknown") for offer_id in form.quantities if offer_id not in wanted]
    if form.answer == CANNOT and form.reason not in REASONS:
        faults.append(("reason", "missing"))
    lines = []
    for item in asked:
        steps = {CONFIRM: item.quantity_steps, CANNOT: 0}.get(form.answer)
        if steps is None:
            steps, fault = _steps(form.quantities.get(item.offer_id, ""), item)
            faults += [(f"{QUANTITY}{item.offer_id}", fault)] if fault else []
        lines.append(ReplyLine(item.offer_id, item.goods, item.quantity_steps, steps))
    if faults:
        raise Faulty(faults)
    is_all = all(line.quantity_steps == line.asked_steps for line in lines)
    answer = CONFIRM if form.answer == LESS and is_all else form.answer
    return Reply(form.version, answer, form.reason if answer == CANNOT else None, tuple(lines))


def _steps(text: str, item: Asked) -> tuple[int, str | None]:
    """Whole steps and, where the text is no quantity that may be answered, what is wrong with it."""
    if not text:
        return 0, "missing"
    try:
        steps, rest = divmod(milliunits(text), item.goods.step_milliunits)
    except ValueError:
        return 0, "not_a_quantity"
    if rest:
        return 0, "not_whole_steps"
    return steps, "more_than_asked" if steps > item.quantity_steps else None


def _says(last: Reply, form: Form) -> bool:
    try:
        return form.version == last.version and judge(form, last.asked) == last
    except Faulty:
        return False
