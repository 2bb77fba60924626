"""The pure parts of the AMQP door: what may be acknowledged, what a message says, whose turn it is, what to change."""

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.chassis.ledger import EventTooLarge
from services.orders.adapters import cloudevents
from services.orders.adapters.base import Batch
from services.orders.amqp import accounts, content, topology
from services.orders.amqp.accounts import Access, Change, changes, permissions
from services.orders.amqp.acks import Acknowledgements
from services.orders.amqp.content import JSON, Delivery, Limits, Rejection
from services.orders.amqp.door import MOST_AGAIN, MOST_NEW, Turns
from services.orders.amqp.intake import TOGETHER, TOGETHER_BYTES, together
from services.orders.amqp.passwords import password_hash
from services.orders.amqp.rejects import portions
from services.orders.domain.command import OrderCommand
from services.orders.settings import OrdersSettings

LIMITS = Limits(order_bytes=1000, batch_bytes=10_000)
PARTNER = UUID(int=7)
USER = topology.user(PARTNER)
ORDER = {"ref": "A-1", "updated_at": "2026-11-23T06:00:00+07:00", "status": "placed"}
ORDER_LINES = ORDER | {"lines": [{"sku": "SU-SU", "quantity": "2"}]}


# -- Acknowledgements ------------------------------------------------------------------------------------------


def test_all_before_the_first_unfinished_message_are_acknowledged_at_once() -> None:
    acks = Acknowledgements(most_behind=10)
    acks.finish([2, 3])
    assert acks.due() == []
    acks.finish([1, 5])
    assert acks.due() == [(3, True)]
    assert acks.due() == []


def test_what_is_finished_behind_a_slow_message_is_acknowledged_alone_when_it_becomes_much() -> None:
    acks = Acknowledgements(most_behind=3)
    acks.finish([2, 4])
    assert acks.due() == []
    acks.finish([5])
    assert acks.due() == [(2, False), (4, False), (5, False)]
    acks.finish([1, 3])
    assert acks.due() == [(3, True)]
    acks.finish([6])
    assert acks.due() == [(6, True)]


@given(st.permutations(range(1, 30)), st.integers(1, 10), st.data())
def test_every_message_is_acknowledged_once_and_none_before_it_is_finished(
    order: list[int], most_behind: int, data: st.DataObject
) -> None:
    acks, unacknowledged, finished = Acknowledgements(most_behind), set(order), set()
    while order:
        some, order = order[: (count := data.draw(st.integers(1, 5)))], order[count:]
        acks.finish(some)
        finished.update(some)
        for tag, with_those_before in acks.due():
            assert tag in unacknowledged, "a broker closes the channel over this"
            meant = {it for it in unacknowledged if it <= tag} if with_those_before else {tag}
            assert meant <= finished
            unacknowledged -= meant
    assert unacknowledged == set()


# -- Content ---------------------------------------------------------------------------------------------------


def delivery(body: object, content_type: str = JSON, user_id: str | None = USER) -> Delivery:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(1, topology.exchange(PARTNER), user_id, content_type, None, None, raw)


def reason(message: Delivery) -> str:
    found = content.read(message, USER, LIMITS)
    assert isinstance(found, Rejection)
    return found.reason


def event(name: str, order: object) -> dict[str, object]:
    return {"specversion": "1.0", "id": name, "source": "/sap", "type": cloudevents.ORDER, "data": order}


def test_an_order_is_read_in_each_of_the_three_forms() -> None:
    one = content.read(delivery({"order": ORDER_LINES}), USER, LIMITS)
    alone = content.read(delivery(event("e", ORDER_LINES), "Application/CloudEvents+JSON; charset=utf-8"), USER, LIMITS)
    batch = content.read(delivery([event("e", ORDER_LINES)], cloudevents.BATCH), USER, LIMITS)
    assert isinstance(one, OrderCommand)
    assert isinstance(batch, Batch)
    assert one == alone == batch.items[0].command
    assert content.commands(one) == content.commands(batch) == [one]
    assert content.rejection(one, [object()]) is content.rejection(batch, [object()]) is None


def test_a_message_that_is_not_its_partners_is_refused_before_it_is_read() -> None:
    assert reason(delivery(b"{", user_id=None)) == "wrong_user"
    assert reason(delivery({"order": ORDER_LINES}, user_id=topology.user(UUID(int=8)))) == "wrong_user"


def test_what_cannot_be_taken_says_why() -> None:
    assert reason(delivery({"order": ORDER_LINES}, "")) == "content_type"
    assert reason(delivery(b" " * 1001)) == "too_large"
    assert reason(delivery(b" " * 1001, cloudevents.ONE)) == "too_large"
    assert reason(delivery(b" " * 10_001, cloudevents.BATCH)) == "too_large"
    assert reason(delivery(b" " * 10_000, cloudevents.BATCH)) == "malformed"
    assert reason(delivery({"order": ORDER})) == "malformed"


def test_each_event_that_failed_is_named_and_the_others_are_not() -> None:
    events = [
        event("good", ORDER_LINES),
        event("bad", ORDER),
        event("large", ORDER_LINES),
        event("broken", ORDER_LINES),
    ]
    found = content.read(delivery(events, cloudevents.BATCH), USER, LIMITS)
    rejected = content.rejection(found, [object(), EventTooLarge("1 MB"), RuntimeError("a defect")])
    assert rejected is not None
    assert rejected.reason == "events"
    assert [(it["id"], it["reason"]) for it in rejected.errors] == [
        ("bad", "malformed"),
        ("large", "too_much"),
        ("broken", "failed"),
    ]


