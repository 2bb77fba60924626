"""What an unknown SKU may mean, for a person to confirm: the product that reads most like it, and how much of it.

A suggestion is made from nothing but the letters of the SKU and of the cooperative's products, and says so in `why`.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from fractions import Fraction

from msgspec import Struct

from services.orders.domain.words import without_diacritics, words

LEAST_PERCENT = 60
"""A likeness below this is chance."""
_CONTAINED, _INITIALS = 90, 70

_GRAMS = {"g": 1, "kg": 1000, "yen": 10_000, "ta": 100_000, "tan": 1_000_000}
_WEIGHT = re.compile(r"(?<![0-9.,])([0-9]{1,4}(?:[.,][0-9]{1,3})?)[ _-]?(kgs?|kilo|gr|gam|gram|g)(?![a-z])")
_BOX = re.compile(
    r"(?<![a-z])(?:hop|thung|set|combo|khay|vi|loc|pack|x|h)[ _-]?([0-9]{1,3})(?![0-9.,]|[ _-]?(?:k?g)\b)"
)
_PIECES = re.compile(r"(?<![0-9.,])([0-9]{1,3})[ _-]?(?:qua|trai|bo|chai|lo|tui|hop|cu|cay|goi)(?![a-z])")


class Known(Struct, frozen=True):
    """A product of the cooperative; one step is `step_milliunits` thousandths of `unit`."""

    code: str
    name: str
    unit: str
    step_milliunits: int


class Suggestion(Struct, frozen=True):
    """One sold item may be `factor` units of the product; `why` says what that was read from."""

    product_code: str
    factor: str
    likeness_percent: int
    why: str


class _Size(Struct, frozen=True):
    """What a SKU tells of its size, and the letters that are left without it."""

    grams: Fraction | None
    count: int | None
    rest: str


def suggest(sku: str, products: Sequence[Known]) -> Suggestion | None:
    """The product that the SKU reads like; None where it reads like none."""
    size = _size(without_diacritics(sku).lower())
    rated = [(_likeness(size.rest, product, products), product) for product in products]
    best = max(rated, key=lambda one: (one[0], one[1].code), default=None)
    if best is None or best[0] < LEAST_PERCENT:
        return None
    percent, product = best
    factor, read = _factor(size, product)
    why = f"it reads like {product.name or product.code} ({percent} %); {read}"
    if factor * 1000 % product.step_milliunits:
        why += f"; no whole number of steps of {_text(Fraction(product.step_milliunits, 1000))} {product.unit}"
    others = sorted(one.code for rate, one in rated if rate == percent and one is not product)
    if others:
        why += f"; as much like {', '.join(others)}"
    return Suggestion(product.code, _text(factor), percent, why)


def _size(text: str) -> _Size:
    weight = _WEIGHT.search(text)
    grams = None
    if weight:
        per = 1 if weight[2].startswith("g") else 1000
        grams = Fraction(weight[1].replace(",", ".")) * per
        text = text[: weight.start()] + " " + text[weight.end() :]
    counted = _BOX.search(text) or _PIECES.search(text)
    count = int(counted[1]) if counted else None
    if counted:
        text = text[: counted.start()] + " " + text[counted.end() :]
    return _Size(grams or None, count or None, text)


def _likeness(rest: str, product: Known, products: Sequence[Known]) -> int:
    """Percent; what a person would see at once counts more than the number of equal letters."""
    told = [word for word in words(rest) if not word.isdigit()]
    best = 0
    for written in (product.code, product.name):
        own = [word for word in words(written) if not word.isdigit()]
        if not told or not own:
            continue
        if "".join(told) == "".join(own):
            return 100
        best = max(best, _ratio("".join(told), "".join(own)))
        if len(own) > 1 and set(own) <= set(told):
            best = max(best, _CONTAINED)
        if len(own) > 1 and "".join(told) == _initials(own) and _is_only(_initials(own), products):
            best = max(best, _INITIALS)
    return best


def _ratio(told: str, own: str) -> int:
    """Cheap bounds first: a review asks this for many pairs."""
    matcher = SequenceMatcher(None, told, own, autojunk=False)
    if matcher.real_quick_ratio() * 100 < LEAST_PERCENT or matcher.quick_ratio() * 100 < LEAST_PERCENT:
        return 0
    return int(matcher.ratio() * 100)


def _initials(own: Sequence[str]) -> str:
    return "".join(word[0] for word in own)


def _is_only(initials: str, products: Sequence[Known]) -> bool:
    fitting = {
        one.code for one in products for written in (one.code, one.name) if _initials(words(written)) == initials
    }
    return len(fitting) == 1


def _factor(size: _Size, product: Known) -> tuple[Fraction, str]:
    """Units of the product in one sold item, and how that was read."""
    unit_grams = _GRAMS.get("".join(words(product.unit)))
    times = size.count or 1
    many = f" times {times}" if size.count else ""
    if size.grams and unit_grams:
        factor = size.grams * times / unit_grams
        if factor.denominator in _DECIMAL:
            return factor, f"{_text(size.grams)} g{many} is {_text(factor)} {product.unit}"
    if size.grams and not unit_grams:
        return Fraction(times), f"it says {_text(size.grams)} g, and the product is counted in {product.unit}"
    if size.count:
        return Fraction(times), f"{times} in one item"
    return Fraction(1), f"it says no size, so one item is taken for 1 {product.unit}"


_DECIMAL = frozenset(2**twos * 5**fives for twos in range(7) for fives in range(7))


def _text(number: Fraction) -> str:
    """A fraction with a denominator of twos and fives as a decimal number."""
    millionths = number * 1_000_000
    whole, rest = divmod(int(millionths), 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0") if rest else str(whole)
