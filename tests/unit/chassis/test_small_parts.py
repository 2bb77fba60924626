"""Lanes, identifiers, settings, traces, signatures: the small parts that everything else trusts."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook

from services.chassis import standard_webhooks, trace
from services.chassis.ids import uuid7
from services.chassis.lanes import parse_lanes, shared_lane
from services.chassis.settings import ServiceSettings, WrongSettings, load
from services.chassis.standard_webhooks import BadSignature


def test_identifiers_grow_and_say_their_version() -> None:
    made = [uuid7() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {(value.version, value.variant) for value in made} == {(7, UUID(int=0x8 << 60).variant)}
    assert [value.int >> 80 for value in made] == sorted(value.int >> 80 for value in made)


def test_the_lane_of_a_stream_is_the_same_on_every_machine() -> None:
    assert shared_lane(UUID("018f4e9e-0000-7000-8000-000000000001"), 8) == 2
    lanes = [shared_lane(uuid4(), 8) for _ in range(2000)]
    assert set(lanes) == set(range(8))


@pytest.mark.parametrize(("text", "lanes"), [("0-7", tuple(range(8))), ("3", (3,)), ("0-1,9", (0, 1, 9))])
def test_lanes_are_given_as_ranges(text: str, lanes: tuple[int, ...]) -> None:
    assert parse_lanes(text) == lanes


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-", "99999"])
def test_wrong_lanes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="lanes"):
        parse_lanes(text)


class ToySettings(ServiceSettings):
    http_port: int = 1


def test_a_missing_setting_is_named_in_one_line_and_no_value_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_CONNECTIONS", "secret-looking")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("AMQP_URL", "amqp://x")
    with pytest.raises(WrongSettings) as found:
        load(ToySettings)
    assert "DATABASE_URL is not set" in str(found.value).splitlines()
    assert "DATABASE_CONNECTIONS is wrong" in str(found.value)
    assert "secret-looking" not in str(found.value)


def test_a_trace_goes_on_and_a_broken_one_begins_anew() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    child = trace.continue_from(parent)
    assert child[:36] == parent[:36]
    assert child != parent
    assert trace.continue_from("00-zz-yy-01")[3:35] != parent[3:35]


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
NOW = datetime.fromtimestamp(1614265330, UTC)


def test_the_published_vector_of_standard_webhooks_verifies() -> None:
    signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    given = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"v1,bm9wZQ== {signature}",
    }
    assert standard_webhooks.verify([standard_webhooks.new_secret(), SECRET], given, BODY, NOW) == given["webhook-id"]


def test_an_independent_library_accepts_our_signature() -> None:
    now = datetime.now(UTC)
    headers = standard_webhooks.headers(SECRET, "msg_1", now, BODY)
    assert Webhook(SECRET).verify(BODY, headers) == {"test": 2432232314}


@pytest.mark.parametrize(
    "change", [{"webhook-id": "msg_2"}, {"webhook-signature": "v1,AAAA"}, {"webhook-timestamp": "x"}]
)
def test_a_changed_part_is_refused(change: dict[str, str]) -> None:
    given = standard_webhooks.headers(SECRET, "msg_1", NOW, BODY) | change
    with pytest.raises(BadSignature):
        standard_webhooks.verify([SECRET], given, BODY, NOW)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_stale_or_future_timestamp_is_refused(minutes: int) -> None:
    given = standard_webhooks.headers(SECRET, "msg_1", NOW + timedelta(minutes=minutes), BODY)
    with pytest.raises(BadSignature, match="five minutes"):
        standard_webhooks.verify([SECRET], given, BODY, NOW)


def test_two_secrets_sign_side_by_side_and_each_verifies_alone() -> None:
    old, now = standard_webhooks.new_secret(), datetime.now(UTC)
    headers = standard_webhooks.headers(SECRET, "msg_1", now, BODY, [old])
    assert headers["webhook-signature"].count(" ") == 1
    for secret in (SECRET, old):
        assert Webhook(secret).verify(BODY, headers) == {"test": 2432232314}
        assert standard_webhooks.verify([secret], headers, BODY, now) == "msg_1"
