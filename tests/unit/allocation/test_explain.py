"""Every sentence is read back: its numbers must be those of the day, and each claim must hold against a brute force."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.allocation.domain.baskets import DayOffer, Item, ShareLevel, assign_day
from services.allocation.domain.explain import Goods, Language, explain_item

rule = settings(max_examples=400, deadline=None, derandomize=True)

HOUSEHOLDS = [UUID(int=number) for number in range(1, 7)]
LONGEST = 225  # letters besides the product's name, when everything comes together; most are well below 200
TOMATOES = Goods("Cà chua", "kg", 500)


# -- Days ----------------------------------------------------------------------------------------------------


def day_offer(number: int, code: str, value_vnd: int, promised_steps: int, pledges: Mapping[UUID, int]) -> DayOffer:
    return DayOffer(
        offer_id=UUID(int=1000 + number),
        product_id=UUID(int=2000 + number),
        product_code=code,
        step_value_vnd=value_vnd,
        collection_point_id=UUID(int=3000),
        arrive_by_at=datetime(2025, 11, 20, 21, 30, tzinfo=UTC),
        promised_net_steps=promised_steps,
        pledges=tuple(pledges.items()),
    )


@dataclass(frozen=True)
class MarketDay:
    offers: list[DayOffer]
    weights: dict[UUID, int]
    memory_vnd: dict[UUID, int]


@st.composite
def market_days(draw: st.DrawFn) -> MarketDay:
    """Few values and little memory, so that ties, lots and every level are common."""
    offers = []
    for number in range(draw(st.integers(1, 3))):
        pledges = draw(st.dictionaries(st.sampled_from(HOUSEHOLDS), st.integers(0, 12), min_size=1))
        promised_steps = draw(st.integers(0, sum(pledges.values())))
        offers.append(day_offer(number, f"product {number}", 500 * draw(st.integers(1, 3)), promised_steps, pledges))
    weights = draw(
        st.just(dict.fromkeys(HOUSEHOLDS, 1))
        | st.fixed_dictionaries({household: st.integers(1, 3) for household in HOUSEHOLDS})
    )
    balances = st.dictionaries(st.sampled_from(HOUSEHOLDS), st.integers(-6, 6).map(lambda steps: steps * 250))
    return MarketDay(offers, weights, draw(balances))


all_goods = st.builds(
    Goods,
    st.sampled_from(["Cà chua", "Cải mèo", "Cà phê Arabica rang hạt", "Rau 3 lá: {0}, {goods}", "Đậu\n cô  ve "]),
    st.sampled_from(["kg", "bó", "túi"]),
    st.sampled_from([1, 50, 500, 1000, 2500, 12_000]),
)


@dataclass(frozen=True)
class Served:
    """One household at one offer, as the test counts it for itself."""

    pledged_steps: int
    steps: int
    weight: int
    balance_vnd: int  # memory and earlier products of the day
    step_value_vnd: int

    @property
    def standing(self) -> Fraction:
        """Per share weight, before the offer."""
        return Fraction(self.balance_vnd, self.weight)

    def standing_of_step(self, number: int) -> Fraction:
        return Fraction(self.balance_vnd + self.step_value_vnd * number, self.weight)


def served_of(day: MarketDay) -> Iterator[tuple[DayOffer, dict[UUID, tuple[Served, Item | None]]]]:
    items = {(b.household_id, x.offer_id): x for b in assign_day(**vars(day)).baskets for x in b.items}
    today_vnd: defaultdict[UUID, int] = defaultdict(int)
    for offer in day.offers:  # their codes rise
        served = {}
        for household, pledged in offer.pledges:
            item = items.get((household, offer.offer_id))
            balance_vnd = day.memory_vnd.get(household, 0) + today_vnd[household]
            steps = item.quantity_steps if item else 0
            if pledged:
                value_vnd = offer.step_value_vnd
                served[household] = Served(pledged, steps, day.weights[household], balance_vnd, value_vnd), item
        yield offer, served
        for household, (one, _) in served.items():
            today_vnd[household] += one.steps * offer.step_value_vnd


def full_rounds(total_steps: int, served: Mapping[UUID, Served]) -> dict[UUID, int]:
    """The even shares: steps for all who are next by weight at once, as long as there are enough for all of them."""
    even = dict.fromkeys(served, 0)
    while open_ones := [h for h, one in served.items() if even[h] < one.pledged_steps]:
        least = min(Fraction(even[h], served[h].weight) for h in open_ones)
        following = [h for h in open_ones if Fraction(even[h], served[h].weight) == least]
        if len(following) > total_steps:
            break
        for household in following:
            even[household] += 1
        total_steps -= len(following)
    return even


# -- Sentences read back -------------------------------------------------------------------------------------

CLAUSES = {
    Language.EN: {
        "alone": "you alone are asked for it, so all (?P<shared>Q) for customers comes to you",
        "short": "(?P<shared>Q) for customers is less than (?P<step>Q) for each of (?P<households>N) households",
        "share": r"(?P<shared>Q) for customers among (?P<households>N) households(?P<weighted> by the agreed "
        "shares)?, each up to what it can bring, gives you (?P<even>Q)",
        "all": "all that you pledged; no household is asked for more than it pledged",
        "more": "; ((?P<more>Q) more|you get (?P<some>Q))",
        "less": "; (?P<less>Q) less",
        "better": " because by the books another household is better off",
        "worse": " because by the books another household is worse off",
        "lot": " by lot among households that stood level",
        "last": "; the last (?P<last>Q) by lot",
    },
    Language.VI: {
        "alone": "chỉ giao cho gia đình, nên cả (?P<shared>Q) giao khách là phần của gia đình",
        "short": "(?P<shared>Q) giao khách không đủ chia cho (?P<households>N) hộ, mỗi hộ (?P<step>Q)",
        "share": "(?P<shared>Q) giao khách, chia cho (?P<households>N) hộ(?P<weighted> theo tỷ lệ đã thống nhất)?, "
        "không quá sức mỗi hộ, gia đình được (?P<even>Q)",
        "all": "đúng bằng số gia đình đã đăng ký; không hộ nào phải mang nhiều hơn số mình đăng ký",
        "more": "; (thêm (?P<more>Q)|gia đình được (?P<some>Q))",
        "less": "; bớt (?P<less>Q)",
        "better": " vì theo sổ đến nay có hộ khác được lợi hơn",
        "worse": " vì theo sổ đến nay có hộ khác thiệt hơn",
        "lot": " nhờ bốc thăm giữa các hộ ngang nhau",
        "last": "; (?P<last>Q) cuối nhờ bốc thăm",
    },
}
# What a sentence may be put together from.
SHAPES = [
    (*claims, *last)
    for claims in (
        ("all",),
        ("alone",),
        *product(("short", "share"), ("more",), ("better", "lot")),
        ("share", "less", "worse"),
        ("share",),
    )
    for last in ((), ("last",))
]


@dataclass(frozen=True)
class Read:
    claims: set[str]
    steps: dict[str, int]
    households: int | None


@cache
def patterns(name: str, unit: str, language: Language) -> list[tuple[tuple[str, ...], re.Pattern[str]]]:
    name, unit = (re.escape(" ".join(text.split())) for text in (name, unit))
    quantity = (r"\d+(?:,\d+)? " if language is Language.VI else r"\d+(?:\.\d+)? ") + unit
    bodies = {shape: "(?P<quantity>Q): " + "".join(CLAUSES[language][claim] for claim in shape) for shape in SHAPES}
    filled = {shape: body.replace("Q)", f"{quantity})").replace("N)", r"\d+)") for shape, body in bodies.items()}
    return [(shape, re.compile(rf"{name}, {body}\.")) for shape, body in filled.items()]


def read(sentence: str, goods: Goods, language: Language) -> Read:
    """Take a sentence apart; fails on any word that is not part of a known claim."""
    for shape, pattern in patterns(goods.name, goods.unit, language):
        if match := pattern.fullmatch(sentence):
            found = {group: text for group, text in match.groupdict().items() if text is not None}
            return Read(
                claims={*shape, *found.keys() & {"weighted"}} - {"more", "less"},
                steps={group: in_steps(text, goods) for group, text in found.items() if group in QUANTITIES},
                households=int(found["households"]) if "households" in found else None,
            )
    raise AssertionError(sentence)


QUANTITIES = {"quantity", "shared", "step", "even", "more", "some", "less", "last"}


def in_steps(text: str, goods: Goods) -> int:
    steps = Fraction(text.split(" ")[0].replace(",", ".")) * 1000 / goods.step_milliunits
    assert steps.denominator == 1
    return steps.numerator


def check(said: Read, household: UUID, offer: DayOffer, served: Mapping[UUID, Served]) -> None:
    """Every number and every claim of a sentence, against what the test counted."""
    own, even = served[household], full_rounds(offer.promised_net_steps, served)[household]
    others = [one for other, one in served.items() if other != household]
    numbers = {
        "quantity": own.steps,
        "shared": offer.promised_net_steps,
        "even": even,
        "more": own.steps - even,
        "some": own.steps,
        "less": even - own.steps,
        "step": 1,
        "last": 1,
    }
    assert said.steps == {name: numbers[name] for name in said.steps}
    assert said.households in (None, len(served))
    could_bring_more = [one for one in others if one.steps < one.pledged_steps]
    truth = {
        "all": own.steps == own.pledged_steps,
        "alone": not others and own.steps == offer.promised_net_steps,
        "short": offer.promised_net_steps < len(served),
        "share": len(served) > 1,
        "weighted": own.weight != 1,
        "better": any(one.standing > own.standing for one in could_bring_more),
        "worse": any(one.steps and one.standing < own.standing for one in others),
        "lot": stood_level(own, could_bring_more),
        "last": stood_level(own, could_bring_more),
    }
    assert all(truth[claim] for claim in said.claims), said
    if "share" in said.claims:
        assert ("weighted" in said.claims) == (own.weight != 1)
    if "all" not in said.claims:
        assert own.steps == even + said.steps.get("more", 0) + said.steps.get("some", 0) - said.steps.get("less", 0)
    assert bool(said.claims & {"lot", "last"}) == stood_level(own, could_bring_more)


def stood_level(own: Served, could_bring_more: list[Served]) -> bool:
    """Whether the last step that the household got was due to another in just the same way."""
    last = own.standing_of_step(own.steps - 1)
    return any(one.standing_of_step(one.steps) == last for one in could_bring_more)


@rule
@given(market_days(), all_goods)
def test_every_sentence_is_one_short_line_and_true_in_its_numbers_and_its_claims(day: MarketDay, goods: Goods) -> None:
    for offer, served in served_of(day):
        counted = {household: one for household, (one, _) in served.items()}
        for household, (_, item) in served.items():
            if item:
                sentences = {language: explain_item(item, goods, language) for language in Language}
                vietnamese, english = (read(sentence, goods, language) for language, sentence in sentences.items())
                assert vietnamese == english
                check(english, household, offer, counted)
                for sentence in sentences.values():
                    assert_one_plain_line(sentence, goods.name)


def assert_one_plain_line(sentence: str, name: str = "") -> None:
    assert sentence.endswith(".")
    assert not sentence.endswith("..")
    assert len(sentence) <= LONGEST + len(name)
    assert "None" not in sentence
    assert sentence == " ".join(sentence.split())
    assert sentence == unicodedata.normalize("NFC", sentence)


# -- Nothing is left without a sentence ----------------------------------------------------------------------


def item_of(pledges: list[int], promised_steps: int, memory_vnd: int = 0, weight: int = 1, day: int = 1) -> Item:
    """The first household's item when all offer the same product; `memory_vnd` and `weight` are its own."""
    first = HOUSEHOLDS[0]
    offer = day_offer(day, "tomatoes", 11_000, promised_steps, dict(zip(HOUSEHOLDS, pledges, strict=False)))
    weights = dict.fromkeys(HOUSEHOLDS, 1) | {first: weight}
    return next(x for b in assign_day([offer], weights, {first: memory_vnd}).baskets for x in b.items)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("level", ShareLevel)
