"""Why a household brings so much: one plain sentence, in Vietnamese and English.

The one idea: a sentence is a template per level, filled with the numbers of `Why` and nothing else, so it
claims only what follows from the rule of sharing in every case. A single household's numbers do not show the others'
weights, so no sentence says that all bring the same. They do show how its balance compares: whoever brings more than
its even share, not by lot, had come off worse, per share weight, than at least one household that could have brought
more; whoever brings less than its even share had come off better than at least one that brings more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.allocation.domain.baskets import Item, ShareLevel, Why
from services.allocation.domain.told import ToldItem, as_planned


class Language(StrEnum):
    """The languages in which everything can be explained."""

    VI = "vi"
    EN = "en"


@dataclass(frozen=True, slots=True)
class Goods:
    """What an item is called and counted in; one step is `step_milliunits` thousandths of `unit`."""

    name: str
    unit: str
    step_milliunits: int


def explain_item(item: Item, goods: Goods, language: Language) -> str:
    """Say to the household in one sentence why the plan of the cut-off asks it for so much."""
    return explain_told(as_planned(item), goods, language)


def explain_told(item: ToldItem, goods: Goods, language: Language) -> str:
    """Say to the household in one sentence why it brings so much: what happened last is what decided."""
    words = _WORDS[language]
    if item.is_lowered or (item.why is None and not item.raises):
        return _say(words.confirmed, {"quantity": item.quantity_steps}, goods, words)
    if item.raises:
        last = item.raises[-1]
        steps = {"quantity": item.quantity_steps, "freed": last.why.freed_steps, "more": last.more_steps}
        return _say(words.raised, steps, goods, words)
    assert item.why is not None
    return words.levels[item.why.level].format_map(_parts(item.quantity_steps, item.why, goods, words))


def _say(template: str, steps: Mapping[str, int], goods: Goods, words: "_Words") -> str:
    parts = {name: _quantity(of, goods, words.decimal_mark) for name, of in steps.items()}
    return template.format_map(parts | {"goods": _one_line(goods.name)})


@dataclass(frozen=True, slots=True)
class _Words:
    """One language. `levels`, `raised` and `confirmed` are whole sentences, the rest are named parts of them."""

    decimal_mark: str
    levels: Mapping[ShareLevel, str]
    share: str
    share_by_weight: str
    no_share: str
    share_of_one: str
    more: str  # than the even share
    some: str  # where there is no even share
    better_off: str  # is another, so more comes to the household
    worse_off: str  # is another, so less comes to it
    by_lot: str
    last_by_lot: str
    raised: str
    confirmed: str


def _parts(quantity_steps: int, why: Why, goods: Goods, words: _Words) -> dict[str, str]:
    """All that a template may name."""
    steps = {
        "quantity": quantity_steps,
        "even": why.even_steps,
        "shared": why.shared_steps,
        "difference": abs(quantity_steps - why.even_steps),
        "step": 1,
    }
    parts = {name: _quantity(of, goods, words.decimal_mark) for name, of in steps.items()}
    parts |= {"goods": _one_line(goods.name), "households": str(why.households)}
    clauses = {
        "share": _share(why, words),
        "more": words.more if why.even_steps else words.some,
        "because": words.by_lot if why.by_lot else words.better_off,
        "better_off": words.better_off,
        "worse_off": words.worse_off,
        "lot": words.last_by_lot if why.by_lot else "",
    }
    return parts | {name: clause.format_map(parts) for name, clause in clauses.items()}


def _share(why: Why, words: _Words) -> str:
    if why.households == 1:
        return words.share_of_one
    if why.even_steps == 0:  # in full rounds from nothing everyone's first step comes first, whatever the weights
        return words.no_share
    return words.share if why.weight == 1 else words.share_by_weight


def _quantity(steps: int, goods: Goods, decimal_mark: str) -> str:
    """Exact and without grouping of thousands, such as "12,5 kg"."""
    whole, milliunits = divmod(steps * goods.step_milliunits, 1000)
    decimals = f"{milliunits:03d}".rstrip("0")
    return f"{whole}{decimal_mark if decimals else ''}{decimals} {_one_line(goods.unit)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


_VIETNAMESE = _Words(
    decimal_mark=",",
    levels={
        ShareLevel.ALL_PLEDGED: "{goods}, {quantity}: đúng bằng số gia đình đã đăng ký; "
        "không hộ nào phải mang nhiều hơn số mình đăng ký{lot}.",
        ShareLevel.FULL_LOAD: "{goods}, {quantity}: đúng bằng sức chở còn lại của gia đình hôm đó{lot}.",
        ShareLevel.EQUAL_SHARE: "{goods}, {quantity}: {share}{lot}.",
        ShareLevel.ONE_STEP_MORE: "{goods}, {quantity}: {share}; {more} {because}.",
        ShareLevel.CATCHING_UP: "{goods}, {quantity}: {share}; {more} {better_off}{lot}.",
        ShareLevel.AHEAD: "{goods}, {quantity}: {share}; bớt {difference} {worse_off}{lot}.",
    },
    share="{shared} giao khách, chia cho {households} hộ, không quá sức mỗi hộ, gia đình được {even}",
    share_by_weight="{shared} giao khách, chia cho {households} hộ theo tỷ lệ đã thống nhất, "
    "không quá sức mỗi hộ, gia đình được {even}",
    no_share="{shared} giao khách không đủ chia cho {households} hộ, mỗi hộ {step}",
    share_of_one="chỉ giao cho gia đình, nên cả {shared} giao khách là phần của gia đình",
    more="thêm {difference}",
    some="gia đình được {difference}",
    better_off="vì theo sổ đến nay có hộ khác được lợi hơn",
    worse_off="vì theo sổ đến nay có hộ khác thiệt hơn",
    by_lot="nhờ bốc thăm giữa các hộ ngang nhau",
    last_by_lot="; {step} cuối nhờ bốc thăm",
    raised="{goods}, {quantity}: có hộ không mang được {freed}, chia lại thì gia đình nhận thêm {more}.",
    confirmed="{goods}, {quantity}: đúng số gia đình đã nhận mang.",
)

_ENGLISH = _Words(
    decimal_mark=".",
    levels={
        ShareLevel.ALL_PLEDGED: "{goods}, {quantity}: all that you pledged; "
        "no household is asked for more than it pledged{lot}.",
        ShareLevel.FULL_LOAD: "{goods}, {quantity}: all that you can still carry that day{lot}.",
        ShareLevel.EQUAL_SHARE: "{goods}, {quantity}: {share}{lot}.",
        ShareLevel.ONE_STEP_MORE: "{goods}, {quantity}: {share}; {more} {because}.",
        ShareLevel.CATCHING_UP: "{goods}, {quantity}: {share}; {more} {better_off}{lot}.",
        ShareLevel.AHEAD: "{goods}, {quantity}: {share}; {difference} less {worse_off}{lot}.",
    },
    share="{shared} for customers among {households} households, each up to what it can bring, gives you {even}",
    share_by_weight="{shared} for customers among {households} households by the agreed shares, "
    "each up to what it can bring, gives you {even}",
    no_share="{shared} for customers is less than {step} for each of {households} households",
    share_of_one="you alone are asked for it, so all {shared} for customers comes to you",
    more="{difference} more",
    some="you get {difference}",
    better_off="because by the books another household is better off",
    worse_off="because by the books another household is worse off",
    by_lot="by lot among households that stood level",
    last_by_lot="; the last {step} by lot",
    raised="{goods}, {quantity}: others cannot bring {freed}, and {more} of it comes to you.",
    confirmed="{goods}, {quantity}: as you had said that you can bring.",
)

_WORDS = {Language.VI: _VIETNAMESE, Language.EN: _ENGLISH}
