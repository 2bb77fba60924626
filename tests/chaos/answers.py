"""Laws of the answers: what partners, staff and households were told is taken stands in the books, once."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from infra.demo.law import Databases, Invariant
from infra.demo.pushes import Push
from tests.chaos.arena import Arena
from tests.chaos.once import OFFERED, by, said_by
from tests.chaos.world import LiveOffer


async def every_answer_stands(databases: Databases, arena: Arena) -> Invariant:
    """Each acknowledged order is there under the id that was answered, and says what its partner said last."""
    found = Invariant("what was answered stands")
    rows = await databases["orders"].fetch(
        "select partner_id::text, partner_ref, order_id::text, revised_at, kind, state, wanted from customer_order"
    )
    closed = {
        row["order_id"]
        for row in await databases["orders"].fetch(
            "select distinct order_id::text from order_line join offer using (offer_id) where offer.state = 'withdrawn'"
        )
    }
    stored = {(row["partner_id"], row["partner_ref"]): row for row in rows}
    for key, push in arena.load.acknowledged.items():
        row = stored.get(key)
        if row is None:
            found.faults.append(f"order {key[1]} was acknowledged and is lost")
            continue
        found.must_equal(f"id of {key[1]}", row["order_id"], arena.load.order_ids[key])
        found.must_equal(f"last word on {key[1]}", _stated(push), _kept(row))
        # What a withdrawn offer was promised of cannot be cancelled any more.
        if push.cancelled and row["state"] != "cancelled" and row["order_id"] not in closed:
            found.faults.append(f"order {key[1]} was cancelled and is {row['state']}")
    found.compared = {"acknowledged": len(arena.load.acknowledged)}
    if not arena.load.acknowledged:
        found.faults.append("no push was acknowledged")
    return found


def _stated(push: Push) -> tuple[datetime, str, Any]:
    lines = [] if push.cancelled else sorted((sku, str(quantity)) for sku, quantity in push.lines)
    return push.updated_at, "cancel" if push.cancelled else "upsert", lines


def _kept(row: Any) -> tuple[datetime, str, Any]:
    wanted = json.loads(row["wanted"])
    lines = [] if row["kind"] == "cancel" else sorted((sku, quantity) for _, sku, quantity, *_ in wanted)
    return row["revised_at"], row["kind"], lines


# -- Staff -----------------------------------------------------------------------------------------------------


async def offers_stand(databases: Databases, arena: Arena) -> Invariant:
    """Offers are posted and withdrawn as was answered, and their pledges are those that were stated last.

    Each statement is said at most once and in its turn; those that a restored catalog has lost are not said any more.
    Where orders had closed an offer before it heard of the last word, as by a clock that is fast, that word comes too
    late for the others. An offer that is withdrawn after catalog was restored, and before its pledges could be stated
    again, keeps those of the backup.
    """
    found = Invariant("what staff stated of offers stands")
    posted = {it.offer_id: it for member in arena.world.members for it in member.offers.values()}
    withdrawn = {it.offer_id: it for member in arena.world.members for it in member.withdrawn}
    every = posted | withdrawn
    late = {str(offer_id) for offer_id in await pledges_said_too_late(databases)}
    forgot = arena.expected.all_restored or bool(await databases["catalog"].fetch("select from lost_events limit 1"))
    for service, wanted in (("catalog", every), ("allocation", {id: posted[id] for id in posted.keys() - late})):
        kept = await _pledges(databases, service)
        for offer_id, offer in wanted.items():
            if not (forgot and offer_id in withdrawn and kept.get(offer_id) in offer.stated):
                found.must_equal(f"pledges of {offer_id} in {service}", kept.get(offer_id, {}), offer.stated[-1])
    for service, query, unheard in (
        ("catalog", "select offer_id::text from offer where withdrawn_at is not null", set()),
        ("orders", "select offer_id::text from offer where state = 'withdrawn'", late),
        ("allocation", "select offer_id::text from offer_book where not listed", late),
    ):
        gone = {row["offer_id"] for row in await databases[service].fetch(query)} & every.keys()
        found.must_equal(f"withdrawn offers in {service}", gone - unheard, withdrawn.keys() - unheard)
    await _statements_are_said_once(databases, found, every)
    found.compared = {"offers": len(every), "statements": sum(len(it.stated) for it in every.values())}
    return found


async def pledges_said_too_late(databases: Databases) -> dict[UUID, dict[UUID, int]]:
    """Of the offers of which catalog said something that orders had not applied at their closing: steps by household.

    Allocation may have applied some of it before it heard of the closing, so the most of what was said last before the
    closing and since.
    """
    closed = by(await said_by(databases, "orders", ("orders.intake_closed.v1",)), "offer_id")
    offered = by(await said_by(databases, "catalog", OFFERED), "offer_id")
    found: dict[UUID, dict[UUID, int]] = {}
    for offer_id, own in closed.items():
        said = offered.get(offer_id, [])
        genuine = [it for it in own if said and it.stream == said[0].stream]
        heard = [it.after.get("catalog", 0) for it in genuine]
        late = [it for it in said if heard and it.sequence > heard[-1]]
        if late:
            counting = [*[it for it in said if it.sequence <= heard[-1]][-1:], *late]
            most = found[UUID(offer_id)] = {}
            for pledge in (pledge for it in counting for pledge in it.content.get("pledges", ())):
                household_id = UUID(pledge["household_id"])
                most[household_id] = max(most.get(household_id, 0), pledge["quantity_steps"])
    return found


async def _pledges(databases: Databases, service: str) -> dict[str, dict[str, int]]:
    """offer_id → household code → steps"""
    found: dict[str, dict[str, int]] = {}
    for row in await databases[service].fetch(
        "select offer_id::text, code, quantity_steps from pledge join household using (household_id)"
    ):
        found.setdefault(row["offer_id"], {})[row["code"]] = row["quantity_steps"]
    return found


async def _statements_are_said_once(databases: Databases, found: Invariant, offers: Mapping[str, LiveOffer]) -> None:
    codes = {
        r["id"]: r["code"]
        for r in await databases["catalog"].fetch("select household_id::text as id, code from household")
    }
    events = await said_by(databases, "catalog", ("catalog.offer_published.v1", "catalog.offer_changed.v1"))
    for offer_id, own in by(events, "offer_id").items():
        if offer_id not in offers:
            continue
        said = [{codes[it["household_id"]]: it["quantity_steps"] for it in event.content["pledges"]} for event in own]
        changes = [one for index, one in enumerate(said) if not index or one != said[index - 1]]
        stated = iter(offers[offer_id].stated)
        if not all(any(one == other for other in stated) for one in changes):
            found.faults.append(f"offer {offer_id}: {changes} was said of {offers[offer_id].stated}")


async def arrivals_stand(databases: Databases, arena: Arena) -> Invariant:
    """What was weighed in is in the books as it was answered; each arrival and each departure is said once."""
    found = Invariant("arrivals and departures stand, once")
    arrivals = arena.evening.taken.arrivals if arena.evening else {}
    departures = arena.evening.taken.departures if arena.evening else set()
    kept = {
        row["arrival_id"]: (row["household_id"], row["offer_id"], row["accepted_steps"], row["rejected_steps"])
        for row in await databases["allocation"].fetch(
            "select arrival_id::text, household_id::text, offer_id::text, accepted_steps, rejected_steps from arrival"
        )
    }
    found.must_equal("arrivals", kept, arrivals)
    said = await said_by(databases, "allocation", ("allocation.arrival_recorded.v1",))
    found.must_equal(
        "times said", Counter(it.content["arrival_id"] for it in said), Counter(dict.fromkeys(arrivals, 1))
    )
    for what in ("truck_departed", "day_settled"):
        left = Counter(it.stream for it in await said_by(databases, "allocation", (f"allocation.{what}.v1",)))
        found.must_equal(what, left, Counter(dict.fromkeys(departures, 1)))
    twice = await databases["allocation"].fetch(
        "select household_id, delivery_day, count(*) as times from settlement_entry where reason is null"
        " group by 1, 2 having count(*) > 1"
    )
    found.faults += [f"household {r['household_id']} was settled with {r['times']} times" for r in twice]
    found.compared = {"arrivals": len(arrivals), "departures": len(departures)}
    return found


# -- Households ------------------------------------------------------------------------------------------------


async def replies_stand(databases: Databases, arena: Arena) -> Invariant:
    """Each answer is said once, is the last one that notify keeps, and reached the basket that it answers."""
    found = Invariant("what households answered stands, once")
    replies = arena.evening.taken.replies if arena.evening else {}
    events = await said_by(databases, "notify", ("notify.household_replied.v1",))
    said = Counter((it.content["household_id"], it.content["version"], it.content["answer"]) for it in events)
    found.must_equal("replies", said, Counter({(*key, answer): 1 for key, answer in replies.items()}))
    last = {household_id: answer for (household_id, _), answer in sorted(replies.items())}
    for service, query in (
        ("notify", "select household_id::text, answer from basket_reply"),
        ("allocation", "select household_id::text, answer from basket where answer is not null"),
    ):
        kept = {row["household_id"]: row["answer"] for row in await databases[service].fetch(query)}
        found.must_equal(f"last replies in {service}", kept, last)
    found.compared = {"replies": len(replies)}
    return found
