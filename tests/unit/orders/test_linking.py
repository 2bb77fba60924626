"""Which orders are of one customer."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.orders.domain.customers import EMAIL, PHONE, Identity
from services.orders.domain.linking import Customer, Register, ToldOrder

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
SHOP = "shop"


def register(*known: Customer) -> Register:
    numbers = count(100)
    return Register(known, lambda: UUID(int=next(numbers)))


def order(
    minute: int,
    phone: str | None = None,
    email: str | None = None,
    account: str | None = None,
    name: str | None = None,
    address: str | None = None,
) -> ToldOrder:
    told = ((PHONE, phone), (EMAIL, email), (SHOP, account))
    signs = [Identity(kind, value) for kind, value in told if value]
    return ToldOrder(UUID(int=minute), NOW + timedelta(minutes=minute), signs, name, address)


def link(book: Register, *orders: ToldOrder) -> list[int]:
    """The customers of the orders once all are linked, numbered as they appear."""
    found = [book.link(one) for one in orders]
    last = [book.stands_for(one) for one in found]
    return [list(dict.fromkeys(last)).index(one) for one in last]


def test_one_phone_is_one_customer() -> None:
    assert link(register(), order(1, "1"), order(2, "2"), order(3, "1")) == [0, 1, 0]


def test_a_sign_that_comes_later_is_learnt() -> None:
    assert link(register(), order(1, "1"), order(2, "1", "a"), order(3, None, "a"), order(4, None, None, "x")) == [
        0, 0, 0, 1,
    ]  # fmt: skip


def test_two_customers_become_one_by_an_order_that_names_both_and_by_no_other() -> None:
    apart = order(1, "1"), order(2, None, "a")
    assert link(register(), *apart) == [0, 1]
    book = register()
    assert link(book, *apart, order(3, "1", "a"), order(4, None, "a")) == [0, 0, 0, 0]
    assert book.merged == {UUID(int=101): UUID(int=100)}


def test_three_customers_become_one_at_once() -> None:
    book = register()
    orders = order(1, "1"), order(2, None, "a"), order(3, None, None, "x"), order(4, "1", "a", "x")
    assert link(book, *orders) == [0, 0, 0, 0]
    assert len(book.customers) == 1


def test_another_phone_is_another_person_although_the_mail_address_is_the_same() -> None:
    """A shop that types its own address for everybody must not make one person of all."""
    book = register()
    assert link(book, order(1, "1", "shop"), order(2, "2", "shop"), order(3, "3", "shop"), order(4, "2")) == [
        0,
        1,
        2,
        1,
    ]
    assert not book.merged


def test_what_speaks_against_it_keeps_two_customers_apart() -> None:
    book = register()
    assert link(book, order(1, "1", "a"), order(2, None, "b"), order(3, "1", "b")) == [0, 1, 0]


def test_the_newest_name_and_address_count_and_none_takes_nothing_away() -> None:
    book = register()
    link(
        book,
        order(1, "1", name="Mai", address="Vân Hồ"),
        order(3, "1", name="Lò Thị Mai"),
        order(2, "1", name="Chị Mai", address="Mộc Châu"),
        order(4, "1"),
    )
    (customer,) = book.customers.values()
    assert (customer.name, customer.address) == ("Lò Thị Mai", "Vân Hồ")


def test_who_is_known_is_found_and_only_changed_where_something_is_new() -> None:
    known = Customer(UUID(int=1), {PHONE: "1"}, "Mai", None, NOW)
    book = register(known)
    assert book.link(order(1, "1", name="Mai")) == UUID(int=1)
    assert not known.is_changed
    book.link(order(2, "1", "a"))
    assert known.is_changed
    assert known.values == {PHONE: "1", EMAIL: "a"}


def test_the_older_customer_stays_when_two_become_one() -> None:
    old, new = Customer(UUID(int=1), {EMAIL: "a"}, told_at=NOW), Customer(UUID(int=2), {PHONE: "1"}, told_at=NOW)
    book = register(new, old)
    assert book.stands_for(book.link(order(1, "1", "a"))) == UUID(int=1)
    assert book.merged == {UUID(int=2): UUID(int=1)}


def rebuilt(signs: dict[str, str], *kept: ToldOrder) -> Customer:
    """The first customer, known as Mai by these signs, after a corrected order was taken from it."""
    customer = Customer(UUID(int=1), signs, "Mai", "Vân Hồ", NOW)
    customer.rebuild(kept)
    return customer


def test_what_only_a_corrected_order_told_goes_with_it() -> None:
    old = rebuilt({PHONE: "1", EMAIL: "a"}, order(2, "1", name="Su"), order(1, "1", "b", name="Sư", address="Mộc Châu"))
    assert (old.values, old.name, old.address) == ({PHONE: "1"}, "Su", "Mộc Châu")
    book = register(old)
    assert book.link(replace(order(3, "2", "a"), former=old.customer_id)) == UUID(int=100)
    assert book.customers[UUID(int=100)].values == {PHONE: "2", EMAIL: "a"}
    assert old.name == "Su"


def test_a_corrected_order_whose_sign_is_as_it_was_stays_with_its_customer() -> None:
    for signs in (order(3, "1"), order(3, "2", "a")):
        book = register(rebuilt({PHONE: "1", EMAIL: "a"}))
        assert book.link(replace(signs, former=UUID(int=1))) == UUID(int=1)
        assert book.customers[UUID(int=1)].values == {sign.kind: sign.value for sign in signs.signs}


def test_a_corrected_order_with_no_sign_as_it_was_is_another_customer_s() -> None:
    old = rebuilt({PHONE: "1"})
    assert register(old).link(replace(order(3, "2"), former=old.customer_id)) == UUID(int=100)
    assert (old.values, old.told_at) == ({}, None)


some = st.one_of(st.none(), st.sampled_from("123"))


@given(st.lists(st.tuples(some, some, some).filter(any), min_size=1, max_size=12))
@settings(max_examples=300)
def test_no_customer_ever_has_two_phones_and_every_sign_is_of_one_customer(
    told: Sequence[tuple[str | None, str | None, str | None]],
) -> None:
    book = register()
    orders = [order(minute, *signs) for minute, signs in enumerate(told)]
    found = [book.link(one) for one in orders]
    owned = [Identity(*sign) for customer in book.customers.values() for sign in customer.values.items()]
    assert len(owned) == len(set(owned))
    phones: dict[UUID, set[str]] = {}
    for one, customer_id in zip(orders, found, strict=True):
        stands = book.stands_for(customer_id)
        assert stands in book.customers
        phones.setdefault(stands, set()).update(sign.value for sign in one.signs if sign.kind == PHONE)
    assert all(len(numbers) <= 1 for numbers in phones.values())
