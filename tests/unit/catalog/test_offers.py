"""What may be offered, changed and withdrawn, and that every fault is named."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.domain.offers import OfferChange, OfferDraft, change_offer, plan_offers, withdraw_offer
from services.catalog.domain.values import (
    Books,
    Faulty,
    Household,
    Offer,
    OfferTerms,
    Pledge,
    PledgeDraft,
    Product,
    Refused,
)

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
DAY = date(2026, 11, 25)
POINT, OTHER_POINT = UUID(int=11), UUID(int=12)
CAI_MEO = Product(UUID(int=1), "cai-meo", "Cải mèo", "cải mèo", "A", "kg", 500, None, ("VietGAP",))
SU_SU = Product(UUID(int=2), "su-su", "Ngọn su su", "su su", "A", "bó", 1000, None, ())
BOOKS = Books(
    ZONE,
    (POINT,),
    {product.code: product for product in (CAI_MEO, SU_SU)},
    {
        code: Household(UUID(int=number), code, f"hộ {code}", 1, certificates=("VietGAP",))
        for code, number in (("VH-01", 21), ("VH-02", 22))
    },
)
DRAFT = OfferDraft(
    product_code="cai-meo",
    delivery_day=DAY,
    price_vnd=30_000,
    cut_off_at=datetime(2026, 11, 24, 10, 30, tzinfo=UTC),
    collection_point_id=None,
    arrive_by_at=datetime(2026, 11, 24, 22, 0, tzinfo=UTC),  # 05:00 on the 25th in Sơn La
    pledges=[PledgeDraft("VH-02", 40), PledgeDraft("VH-01", 60)],
)
TERMS = OfferTerms(
    CAI_MEO.product_id,
    DAY,
    30_000,
    DRAFT.cut_off_at,
    POINT,
    DRAFT.arrive_by_at,
    (Pledge(UUID(int=21), 60), Pledge(UUID(int=22), 40)),
)
OFFER = Offer(UUID(int=31), TERMS)


def faults_of(*drafts: OfferDraft, books: Books = BOOKS) -> dict[str, str]:
    """Field and fault of what is refused."""
    with pytest.raises(Faulty) as refused:
        plan_offers(drafts, books, NOW)
    return dict(refused.value.faults)


def test_a_right_offer_gets_the_only_collection_point_and_its_pledges_by_household() -> None:
    plan = plan_offers([DRAFT], BOOKS, NOW)
    assert plan.offers == (TERMS,)
    assert plan.standing == ()


def test_every_fault_of_every_offer_is_named_at_once() -> None:
    wrong = replace(
        DRAFT,
        price_vnd=30_001,
        cut_off_at=NOW,
        arrive_by_at=datetime(2026, 11, 24, 16, 59, tzinfo=UTC),  # 23:59 on the 24th in Sơn La
        collection_point_id=OTHER_POINT,
        pledges=[PledgeDraft("VH-01", 1), PledgeDraft("VH-09", 1), PledgeDraft("VH-01", -1)],
    )
    assert list(faults_of(DRAFT, wrong, replace(DRAFT, product_code="ngô"))) == [
        "offers[1].price_vnd",
        "offers[1].cut_off_at",
        "offers[1].arrive_by_at",
        "offers[1].collection_point_id",
        "offers[1].pledges[1].household_code",
        "offers[1].pledges[2].household_code",
        "offers[1].pledges[2].quantity_steps",
        "offers[2].product_code",
    ]


def test_a_pledge_that_is_not_allowed_says_which_household_lacks_what() -> None:
    households = {**BOOKS.households, "VH-02": replace(BOOKS.households["VH-02"], certificates=(), grades=("B",))}
    books = replace(BOOKS, households=households)
    wanted = {"offers[0].pledges[0].household_code": "VH-02 does not bring grade A and does not hold VietGAP"}
    assert faults_of(DRAFT, books=books) == wanted
    with pytest.raises(Faulty) as refused:
        change_offer(OFFER, OfferChange(pledges=DRAFT.pledges), CAI_MEO, books, NOW)
    assert dict(refused.value.faults) == {"pledges[0].household_code": wanted["offers[0].pledges[0].household_code"]}
    assert plan_offers([replace(DRAFT, pledges=DRAFT.pledges[1:])], books, NOW).offers[0].pledges == TERMS.pledges[:1]


def test_a_price_that_is_not_whole_per_step_says_what_a_step_would_cost() -> None:
    assert "15000.500 VND for a step" in faults_of(replace(DRAFT, price_vnd=30_001))["offers[0].price_vnd"]


@settings(deadline=None, derandomize=True)
@given(st.integers(-10, 10**9), st.sampled_from([CAI_MEO, SU_SU]))
def test_a_price_is_taken_exactly_when_a_step_costs_whole_dong(price_vnd: int, product: Product) -> None:
    draft = replace(DRAFT, product_code=product.code, price_vnd=price_vnd)
    whole = price_vnd >= 1 and price_vnd * product.step_milliunits % 1000 == 0
    if whole:
        assert plan_offers([draft], BOOKS, NOW).offers[0].price_vnd == price_vnd
    else:
        assert list(faults_of(draft)) == ["offers[0].price_vnd"]


def test_the_cut_off_must_lie_before_arrive_by() -> None:
    assert list(faults_of(replace(DRAFT, cut_off_at=DRAFT.arrive_by_at))) == ["offers[0].cut_off_at"]


def test_with_two_collection_points_one_must_be_named() -> None:
    books = replace(BOOKS, collection_points=(POINT, OTHER_POINT))
    assert list(faults_of(DRAFT, books=books)) == ["offers[0].collection_point_id"]
    named = replace(DRAFT, collection_point_id=OTHER_POINT)
    assert plan_offers([named], books, NOW).offers[0].collection_point_id == OTHER_POINT


def test_a_product_is_offered_once_for_a_day_but_on_several_days() -> None:
    assert list(faults_of(DRAFT, DRAFT)) == ["offers[1].product_code"]
    next_day = replace(DRAFT, delivery_day=DAY + timedelta(days=1), arrive_by_at=DRAFT.arrive_by_at + timedelta(days=1))
    assert len(plan_offers([DRAFT, next_day], BOOKS, NOW).offers) == 2
    repeated = [replace(draft, repeats_daily=True) for draft in (DRAFT, next_day)]
    assert list(faults_of(*repeated)) == ["offers[1].repeats_daily"]


def test_an_offer_that_repeats_daily_becomes_a_standing_offer_in_local_time() -> None:
    draft = replace(DRAFT, cut_off_at=DRAFT.cut_off_at + timedelta(seconds=59), repeats_daily=True)
    standing = plan_offers([draft], BOOKS, NOW).standing[0]
    assert (standing.cut_off_time, standing.cut_off_days_before) == (time(17, 30), 1)
    assert standing.arrive_by_time == time(5, 0)
    assert (standing.product_id, standing.price_vnd, standing.pledges) == (CAI_MEO.product_id, 30_000, TERMS.pledges)


def test_an_offer_whose_cut_off_lies_more_than_a_week_before_cannot_repeat_daily() -> None:
    later = timedelta(days=8)
    draft = replace(DRAFT, delivery_day=DAY + later, arrive_by_at=DRAFT.arrive_by_at + later, repeats_daily=True)
    assert list(faults_of(draft)) == ["offers[0].cut_off_at"]


def test_a_change_replaces_what_it_names_and_leaves_the_rest() -> None:
    change = OfferChange(price_vnd=32_000, pledges=[PledgeDraft("VH-01", 10)])
    assert change_offer(OFFER, change, CAI_MEO, BOOKS, NOW) == replace(
        TERMS, price_vnd=32_000, pledges=(Pledge(UUID(int=21), 10),)
    )


def test_staff_close_early_by_moving_the_cut_off_to_now_but_not_behind_it() -> None:
    assert change_offer(OFFER, OfferChange(cut_off_at=NOW), CAI_MEO, BOOKS, NOW).cut_off_at == NOW
    with pytest.raises(Faulty) as refused:
        change_offer(OFFER, OfferChange(cut_off_at=NOW - timedelta(microseconds=1)), CAI_MEO, BOOKS, NOW)
    assert [field for field, _ in refused.value.faults] == ["cut_off_at"]


def test_a_change_names_all_its_faults() -> None:
    change = OfferChange(
        price_vnd=1,
        cut_off_at=DRAFT.arrive_by_at + timedelta(days=2),
        arrive_by_at=DRAFT.arrive_by_at + timedelta(days=1),
        pledges=[PledgeDraft("VH-09", 1)],
    )
    with pytest.raises(Faulty) as refused:
        change_offer(OFFER, change, CAI_MEO, BOOKS, NOW)
    fields = [field for field, _ in refused.value.faults]
    assert fields == ["price_vnd", "cut_off_at", "arrive_by_at", "pledges[0].household_code"]


@pytest.mark.parametrize(
    ("offer", "now"), [(OFFER, TERMS.cut_off_at), (replace(OFFER, withdrawn=True), NOW)], ids=["closed", "withdrawn"]
)
def test_an_offer_that_is_not_open_is_not_changed(offer: Offer, now: datetime) -> None:
    with pytest.raises(Refused):
        change_offer(offer, OfferChange(price_vnd=32_000), CAI_MEO, BOOKS, now)


def test_an_offer_is_withdrawn_once_and_never_after_its_cut_off() -> None:
    assert withdraw_offer(OFFER, NOW)
    assert not withdraw_offer(replace(OFFER, withdrawn=True), NOW)
    assert not withdraw_offer(replace(OFFER, withdrawn=True), TERMS.cut_off_at)
    with pytest.raises(Refused):
        withdraw_offer(OFFER, TERMS.cut_off_at)
