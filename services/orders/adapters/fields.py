"""What the fields of platforms' bodies have in common: read strictly where it counts, blind to all else.

Numbers never pass through a float: the JSON is read with its decimals as they are written. Values are then checked
in Python, so that every faulty field is named at once.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, NoReturn, TypeVar

from msgspec import Struct
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from services.chassis import problems
from services.orders.adapters.base import MOST_TEXT, Malformed
from services.orders.domain.command import CommandLine, Contact

HANOI = timezone(timedelta(hours=7))
"""The offset of naive times of Vietnamese platforms; Viet Nam has no summer time."""
MOST_LINE_NO = 2_000_000_000
MOST_SKU = 100
MOST_DIGITS = 40
"""Characters of a number in JSON; a float has at most 25."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_HALVES = re.compile(rb"\\u[dD]")
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_DAY = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_MOST_QUANTITY = 10**6
_QUANTITY_PLACES = -6
_MOST_MONEY = 10**12
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_MILLISECONDS = 10**12
"""Unix times above this count milliseconds: in seconds they would be in the year 33658."""

M = TypeVar("M", bound=BaseModel)


class Lenient(BaseModel):
    """Strict about the fields that we read, blind to the many others."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


def parse(model: type[M], raw: bytes) -> M:
    """The body as the platform's model, decimals exact. Raises Malformed with every faulty field."""
    return check(model, load(raw))


def load(raw: bytes) -> Any:
    """The JSON of a body, with decimals as they are written. Raises Malformed."""
    try:
        text = raw.decode("utf-8-sig")
        found = json.loads(text, parse_float=_exact, parse_int=_whole_number, parse_constant=_no_number)
        if _HALVES.search(raw):  # of a pair; half a pair alone is no text, and Python would let it through
            json.dumps(found, ensure_ascii=False, default=str).encode()
        return found
    except Malformed:
        raise
    except (ValueError, RecursionError, ArithmeticError):
        raise Malformed([("body", "is no JSON")]) from None


def check(model: type[M], found: object) -> M:
    """What was found in a body as a model. Raises Malformed with every faulty field."""
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise Malformed(problems.from_validation(error).fields) from None


def _exact(text: str) -> Decimal:
    return Decimal(_short(text))


def _whole_number(text: str) -> int:
    return int(_short(text))


def _short(text: str) -> str:
    """The digits of a number; more than anybody means would only keep us busy. Raises Malformed."""
    if len(text) > MOST_DIGITS:
        raise Malformed([("body", f"has a number of more than {MOST_DIGITS} characters")])
    return text


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _decimal(value: object) -> Decimal | None:
    """The exact number of a JSON number or of a text of digits; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, int):
        return Decimal(value) if abs(value) < _MOST_MONEY else None
    return Decimal(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _quantity(value: object) -> Decimal:
    """From 0, below a million, to six places; equal ones are the same, however they are written."""
    number = _decimal(value)
    if number is None or not 0 <= number < _MOST_QUANTITY or not _is_exact(number):
        raise PydanticCustomError("quantity", "must be a number from 0, with at most 6 digits before and after '.'")
    return number.normalize()


def _is_exact(number: Decimal) -> bool:
    """Whether it has no more than six places; trailing zeros do not count."""
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "a finite number"
    significant = len("".join(map(str, digits)).rstrip("0"))
    return significant == 0 or exponent + len(digits) - significant >= _QUANTITY_PLACES


def _money(value: object) -> Decimal | None:
    """None for what is no amount: a price is worth knowing, and nothing is refused for want of it."""
    number = _decimal(value)
    return number if number is not None and 0 <= number <= _MOST_MONEY else None


def _whole(value: object) -> object:
    """Ids come as numbers or as text of digits."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20 else value


