"""Understanding what a household writes back, in Vietnamese with and without diacritics and in English.

Only what is certain is understood; for all else a person reads the text. A text is certain if each of its words has a
place in one of the three answers, and it makes sense as only one of them: a word that is not known, a question mark, a
number that belongs to nothing, or two answers in one leave nothing understood. Words are compared without diacritics,
since many write without; so one that means two things that way ("đúng" right and "đừng" do not) is not known here. One
that has diacritics must be known with these.
Where the basket has several products, an answer with quantities names each of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.notify.domain.quantities import exact, milliunits
from services.notify.domain.replies import CANNOT, CONFIRM, LESS, Asked, Faulty, Form, Reply, judge
from services.notify.domain.spelling import is_known, may_mean_another, name_of, plain, separated, split

LONGEST = 300
"""Characters; a longer text is a letter, and a person reads it."""

_BEFORE = ("da", "thua", "a", "em", "chau", "toi", "minh", "nha", "ben em", "htx", "anh", "chi oi", "chi a", "co oi",
           "co a", "chu", "bac", "oi", "alo", "hi", "hello", "we", "i")  # fmt: skip
_AFTER = ("a", "da", "em", "chau", "anh", "chi", "co", "chu", "bac", "htx", "oi", "nhe", "nha", "thanks",
          "thank you", "thank")  # fmt: skip
"""What is said before and after an answer out of politeness. No text can be put together from these in two ways."""

_POLITE_BEFORE = frozenset(" ".join(_BEFORE).split())

_YES = ("ok", "oke", "okay", "okie", "okey", "ok roi", "vang", "duoc", "dc", "duoc roi", "dong y", "nhat tri",
        "xac nhan", "du", "du ca", "du het", "du roi", "co du", "mang du", "se mang du", "giao du", "se giao du", "yes",
        "confirm", "confirmed")  # fmt: skip
_YES_BEFORE_QUANTITY = ("ok", "oke", "okay", "vang", "dong y", "yes")

_NOT = "(?:khong|ko|k)"
_NOT_THEN_A_MARK = re.compile(r"\b(?:khong|ko|k|not)\s*[^a-z0-9\s]")
"""A comma after a no makes it another sentence: "không, có" says that there is some."""
_GONE = (f"{_NOT} co", f"{_NOT} co gi", f"{_NOT} co hang", f"{_NOT} con", f"{_NOT} con gi", f"{_NOT} con hang",
         f"{_NOT} con nua", "het", "het roi", "het sach", "het sach roi", "het hang", "het hang roi", "het ca",
         "het ca roi", "ban het", "ban het roi", "sold out", "nothing", "nothing left", "none left",
         "have nothing")  # fmt: skip
_BROKEN = ("hong het", "hong het roi", "hong ca", "hong ca roi", "hong sach", "bi hong het", "bi hong het roi",
           "hu het", "hu het roi", "bi hu het", "bi hu het roi", "hu hong het", "hu hong het roi", "dap het",
           "dap nat het", "bi dap nat het", "sau an het", "sau an het roi", "all damaged", "all spoiled")  # fmt: skip
_CANNOT_COME = (
    *(f"{why}{_NOT} {verb}"
      for why in ("", "ban ", "ban viec ", "om ", "bi om ")
      for verb in ("mang duoc", "mang den duoc", "mang toi duoc", "di duoc", "den duoc", "toi duoc", "giao duoc",
                   "cho duoc", "the mang", "the di", "the den", "the toi", "the giao")),
    "ban viec", "ban viec roi", "cannot come", "cant come", "can not come", "cannot bring", "cant bring",
)  # fmt: skip
_CANNOT = ((_GONE, "sold_out"), (_BROKEN, "damaged"), (_CANNOT_COME, "cannot_come"), ((f"{_NOT} duoc",), "other"))

_BESIDE_QUANTITY = frozenset(
    " ".join((*_BEFORE, *_AFTER, "con duoc dc mang giao se thoi va voi have has only just bring")).split()
)
"""Words that may stand beside a quantity without changing it."""
_STATES_QUANTITY = frozenset(["con", "duoc", "dc", "mang", "giao", "thoi", "have", "only", "bring"])
"""Without one of these, "chi co" or a unit, a number is no answer: "5 chị ạ" may answer anything."""

_GRAMS = {"g": 1, "gam": 1, "gram": 1, "kg": 1000, "ky": 1000, "ki": 1000, "kilo": 1000, "kilogam": 1000, "can": 1000,
          "yen": 10_000, "ta": 100_000, "tan": 1_000_000}  # fmt: skip
_GENERIC = frozenset({"rau", "cu", "qua", "hoa", "hat", "trai"})
"""First words of many names; alone they name nothing among several products."""

_NO_NAMES = _BESIDE_QUANTITY | _GRAMS.keys()
"""Alone they are no part of a name: "có" is not the bean "đậu cô ve"."""

_MARKS = frozenset('.,!;:-()"_')
_THANKS = re.compile(r"\bcam on\b")
"""Anywhere; the first word alone is also an orange."""
_NUMBER = re.compile("[0-9]{1,6}(?:[.,][0-9]{1,2})?")
_GESTURES = {"👍": "ok", "👌": "ok", "🙏": "", "🙂": "", "😊": "", "❤": ""}


@dataclass(frozen=True, slots=True)
class _Quantity:
    milliunits: int
    grams: int | None
    """Of its unit, where that is one of weight."""
    unit: str | None
    product: int | None


def understand(text: str, asked: Sequence[Asked], version: int) -> Reply | None:
    """The answer that the text is to what this version of a basket asks; None where a person has to read it."""
    if not asked or len(text) > LONGEST:
        return None
    words = _words(text)
    if not words:
        return None
    names = [name_of(item.goods.name) for item in asked]
    goods = [text for item in asked for text in (item.goods.name, item.goods.unit)]
    if not is_known(text, goods, _NO_NAMES) or may_mean_another(words, text, names):
        return None
    found = [form for form in (_yes(words, names), *_no(words, names), _less(words, names, asked)) if form is not None]
    replies = [_judged(version, form, asked) for form in found]
    return replies[0] if len(replies) == 1 else None


_Found = tuple[str, dict[UUID, str], str | None]


def _judged(version: int, found: _Found, asked: Sequence[Asked]) -> Reply | None:
    answer, quantities, reason = found
    try:
        return judge(Form(version, answer, quantities, reason), asked)
    except Faulty:
        return None


def _words(text: str) -> list[str] | None:
    """Its words and numbers in plain letters; None where there is more in it than words."""
    said = plain(text)
    for gesture, word in _GESTURES.items():
        said = said.replace(gesture, f" {word} ")
    said = separated(said.replace("'", ""))
    if _NOT_THEN_A_MARK.search(said.rstrip("".join(_MARKS) + " ")):
        return None
    found = split(said)
    if any(not part[0].isalnum() and part not in _MARKS for part in found):
        return None
    return _THANKS.sub("", " ".join(part for part in found if part[0].isalnum())).split()


def _polite(phrases: Sequence[str]) -> re.Pattern[str]:
    before, after, inner = "|".join(_BEFORE), "|".join(_AFTER), "|".join(phrases)
    return re.compile(f"(?:(?:{before}) )*(?:{inner})(?: (?:{inner}))*(?: (?:{after}))*")


_YES_FORM = _polite(_YES)
_NO_FORMS = tuple((_polite(phrases), reason) for phrases, reason in _CANNOT)


def _yes(words: Sequence[str], names: Sequence[tuple[str, ...]]) -> _Found | None:
    if _names_goods(words, names) or not _YES_FORM.fullmatch(" ".join(words)):
        return None
    return CONFIRM, {}, None


def _no(words: Sequence[str], names: Sequence[tuple[str, ...]]) -> list[_Found]:
    if _names_goods(words, names):
        return []
    text = " ".join(words)
    return [(CANNOT, {}, reason) for form, reason in _NO_FORMS if form.fullmatch(text)]


def _names_goods(words: Sequence[str], names: Sequence[tuple[str, ...]]) -> bool:
    """Whether a word could be one of a product: "hồng" without diacritics is also "hỏng", spoiled."""
    return any(word in name for name in names for word in words if word not in _NO_NAMES)


def _less(words: Sequence[str], names: Sequence[tuple[str, ...]], asked: Sequence[Asked]) -> _Found | None:
    """Quantities of everything that is asked, and nothing else in the text."""
    agrees, rest = _agreement(words)
    quantities = _quantities(rest, names, {name_of(item.goods.unit) for item in asked} - {()})
    if quantities is None:
        return None
    steps: dict[int, int] = {}
    for quantity in quantities:
        product = 0 if quantity.product is None and len(asked) == 1 else quantity.product
        if product is None or product in steps:
            return None
        amount = _in_unit_of(asked[product], quantity)
        if amount is None:
            return None
        steps[product] = amount
    if len(steps) != len(asked) or not any(steps.values()):
        return None
    is_all = all(steps[i] == item.quantity_steps * item.goods.step_milliunits for i, item in enumerate(asked))
    if agrees and not is_all:
        return None
    return LESS, {asked[i].offer_id: exact(amount, 1) for i, amount in steps.items()}, None


def _agreement(words: Sequence[str]) -> tuple[bool, Sequence[str]]:
    """Whether it begins with a yes, and what follows."""
    start = 0
    while start < len(words) and words[start] in _POLITE_BEFORE:
        start += 1
    for yes in _YES_BEFORE_QUANTITY:
        parts = yes.split()
        if list(words[start : start + len(parts)]) == parts:
            return True, words[start + len(parts) :]
    return False, words


def _quantities(
    words: Sequence[str], names: Sequence[tuple[str, ...]], units: set[tuple[str, ...]]
) -> list[_Quantity] | None:
    """Either each quantity is before its product or each is after it, so that none can belong to two."""
    found: list[_Quantity] = []
    waiting: int | None = None
    after_product: bool | None = None
    states, at = False, 0
    while at < len(words):
        if words[at][0].isdigit():
            number = _number(words[at])
            if number is None:
                return None
            at, grams, unit = _unit(words, at + 1, units)
            states |= unit is not None
            product = None
            if after_product:
                product, waiting = waiting, None
                if product is None:
                    return None
            else:
                at, product = _product(words, at, names)
                after_product = False
            found.append(_Quantity(number, grams, unit, product))
            continue
        length, product = _longest(words, at, names)
        if length:
            if product is None or after_product is False or waiting is not None:
                return None
            waiting, after_product, at = product, True, at + length
        elif words[at] in _BESIDE_QUANTITY:
            states |= words[at] in _STATES_QUANTITY or list(words[at : at + 2]) == ["chi", "co"]
            at += 1
        else:
            return None
    return found if found and states and waiting is None else None


def _number(word: str) -> int | None:
    """Three decimals could be thousands, so nobody knows."""
    return milliunits(word) if _NUMBER.fullmatch(word) else None


def _unit(words: Sequence[str], at: int, units: set[tuple[str, ...]]) -> tuple[int, int | None, str | None]:
    for unit in sorted(units, key=len, reverse=True):
        if tuple(words[at : at + len(unit)]) == unit:
            return at + len(unit), _GRAMS.get(" ".join(unit)), " ".join(unit)
    if at < len(words) and words[at] in _GRAMS:
        return at + 1, _GRAMS[words[at]], words[at]
    return at, None, None


def _product(words: Sequence[str], at: int, names: Sequence[tuple[str, ...]]) -> tuple[int, int | None]:
    length, product = _longest(words, at, names)
    return (at + length, product) if product is not None else (at, None)


def _longest(words: Sequence[str], at: int, names: Sequence[tuple[str, ...]]) -> tuple[int, int | None]:
    """How many of the words from here are a product's name or a part of it, and whose; None: not of one alone."""
    for length in range(min(len(words) - at, max(map(len, names))), 0, -1):
        part = tuple(words[at : at + length])
        if length == 1 and part[0] in _NO_NAMES and part not in names:
            continue
        owners = [i for i, name in enumerate(names) if part in _parts(name, length)]
        if owners:
            is_whole = [i for i in owners if names[i] == part]
            certain = is_whole or ([] if len(names) > 1 and part[0] in _GENERIC and length == 1 else owners)
            return length, certain[0] if len(certain) == 1 else None
    return 0, None


def _parts(name: Sequence[str], length: int) -> set[tuple[str, ...]]:
    return {tuple(name[i : i + length]) for i in range(len(name) - length + 1)}


def _in_unit_of(item: Asked, quantity: _Quantity) -> int | None:
    """Thousandths of the product's unit; None where the quantity is in another unit, or finer than that."""
    own = " ".join(name_of(item.goods.unit))
    if quantity.unit is None or quantity.unit == own:
        return quantity.milliunits
    if quantity.grams is None or own not in _GRAMS:
        return None
    amount, rest = divmod(quantity.milliunits * quantity.grams, _GRAMS[own])
    return None if rest else amount
