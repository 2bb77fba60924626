"""The policies are the same in requests, in the books and in events: names, defaults and limits."""

import json
from dataclasses import asdict
from typing import Any
from uuid import UUID

import msgspec
import pytest

from services.catalog.domain.values import Policies
from services.catalog.http.policies import PoliciesBody
from services.contracts import catalog as contract


def test_names_and_defaults_are_those_of_the_contract() -> None:
    assert asdict(Policies()) == msgspec.structs.asdict(contract.Policies())
    assert list(PoliciesBody.model_fields) == list(asdict(Policies()))


def limits(schema: dict[str, Any]) -> dict[str, tuple[int | None, int | None]]:
    """Least and most of each whole number."""
    numbers = {name: each for name, each in schema["properties"].items() if each["type"] == "integer"}
    return {name: (each.get("minimum"), each.get("maximum")) for name, each in numbers.items()}


def test_what_staff_may_state_an_event_may_carry() -> None:
    asked = limits(PoliciesBody.model_json_schema())
    told = limits(contract.CooperativeChanged.json_schema()["$defs"]["Policies"])
    assert asked == told | {"minimum_delivery_vnd": (0, 1_000_000_000)}


def test_an_event_from_before_policies_has_the_defaults() -> None:
    old = {
        "cooperative_id": str(UUID(int=1)),
        "slug": "van-ho",
        "name": "HTX",
        "timezone": "UTC",
        "collection_points": [],
    }
    assert contract.CooperativeChanged.decode(json.dumps(old).encode()).policies == contract.Policies()


def test_a_reader_accepts_a_rule_that_it_does_not_know() -> None:
    assert msgspec.convert({"promise_rule": "lottery"}, contract.Policies).promise_rule == "lottery"


@pytest.mark.parametrize(
    "wrong", [{"buffer_permille": 901}, {"memory_days": 0}, {"reply_minutes": 1441}, {"reply_rounds": 6}]
)
def test_an_event_with_a_policy_out_of_range_is_not_read(wrong: dict[str, int]) -> None:
    with pytest.raises(msgspec.ValidationError, match=next(iter(wrong))):
        msgspec.convert(wrong, contract.Policies)