def _words(value: object) -> object:
    """Text for people; a number is written out, and anything else is left out."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST_MONEY:
        return str(value)
    return value if isinstance(value, str) else None


def moment(value: object, naive: timezone | None) -> datetime:
    """An ISO 8601 time; finer than microseconds is cut off. `naive`: the offset of times without one.

    Raises PydanticCustomError where it is none, or outside of the years that a shop can mean.
    """
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    zone = found[4] if found else None
    if found is None or (zone is None and naive is None):
        raise PydanticCustomError("moment", "must be a time such as 2026-11-23T06:00:00+07:00")
    try:
        told = datetime.fromisoformat(f"{found[1]}T{found[2]}.{(found[3] or '0')[:6].ljust(6, '0')}{zone or ''}")
        return _possible(told if told.tzinfo else told.replace(tzinfo=naive))
    except (ValueError, OverflowError):
        raise PydanticCustomError("moment", "is no possible time") from None


def _possible(told: datetime) -> datetime:
    if not _FIRST <= told < _LAST:
        raise PydanticCustomError("moment", "is outside of the years 2000 to 2199")
    return told


def _unix(value: object) -> datetime:
    """Seconds or milliseconds since 1970, as a number or as text."""
    number = _whole(value)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 10**16:
        raise PydanticCustomError("moment", "must be a whole number of seconds since 1970")
    microseconds = number * (1000 if number > _MILLISECONDS else 1_000_000)
    try:
        return _possible(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds))
    except OverflowError:
        raise PydanticCustomError("moment", "is no possible time") from None


Id = Annotated[int, BeforeValidator(_whole), Field(ge=1, lt=2**63)]
MaybeId = Annotated[int, BeforeValidator(_whole), Field(ge=0, lt=2**63)] | None
Name = Annotated[str, Field(min_length=1, max_length=MOST_SKU, pattern=r"^[^\x00-\x1f\x7f]+$")]
Sku = Annotated[str, Field(max_length=MOST_SKU)] | None
Quantity = Annotated[Decimal, BeforeValidator(_quantity)]
Money = Annotated[Decimal | None, BeforeValidator(_money)]
Words = Annotated[str | None, BeforeValidator(_words)]
Moment = Annotated[datetime, BeforeValidator(lambda value: moment(value, None))]
UtcMoment = Annotated[datetime, BeforeValidator(lambda value: moment(value, timezone.utc))]  # noqa: UP017
HanoiMoment = Annotated[datetime, BeforeValidator(lambda value: moment(value, HANOI))]
UnixMoment = Annotated[datetime, BeforeValidator(_unix)]


def unix(moment: datetime) -> int:
    """The number that was read as this: seconds, or milliseconds where there are any."""
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return microseconds // 1000 if moment.microsecond else microseconds // 1_000_000


class Sold(Struct, frozen=True):
    """An item of an order as its platform has it. `id`: the platform's lasting id of the line, if it has one."""

    id: int | None
    sku: str
    quantity: Decimal
    price_vnd: int | None


def lines(items: Sequence[Sold]) -> tuple[CommandLine, ...]:
    """The items by their lasting ids, so that a line keeps its number when others go; else by position.

    Items without quantity are left out, but keep their position.
    """
    ids = [item.id or 0 for item in items]
    lasting = len(set(ids)) == len(ids) and all(1 <= number <= MOST_LINE_NO for number in ids)
    return tuple(
        CommandLine(item.id if lasting and item.id else position, item.sku, item.quantity, item.price_vnd)
        for position, item in enumerate(items, 1)
        if item.quantity
    )


def sku(written: str | None, *ids: int | None) -> str:
    """The SKU; an item without one goes by the first of the platform's ids, so that staff can map it all the same."""
    return join(" ", written) or f"product:{next((one for one in ids if one), 0)}"


def sku_of_name(*parts: str | None) -> str:
    """The name of a product, where it has no SKU. A long one ends in a digest, so that no two become one."""
    name = " ".join(filter(None, (join(" ", part) for part in parts)))
    if len(name) <= MOST_SKU:
        return name or "product:0"
    return f"{name[: MOST_SKU - 9]}#{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def whole_vnd(amount: Decimal | None, currency: str | None = "VND") -> int | None:
    """The amount where it is whole VND, which has no smaller unit."""
    if amount is None or currency != "VND" or amount != amount.to_integral_value() or amount < 0:
        return None
    return int(amount)


def undiscounted_vnd(price: Decimal | None, discount: Decimal | None) -> int | None:
    """The price of an item; not known with a discount of which it is not documented whether it is per item or line."""
    return whole_vnd(price) if discount in (None, Decimal()) else None


def day(written: object, field: str) -> date | None:
    """A day such as 2026-11-24 or, as Vietnamese shops write it, 24/11/2026; None where nothing is written.

    Raises Malformed.
    """
    if written in (None, ""):
        return None
    text = str(written).strip()
    try:
        if found := _DAY.fullmatch(text):
            return date(int(found[3]), int(found[2]), int(found[1]))
        return date.fromisoformat(text)
    except ValueError:
        raise Malformed([(field, "must be a day such as 2026-11-24 or 24/11/2026")]) from None


def contact(name: str | None, phone: str | None, address: str | None) -> Contact | None:
    """The customer as the platform tells, masked or not; None where it tells nothing, so that what is known stays."""
    told = Contact(name, phone, address)
    return told if name or phone or address else None


def join(between: str, *parts: str | None) -> str | None:
    """The parts in which something is written, without control characters; None where that is nothing."""
    words: Iterable[str] = (_CONTROLS.sub(" ", part or "").strip() for part in parts)
    return between.join(word for word in words if word)[:MOST_TEXT].strip() or None
