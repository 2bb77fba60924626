"""Which orders are of one customer. A customer has at most one phone, one e-mail, and one account at each partner.

The strongest sign of an order decides. Where it is known, the order is of that customer; a weaker sign that is known as
somebody else's stays theirs. Two customers become one only by an order that names signs of both, and only where
nothing speaks against it: a shop that types its own e-mail for everybody, or an account that orders for a neighbour,
must not make one person of two, since then one would be shown, or erased with, the other.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.orders.domain.customers import Identity


@dataclass(slots=True)
class Customer:
    """A customer while orders are linked; `values` are the signs by kind. Name and address are those of `told_at`."""

    customer_id: UUID
    values: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    address: str | None = None
    told_at: datetime | None = None
    is_new: bool = False
    is_changed: bool = False


@dataclass(frozen=True, slots=True)
class ToldOrder:
    """What an order tells of its customer; `signs` has the strongest first and is not empty."""

    order_id: UUID
    received_at: datetime
    signs: Sequence[Identity]
    name: str | None
    address: str | None


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
        """The customer of the order; it may become another one's later, see `merged`."""
        customer = self._find(order.signs) or self._make()
        for sign in order.signs:
            if sign not in self._owners and sign.kind not in customer.values:
                customer.values[sign.kind] = sign.value
                customer.is_changed = True
                self._owners[sign] = customer
        if customer.told_at is None or order.received_at >= customer.told_at:
            customer.told_at = order.received_at
            name, address = order.name or customer.name, order.address or customer.address
            customer.is_changed |= (name, address) != (customer.name, customer.address)
            customer.name, customer.address = name, address
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
