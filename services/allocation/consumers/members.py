"""Cooperatives, households and products, as catalog tells of them."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from services.allocation.domain.asked import ReplyPolicy, Silence
from services.allocation.domain.policies import DEFAULTS, DayPolicies, Policies, PromisePolicy, PromiseRule
from services.allocation.domain.shortfall import SharingRule
from services.allocation.store.members import (
    Household,
    Product,
    save_cooperatives,
    save_households,
    save_products,
)
from services.chassis.inbox import Handler, Received
from services.chassis.lanes import place_streams
from services.chassis.ledger import Transaction
from services.contracts import catalog as contract
from services.contracts.catalog import (
    CooperativeChanged,
    CooperativeRegistered,
    HouseholdChanged,
    HouseholdRegistered,
    ProductListed,
)

E = TypeVar("E", bound=StrEnum)


def taking_in_cooperatives(shared_lanes: int) -> Handler:
    """A handler that keeps what cooperatives state, and moves their streams to the lanes that catalog says."""

    async def take_in(tx: Transaction, events: Sequence[Received[CooperativeRegistered | CooperativeChanged]]) -> None:
        await save_cooperatives(tx.conn, {received.stream: policies_of(received.event.policies) for received in events})
        await place_streams(tx, {received.stream: received.event.lane for received in events}, shared_lanes)

    return take_in


async def take_in_households(
    tx: Transaction, events: Sequence[Received[HouseholdRegistered | HouseholdChanged]]
) -> None:
    """Keeps the last word on each household."""
    households = {
        x.event.household_id: Household(x.stream, x.event.code, x.event.share_weight, x.event.maximum_load_grams)
        for x in events
    }
    await save_households(tx.conn, households)


async def take_in_products(tx: Transaction, events: Sequence[Received[ProductListed]]) -> None:
    """Keeps the last word on each product. Offers that are published keep the step that they were published with."""
    products = {
        x.event.product_id: Product(
            x.stream, x.event.code, x.event.name, x.event.unit, x.event.step_milliunits, x.event.step_grams
        )
        for x in events
    }
    await save_products(tx.conn, products)


def policies_of(stated: contract.Policies) -> Policies:
    """What the cooperative states; for a code that is not known here the default holds."""
    return Policies(
        PromisePolicy(stated.buffer_permille, _known(PromiseRule, stated.promise_rule, DEFAULTS.promise.rule)),
        stated.memory_days,
        stated.minimum_delivery_vnd,
        ReplyPolicy(_known(Silence, stated.silence, DEFAULTS.reply.silence), stated.reply_rounds),
        DayPolicies(
            stated.reply_minutes,
            _known(SharingRule, stated.shortfall_rule, DEFAULTS.day.shortfall_rule),
            stated.fee_permille,
        ),
    )


def _known(kind: type[E], code: str, default: E) -> E:
    return kind(code) if code in set(kind) else default
