"""The laws of telling: households and partners got exactly what the books say, and the books know what they got."""

import json
from collections import Counter
from collections.abc import Sequence, Set
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from infra.demo.law import Databases, Invariant, mapping
from infra.demo.peers import Received

_NEWEST = """
select distinct on (order_id) order_id::text, kind from partner_message
order by order_id, sequence desc, kind = 'order_cancelled' desc
"""
"""A cancellation has the place of the message that it follows."""


async def households_are_told_what_the_books_say(
    databases: Databases, received: Received, in_hand: Set[str] = frozenset()
) -> Invariant:
    """Invariant 4: one message per household and basket version, by mail, Zalo, SMS or Telegram, or one call instead.

    It is told by receipt, with the quantities of the books; no notice of any kind comes twice. Only what was `in_hand`
    when its sender died may be unknown: it came at most once, and the household counts as untold.
    """
    found = Invariant("households are told exactly what the books say, once per change")
    baskets = await databases["allocation"].fetch(
        "select household_id, delivery_day, version, told_at is not null as told, untold_reason from basket_version"
    )
    every = await databases["notify"].fetch(
        "select notice_id, kind, household_id, delivery_day, version, state, facts, told_by from notice"
    )
    notices = [n for n in every if n["kind"] == "basket"]
    found.must_equal(
        "baskets and notices",
        {(b["household_id"], b["delivery_day"], b["version"]) for b in baskets},
        {(n["household_id"], n["delivery_day"], n["version"]) for n in notices},
    )
    told_here = {(b["household_id"], b["delivery_day"], b["version"]) for b in baskets if b["told"]}
    untold = {(b["household_id"], b["delivery_day"], b["version"]) for b in baskets if b["untold_reason"]}
    sent = [n for n in notices if n["state"] != "superseded"]  # overtaken by a newer version before it was sent
    unknown = {str(n["notice_id"]) for n in sent if n["state"] == "unknown"}
    every_unknown = {str(n["notice_id"]) for n in every if n["state"] == "unknown"}
    found.faults += [f"notice {notice} is unknown and was in nobody's hand" for notice in every_unknown - in_hand]
    for notice in sent:
        key = (notice["household_id"], notice["delivery_day"], notice["version"])
        if key not in (untold if str(notice["notice_id"]) in unknown else told_here):
            found.faults.append(f"notice {notice['notice_id']} is {notice['state']}, and the books say otherwise")
        elif notice["state"] not in ("told", "unknown"):
            found.faults.append(f"notice {notice['notice_id']} is {notice['state']}")
    arrived = await messages_by_notice(databases, received)
    found.faults += [f"notice {notice} came {count} times" for notice, count in arrived.items() if count > 1]
    told_others = {str(n["notice_id"]) for n in every if n["kind"] != "basket" and n["state"] == "told"}
    found.faults += [f"notice {notice} is told and never came" for notice in told_others - arrived.keys()]
    mails = Counter({str(n["notice_id"]): arrived[str(n["notice_id"])] for n in notices})
    certain = Counter({notice: count for notice, count in mails.items() if count and notice not in unknown})
    by_message = Counter(str(n["notice_id"]) for n in sent if n["told_by"] != "call")
    found.must_equal("messages per notice", certain, by_message - Counter(unknown))
    await _must_have_told_the_items(found, databases, notices, sent)
    found.compared = {
        "baskets": len(baskets),
        "told": sum(n["state"] == "told" for n in notices),
        "unknown": len(every_unknown),
        "messages": mails.total(),
        "called": sum(n["told_by"] == "call" for n in notices),
    }
    return found


async def _must_have_told_the_items(
    found: Invariant, databases: Databases, notices: Sequence[asyncpg.Record], sent: Sequence[asyncpg.Record]
) -> None:
    """The newest notice of each household was sent and says what allocation's books ask for."""
    items: Counter[tuple[str, str, date]] = Counter()
    for row in await databases["allocation"].fetch(
        "select i.household_id, o.product_id, o.delivery_day, i.quantity_steps"
        " from basket_item i join offer o using (offer_id) where i.quantity_steps > 0"
    ):
        items[str(row["household_id"]), str(row["product_id"]), row["delivery_day"]] += row["quantity_steps"]
    latest: dict[tuple[Any, Any], Any] = {}
    for notice in sorted(notices, key=lambda n: n["version"]):
        latest[notice["household_id"], notice["delivery_day"]] = notice
    told: Counter[tuple[str, str, date]] = Counter()
    found.faults += [f"the newest basket of {n['household_id']} was not sent" for n in latest.values() if n not in sent]
    for notice in latest.values():
        for item in json.loads(notice["facts"])["items"]:
            told[str(notice["household_id"]), item["product_id"], notice["delivery_day"]] += item["quantity_steps"]
    found.must_equal("quantities told", told, items)


