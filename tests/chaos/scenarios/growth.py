"""Orders that a partner makes larger and larger, with pushes that are each of a permitted size.

An event of more than 256 KiB cannot be sent. What would make one is refused at the door, and nothing that passed
the door may grow into one behind it, where it would hold up the whole cooperative.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import httpx

from infra.demo.client import canonical_headers, encode
from infra.demo.pushes import Push
from infra.demo.world import Product
from services.chassis.ids import uuid7
from services.chassis.ledger import MAX_EVENT_BYTES
from services.orders.adapters.base import MOST_LINES
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario
from tests.chaos.world import Member

LONG_SKU_LINES = 140
MOST_PUSHES = 20
_OF_ORDER = "select count(*) from event_log where stream = $1 and data->>'order_id' = $2"


@dataclass
class Growing:
    """One order of a partner that pushes it again and again."""

    arena: Arena
    member: Member
    ref: str
    skus: Sequence[str]
    """What each push calls the goods, in turn: a line that comes again under its name is the same line."""
    version: int = 0
    order_id: str = ""

    async def push(self, lines: int) -> httpx.Response:
        """The order as it shall be now: so many lines under numbers that were never used before."""
        partner, now = self.member.seeded.partners[0], datetime.now(UTC).replace(microsecond=0)
        updated_at = now - timedelta(hours=1) + timedelta(minutes=self.version)
        first, sku = 1 + self.version * MOST_LINES, self.skus[self.version % len(self.skus)]
        order = {
            "ref": f"DH-{self.ref}",
            "updated_at": updated_at.isoformat(),
            "status": "placed",
            "lines": [{"sku": sku, "quantity": "1", "line_no": first + n} for n in range(lines)],
        }
        body = encode({"order": order})
        headers = canonical_headers(partner.secret, f"msg_{uuid7().hex}", now, body)
        answer = await self.arena.client.push(partner.push_path, body, headers)
        self.version += 1
        if answer.is_success:
            said = ((sku, 1),) * lines
            push = Push("growing", partner, self.ref, body, headers, (202,), updated_at, said, False)
            load, key = self.arena.load, (partner.partner_id, push.partner_ref)
            self.order_id = load.order_ids[key] = answer.json()["order_id"]
            load.acknowledged[key] = push
        return answer

    async def events(self) -> int:
        """How often the other services were told of it."""
        stream = UUID(self.member.seeded.cooperative_id)
        count: int = await self.arena.books.value("orders", _OF_ORDER, stream, self.order_id)
        return count


@scenario("an order that outgrows its event")
async def outgrows(arena: Arena) -> None:
    """Lines of offers that were withdrawn stay, and new ones come; the push that is too much is refused for good."""
    await arena.load.until(0.2)
    member = arena.world.members[0]
    product = Product("rau-moi", "Rau mới", "rau mới", "kg", 1000, 10_000, 100)
    growing = Growing(arena, member, "LON", [f"{n:02}" + "ễ" * 98 for n in range(MOST_PUSHES)])
    await _list_product(arena, member, product, growing.skus)
    answer = None
    while answer is None or answer.is_success:
        offer_id = await _publish(arena, member, product)
        events = await growing.events() if growing.order_id else 0
        answer = await growing.push(LONG_SKU_LINES)
        await _withdraw(arena, member, offer_id)
        assert growing.version < MOST_PUSHES, "no push was too much"
    assert answer.status_code == 422, f"{answer.status_code} {answer.text[:300]}"
    assert answer.json()["type"] == "urn:cho-phien:problem:too-much", answer.text
    assert growing.version > 3, f"push {growing.version} was refused already"
    assert await growing.events() == events, "a refused push was announced"


@scenario("an order changed again and again")
async def changed_again_and_again(arena: Arena) -> None:
    """Each push replaces all lines by others; what was cancelled before must not make its promise ever larger."""
    await arena.load.until(0.2)
    member = arena.world.members[0]
    product = Product("rau-den", "Rau dền", "rau dền", "kg", 1000, 10_000, 100)
    growing = Growing(arena, member, "DOI", ["RAU-DEN-1KG"])
    await _list_product(arena, member, product, growing.skus)
    offer_id = await _publish(arena, member, product)  # one that the load's staff do not withdraw meanwhile
    for _ in range(10):
        answer = await growing.push(MOST_LINES)
        assert answer.status_code == 202, f"{answer.status_code} {answer.text[:300]}"
        decided = "select 1 from order_line where order_id = $1 and line_no > $2"
        last = (growing.version - 1) * MOST_LINES
        await arena.until(
            f"change {growing.version} is decided",
            partial(arena.sql, "allocation", decided, UUID(growing.order_id), last),
        )
    lines = await arena.books.value(
        "allocation", "select count(*) from order_line where order_id = $1", UUID(growing.order_id)
    )
    assert lines * 160 > MAX_EVENT_BYTES, f"only {lines} lines: not enough to fill an event"
    await _withdraw(arena, member, offer_id)


# -- What staff do ---------------------------------------------------------------------------------------------


async def _list_product(arena: Arena, member: Member, product: Product, skus: Sequence[str]) -> None:
    """A product of the scenario's own, so that the load's staff do not meddle with its offers."""
    staff = arena.client.speaking_as(member.seeded.staff_key)
    body = {
        "code": product.code, "name": product.name, "crop": product.crop, "grade": product.grade,
        "unit": product.unit, "step_milliunits": product.step_milliunits,
    }  # fmt: skip
    listed = await staff.ask("catalog", "POST", f"/v1/cooperatives/{member.seeded.slug}/products", body)
    known = partial(arena.sql, "orders", "select 1 from product where product_id = $1", UUID(listed["product_id"]))
    await arena.until("orders knows the product", known)
    partner_id = member.seeded.partners[0].partner_id
    meanings = [{"sku": sku, "product_code": product.code, "factor": "1"} for sku in skus]
    await staff.ask("orders", "PUT", f"/v1/partners/{partner_id}/skus", meanings)


async def _publish(arena: Arena, member: Member, product: Product) -> str:
    staff = arena.client.speaking_as(member.seeded.staff_key)
    pledges = [{"household_code": code, "quantity_steps": 500} for code in member.seeded.households]
    body = {"offers": [arena.world.offer_body(member, product, pledges)]}
    answer = await staff.ask("catalog", "POST", f"/v1/cooperatives/{member.seeded.slug}/offers", body)
    offer_id: str = answer["offers"][0]["offer_id"]
    await _until_offer_is(arena, offer_id, "open")
    return offer_id


async def _withdraw(arena: Arena, member: Member, offer_id: str) -> None:
    staff = arena.client.speaking_as(member.seeded.staff_key)
    await staff.ask("catalog", "POST", f"/v1/offers/{offer_id}/withdraw")
    await _until_offer_is(arena, offer_id, "withdrawn")


async def _until_offer_is(arena: Arena, offer_id: str, state: str) -> None:
    query = "select 1 from offer where offer_id = $1 and state = $2"
    await arena.until(f"orders sees the offer {state}", partial(arena.sql, "orders", query, UUID(offer_id), state))
