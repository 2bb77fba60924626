"""The market of the benchmarks: the same orders from the same seed, many customers, and pushes from everywhere."""

from collections import Counter
from random import Random

from tests.perf.customers import Customers
from tests.perf.market import make_market
from tests.perf.measuring import make_pushes


def test_one_order_in_twenty_comes_from_somebody_known() -> None:
    customers = Customers(Random("a shop"))
    phones = Counter(customers.next()["phone"] for _ in range(4_000))
    assert 3_700 < len(phones) < 3_900
    again = Customers(Random("a shop"))
    assert [again.next()["phone"] for _ in range(10)] == [*phones][:10]


def test_fewer_pushes_than_shops_come_from_all_over_the_market() -> None:
    market = make_market(1_000, 1, seed=1)
    places = {shop.path: place for place, shop in enumerate(market.shops)}
    found = [places[push.path] for push in make_pushes(market, 400, "run", batch=4)]
    assert len({*found}) == 100
    assert min(found) < 100
    assert max(found) >= 900
    assert [places[push.path] for push in make_pushes(market, 400, "other", batch=4)] != found


def test_all_shops_push_in_turn() -> None:
    market = make_market(4, 3, seed=1)
    pushes = make_pushes(market, 100, "run", batch=10)
    assert Counter(push.path for push in pushes) == {
        shop.path: count for shop, count in zip(market.shops, (3, 3, 2, 2), strict=True)
    }
    assert sum(push.orders for push in pushes) == 100