async def messages_by_notice(databases: Databases, received: Received) -> Counter[str]:
    """How often each notice arrived anywhere: by Message-ID, or by the delivery that a provider's id stands for."""
    rows = await databases["notify"].fetch(
        "select delivery_id, notice_id, channel, coalesce(provider_id, receipt) as provider_id from delivery"
    )
    by_ours = {row["delivery_id"]: str(row["notice_id"]) for row in rows}
    by_theirs = {(row["channel"], row["provider_id"]): str(row["notice_id"]) for row in rows}
    found = Counter(received.mail_ids())
    for one in received.delivered():
        notice = by_ours.get(UUID(one.our_id)) if one.our_id else by_theirs.get((one.channel, one.provider_id))
        found[notice or f"unknown {one.channel} {one.provider_id}"] += 1
    return found


async def partners_are_told_what_the_books_say(
    databases: Databases, received: Received, unsure: Set[str] = frozenset()
) -> Invariant:
    """Invariant 4 for partners: the newest webhook of each order says what the books say, also that it is cancelled.

    What counts as told came, and what came counts as told. Only of those that are `unsure`, since their sender died
    after they had come, may one have been overtaken by a newer one before it came again.
    """
    found = Invariant("partners are told exactly what the books say")
    messages = await databases["notify"].fetch("select message_id, state from partner_message")
    found.faults += [
        f"message {m['message_id']} is {m['state']}" for m in messages if m["state"] not in ("told", "superseded")
    ]
    overtaken = {str(m["message_id"]) for m in messages if m["state"] == "superseded"} & unsure
    told = {str(m["message_id"]) for m in messages if m["state"] == "told"}
    found.must_equal("webhooks that came, and those that count as told", received.webhooks.keys() - overtaken, told)
    rows: Sequence[asyncpg.Record] = await databases["allocation"].fetch(
        "select order_id, line_no, offer_id, sum(promised_steps - shorted_steps)::bigint as net from order_line"
        " group by 1, 2, 3 having sum(ordered_steps - cancelled_steps) > 0"
    )
    books: dict[str, Counter[int]] = {}
    for row in rows:
        books.setdefault(str(row["order_id"]), Counter())[row["line_no"]] += row["net"]
    rows = await databases["orders"].fetch("select order_id, announced from customer_order where state = 'cancelled'")
    cancelled = {str(row["order_id"]): row["announced"] for row in rows}
    said = {order: lines for order, lines in received.last_promises().items() if order not in cancelled}
    for order_id, lines in said.items():
        found.must_equal(f"order {order_id}", dict(+lines), dict(+books.get(order_id, Counter())))
    found.faults += [f"nobody was told of order {order_id}" for order_id in books if order_id not in said]
    newest = await mapping(databases["notify"], _NEWEST)
    known = [order_id for order_id, announced in cancelled.items() if announced]
    found.faults += [
        f"of cancelled order {order_id} the newest message is {newest.get(order_id)}"
        for order_id in known
        if newest.get(order_id) != "order_cancelled"
    ]
    found.compared = {"orders": len(said), "cancellations": len(known), "webhooks": received.webhook_count()}
    found.faults += received.bad_signatures + received.changed_copies
    return found


async def deliveries_are_told(databases: Databases, received: Received) -> Invariant:
    """Of each order line of a settled day: delivered = promised - shorted, told once per order and day."""
    found = Invariant("delivered = promised - shorted, and the partner is told so")
    books: dict[tuple[str, str], dict[tuple[int, str], int]] = {}
    for row in await databases["allocation"].fetch(
        "select order_id::text, o.delivery_day::text, line_no, offer_id::text,"
        " sum(promised_steps - shorted_steps)::bigint as net from order_line join offer o using (offer_id)"
        " where o.settled group by 1, 2, 3, 4 having sum(promised_steps) > 0"
    ):
        books.setdefault((row["order_id"], row["delivery_day"]), {})[row["line_no"], row["offer_id"]] = row["net"]
    events = [
        json.loads(row["data"])
        for row in await databases["allocation"].fetch(
            "select data from event_log where type = 'allocation.order_delivered.v1' order by stream, sequence"
        )
    ]
    times = Counter((event["order_id"], event["delivery_day"]) for event in events)
    found.faults += [f"order {order} was told {n} times of {day}" for (order, day), n in times.items() if n > 1]
    said = {
        (event["order_id"], event["delivery_day"]): {
            (line["line_no"], line["offer_id"]): line["delivered_steps"] for line in event["lines"]
        }
        for event in events
    }
    for key, lines in books.items():
        told = said.get(key, {})
        found.must_equal(f"order {key[0]} on {key[1]}", {place: told.get(place) for place in lines}, lines)
        extra = [place for place, steps in told.items() if steps and place not in lines]
        found.faults += [f"order {key[0]} was told of line {line_no} that never came" for line_no, _ in extra]
    cancelled = {
        row["order_id"]
        for row in await databases["orders"].fetch(
            "select order_id::text from customer_order where state = 'cancelled'"
        )
    }
    heard = received.deliveries()
    for key in books.keys() - {key for key in books if key[0] in cancelled}:
        by_number = Counter[int]()
        for (line_no, _), steps in said.get(key, {}).items():
            by_number[line_no] += steps
        found.must_equal(f"webhook on order {key[0]}", dict(heard.get(key, {})), dict(by_number))
    found.compared = {"deliveries": len(books), "steps": sum(sum(own.values()) for own in books.values())}
    return found