def test_every_level_has_a_sentence_in_every_language(level: ShareLevel, language: Language) -> None:
    item = item_of([30, 30], 40)
    assert_one_plain_line(explain_item(replace(item, why=replace(item.why, level=level)), TOMATOES, language))


# -- Word by word --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "vietnamese", "english"),
    [
        (
            item_of([24], 15),
            "Cà chua, 7,5 kg: chỉ giao cho gia đình, nên cả 7,5 kg giao khách là phần của gia đình.",
            "Cà chua, 7.5 kg: you alone are asked for it, so all 7.5 kg for customers comes to you.",
        ),
        (
            item_of([5, 30, 30], 60),
            "Cà chua, 2,5 kg: đúng bằng số gia đình đã đăng ký; không hộ nào phải mang nhiều hơn số mình đăng ký.",
            "Cà chua, 2.5 kg: all that you pledged; no household is asked for more than it pledged.",
        ),
        (
            item_of([40, 40, 9], 57),
            "Cà chua, 12 kg: 28,5 kg giao khách, chia cho 3 hộ, không quá sức mỗi hộ, gia đình được 12 kg.",
            "Cà chua, 12 kg: 28.5 kg for customers among 3 households, each up to what it can bring, gives you 12 kg.",
        ),
        (
            item_of([40, 40, 9], 58, memory_vnd=-1_000),
            "Cà chua, 12,5 kg: 29 kg giao khách, chia cho 3 hộ, không quá sức mỗi hộ, gia đình được 12 kg; "
            "thêm 0,5 kg vì theo sổ đến nay có hộ khác được lợi hơn.",
            "Cà chua, 12.5 kg: 29 kg for customers among 3 households, each up to what it can bring, gives you 12 kg; "
            "0.5 kg more because by the books another household is better off.",
        ),
        (
            item_of([40, 40], 49, day=3),
            "Cà chua, 12,5 kg: 24,5 kg giao khách, chia cho 2 hộ, không quá sức mỗi hộ, gia đình được 12 kg; "
            "thêm 0,5 kg nhờ bốc thăm giữa các hộ ngang nhau.",
            "Cà chua, 12.5 kg: 24.5 kg for customers among 2 households, each up to what it can bring, "
            "gives you 12 kg; 0.5 kg more by lot among households that stood level.",
        ),
        (
            item_of([40, 40, 40, 40], 3, memory_vnd=-25_000),
            "Cà chua, 1,5 kg: 1,5 kg giao khách không đủ chia cho 4 hộ, mỗi hộ 0,5 kg; "
            "gia đình được 1,5 kg vì theo sổ đến nay có hộ khác được lợi hơn.",
            "Cà chua, 1.5 kg: 1.5 kg for customers is less than 0.5 kg for each of 4 households; "
            "you get 1.5 kg because by the books another household is better off.",
        ),
        (
            item_of([40, 40, 40], 40, memory_vnd=-100_000, weight=2),
            "Cà chua, 12 kg: 20 kg giao khách, chia cho 3 hộ theo tỷ lệ đã thống nhất, không quá sức mỗi hộ, "
            "gia đình được 10 kg; thêm 2 kg vì theo sổ đến nay có hộ khác được lợi hơn.",
            "Cà chua, 12 kg: 20 kg for customers among 3 households by the agreed shares, each up to "
            "what it can bring, gives you 10 kg; 2 kg more because by the books another household is better off.",
        ),
        (
            item_of([40, 40, 40], 40, memory_vnd=60_000),
            "Cà chua, 5 kg: 20 kg giao khách, chia cho 3 hộ, không quá sức mỗi hộ, gia đình được 6,5 kg; "
            "bớt 1,5 kg vì theo sổ đến nay có hộ khác thiệt hơn.",
            "Cà chua, 5 kg: 20 kg for customers among 3 households, each up to what it can bring, gives you 6.5 kg; "
            "1.5 kg less because by the books another household is worse off.",
        ),
    ],
)
def test_a_household_reads(item: Item, vietnamese: str, english: str) -> None:
    assert explain_item(item, TOMATOES, Language.VI) == vietnamese
    assert explain_item(item, TOMATOES, Language.EN) == english


@pytest.mark.parametrize(
    ("goods", "quantity"),
    [
        (Goods("Hành lá", "bó", 1000), "15 bó"),
        (Goods("Cá hồi", "kg", 50), "0,75 kg"),
        (Goods("Bắp cải", "kg", 100_000), "1500 kg"),
        (Goods("Chè", "tấn", 1), "0,015 tấn"),
    ],
)
def test_quantities_are_exact_and_written_as_in_the_notices(goods: Goods, quantity: str) -> None:
    sentence = explain_item(item_of([24], 15), goods, Language.VI)
    assert sentence.startswith(f"{goods.name}, {quantity}: ")
