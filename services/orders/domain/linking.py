"""Which orders are of one customer. A customer has at most one phone, one e-mail, and one account at each partner.

The strongest sign of an order decides. Where it is known, the order is of that customer; a weaker sign that is known as
somebody else's stays theirs. Two customers become one only by an order that names signs of both, and only where
nothing speaks against it: a shop that types its own e-mail for everybody, or an account that orders for a neighbour,
must not make one person of two, since then one would be shown, or erased with, the other.

A sign is a customer's as long as one of the orders tells it: what only a corrected order told goes with that order.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from services.orders.domain.customers import Identity


@dataclass(slots=True)
class Customer:
    """A customer while orders are linked; `values` are the signs by kind. Name and address are those of `told_at`.

    `released`: the signs before `rebuild`, by kind. Without `told_at` the customer has no order.
    """

    customer_id: UUID
    values: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    address: str | None = None
    told_at: datetime | None = None
    is_new: bool = False
    is_changed: bool = False
    released: dict[str, str] = field(default_factory=dict)

    def rebuild(self, orders: Iterable["ToldOrder"]) -> None:
        """The customer as these orders tell it, which are all that it keeps."""
        self.released, self.is_changed = self.values, True
        self.values, self.name, self.address, self.told_at = {}, None, None, None
        for order in sorted(orders, key=lambda one: (one.received_at, one.order_id)):
            self.values |= {sign.kind: sign.value for sign in order.signs if self.released.get(sign.kind) == sign.value}
            self.hear(order)

    def hear(self, order: "ToldOrder") -> None:
        """The newest word on name and address counts; an order without takes nothing away."""
        if self.told_at is None or order.received_at >= self.told_at:
            self.told_at = order.received_at
            name, address = order.name or self.name, order.address or self.address
            self.is_changed |= (name, address) != (self.name, self.address)
            self.name, self.address = name, address


class ToldOrder(Struct, frozen=True):
    """What an order tells of its customer; `signs` has the strongest first.

    `former`: the customer that the order had before its contact was corrected, and that was rebuilt without it.
    """

    order_id: UUID
    received_at: datetime
    signs: Sequence[Identity]
    name: str | None
    address: str | None
    former: UUID | None = None


class Register:
    """The customers of one cooperative that are known by any sign of the orders that are linked."""

    def __init__(self, known: Iterable[Customer], new_id: Callable[[], UUID]) -> None:
        self._new_id = new_id
        self.customers: dict[UUID, Customer] = {}
        self._owners: dict[Identity, Customer] = {}
        self.merged: dict[UUID, UUID] = {}
        """Customers that are no more, by the one that they became."""
        for customer in known:
            self.customers[customer.customer_id] = customer
            self._owners |= {Identity(kind, value): customer for kind, value in customer.values.items()}

    def link(self, order: ToldOrder) -> UUID:
        """The customer of the order, which has signs; it may become another one's later, see `merged`."""
        customer = self._find(order.signs) or self._former(order) or self._make()
        for sign in order.signs:
            if sign not in self._owners and sign.kind not in customer.values:
                customer.values[sign.kind] = sign.value
                customer.is_changed = True
                self._owners[sign] = customer
        customer.hear(order)
        return customer.customer_id

    def stands_for(self, customer_id: UUID) -> UUID:
        """Who the customer is after all mergers."""
        while customer_id in self.merged:
            customer_id = self.merged[customer_id]
        return customer_id

    def _find(self, signs: Sequence[Identity]) -> Customer | None:
        found: Customer | None = None
        for position, sign in enumerate(signs):
            owner = self._owners.get(sign)
            if owner is None or owner is found:
                continue
            if any(owner.values.get(other.kind, other.value) != other.value for other in signs[:position]):
                continue  # somebody else, by a stronger sign
            if found is None:
                found = owner
            elif all(found.values.get(kind, value) == value for kind, value in owner.values.items()):
                found = self._merge(*sorted((found, owner), key=lambda one: one.customer_id))
        return found

    def _former(self, order: ToldOrder) -> Customer | None:
        """Who had the order and is left without any sign is the same still, where a sign of the order is as it was."""
        customer = self.customers.get(order.former) if order.former else None
        if customer is None or customer.values:
            return None
        is_same = any(customer.released.get(sign.kind) == sign.value for sign in order.signs)
        return customer if is_same else None

    def _make(self) -> Customer:
        customer = Customer(self._new_id(), is_new=True)
        self.customers[customer.customer_id] = customer
        return customer

    def _merge(self, into: Customer, other: Customer) -> Customer:
        """The older of two customers has what both had; the newer word on name and address stays."""
        into.values |= other.values
        self._owners |= {Identity(kind, value): into for kind, value in other.values.items()}
        if into.told_at is None or (other.told_at is not None and other.told_at > into.told_at):
            into.name, into.address = other.name or into.name, other.address or into.address
            into.told_at = other.told_at
        into.is_changed = True
        del self.customers[other.customer_id]
        self.merged[other.customer_id] = into.customer_id
        return into