def test_the_errors_fit_into_a_header_and_say_how_many_do_not() -> None:
    many = [{"field": f"lines[{number}]", "detail": "ấ" * 300} for number in range(100)]
    text = content.errors_text(many)
    told = json.loads(text)
    assert len(text) < content.MOST_ERRORS_BYTES + 100
    assert told[-1] == {"omitted": 100 - len(told) + 1}
    assert json.loads(content.errors_text(many[:2])) == many[:2]
    assert json.loads(content.errors_text([])) == []


# -- Names and turns -------------------------------------------------------------------------------------------


def test_a_taking_is_limited_in_messages_and_bytes() -> None:
    small, large = delivery(b"x"), delivery(b"x" * TOGETHER_BYTES)
    assert together([]) == 0
    assert together([small] * 7) == 7
    assert together([small] * (TOGETHER + 1)) == TOGETHER
    assert together([small, small, large, small]) == 3
    assert together([large, large]) == 1


def test_rejects_are_handed_back_in_small_portions() -> None:
    def sizes(*bodies: int) -> list[int]:
        given = [(delivery(b"x" * size), Rejection("malformed")) for size in bodies]
        found = list(portions(given))
        assert [it for portion in found for it in portion] == given
        return [len(portion) for portion in found]

    mib = 1024 * 1024
    assert sizes() == []
    assert sizes(*[1] * 33) == [16, 16, 1]
    assert sizes(3 * mib, mib, 1, 5 * mib, 1) == [2, 1, 1, 1]


def test_an_exchange_names_its_partner_and_no_other_exchange_does() -> None:
    assert topology.owner(topology.exchange(PARTNER)) == PARTNER
    name = topology.exchange(PARTNER)
    for other in ("", "orders.rejects", str(PARTNER), name.upper(), f"{name}.rejects", name.replace("-", "")):
        assert topology.owner(other) is None


def test_new_partners_are_declared_at_once_and_the_others_in_turns() -> None:
    turns, known = Turns(), {UUID(int=number) for number in range(120)}
    assert turns.next(known) == sorted(known)
    rounds = [turns.next(known) for _ in range(3)]
    assert [len(one) for one in rounds] == [MOST_AGAIN] * 3
    assert {partner for one in rounds for partner in one} == known
    new = UUID(int=1000)
    assert turns.next(known | {new})[0] == new
    assert turns.next({new}) == [new]
    assert len(Turns().next({UUID(int=number) for number in range(2 * MOST_NEW)})) == MOST_NEW


# -- Accounts --------------------------------------------------------------------------------------------------


def whole(stored: str = "hash") -> Access:
    return Access(stored, (), permissions(PARTNER), accounts.LIMITS)


def test_what_is_as_it_should_be_is_left_alone() -> None:
    assert changes({PARTNER: "hash"}, {USER: whole()}, "partners") == []


def test_a_new_user_is_limited_before_it_is_let_in() -> None:
    made = changes({PARTNER: "hash"}, {}, "partners / x")
    assert [(it.method, it.path) for it in made] == [
        ("PUT", f"/users/{USER}"),
        ("PUT", f"/user-limits/{USER}/max-connections"),
        ("PUT", f"/user-limits/{USER}/max-channels"),
        ("PUT", f"/permissions/partners%20%2F%20x/{USER}"),
    ]
    assert made[0].body == {
        "password_hash": "hash",
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "",
    }


def test_a_new_password_ends_the_connections_of_the_old_one() -> None:
    made = changes({PARTNER: "new"}, {USER: whole("old")}, "partners")
    assert made == [*changes({}, {USER: whole()}, "partners"), *changes({PARTNER: "new"}, {}, "partners")]


def test_a_user_without_an_account_is_deleted_with_its_connections() -> None:
    assert changes({}, {USER: whole()}, "partners") == [
        Change("DELETE", f"/users/{USER}"),
        Change("DELETE", f"/connections/username/{USER}"),
    ]


@pytest.mark.parametrize(
    "found",
    [
        Access("hash", ("administrator",), permissions(PARTNER), accounts.LIMITS),
        Access("hash", (), None, accounts.LIMITS),
        Access("hash", (), permissions(PARTNER) | {"read": ".*"}, accounts.LIMITS),
        Access("hash", (), permissions(PARTNER), {"max-connections": 10}),
        Access("hash", (), permissions(PARTNER), accounts.LIMITS | {"max-channels": 5000}),
    ],
)
def test_whatever_a_user_has_too_much_or_too_little_is_put_right(found: Access) -> None:
    assert changes({PARTNER: "hash"}, {USER: found}, "partners")


def test_a_password_has_another_hash_each_time() -> None:
    assert password_hash("one") != password_hash("one")


# -- Settings --------------------------------------------------------------------------------------------------


def settings(url: str | None) -> OrdersSettings:
    return OrdersSettings.model_validate({"database_url": "d", "amqp_url": "a", "partners_amqp_url": url})


def test_the_virtual_host_is_that_of_the_address() -> None:
    assert settings(None).partners_vhost is None
    assert settings("amqp://orders:p@one:5672/partners").partners_vhost == "partners"
    several = "amqp://orders:p@one:5672/my%20partners,amqp://orders:p@two:5672/my%20partners"
    assert settings(several).partners_vhost == "my partners"


@pytest.mark.parametrize("path", ["", "/", "/%2F"])
def test_partners_do_not_publish_among_the_services(path: str) -> None:
    with pytest.raises(ValidationError, match="virtual host"):
        settings(f"amqp://orders:p@one:5672{path}")
