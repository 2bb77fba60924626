"""The report of a day: figures read from the books, as JSON and as text for people."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from infra.demo import told
from infra.demo.day import DayResult
from infra.demo.law import Databases, Invariant
from infra.demo.peers import Received
from infra.demo.world import COOPERATIVES
from services.contracts.flow import READS, SERVICES


async def build(
    databases: Databases, day: DayResult, invariants: Sequence[Invariant], received: Received
) -> dict[str, Any]:
    """Everything that the day showed."""
    cooperatives = [await _cooperative(databases, c.slug, day) for c in COOPERATIVES]
    waits = await databases["orders"].fetchrow(
        "select percentile_cont(0.5) within group (order by ms) as p50,"
        " percentile_cont(0.99) within group (order by ms) as p99"
        " from (select extract(epoch from promised_at - received_at) * 1000 as ms from customer_order"
        " where promised_at is not null) t"
    )
    assert waits is not None
    return {
        "delivery_day": day.delivery_day.isoformat(),
        "orders": sum(c["orders"] for c in cooperatives),
        "promised_steps": sum(c["promised_steps"] for c in cooperatives),
        "short_steps": sum(c["short_steps"] for c in cooperatives),
        "baskets": sum(len(c["baskets"]) for c in cooperatives),
        **await _told(databases, received),
        "told": await told.build(databases, day, received),
        "webhooks_received": received.webhook_count(),
        "push_to_promise_ms": {"p50": round(waits["p50"], 1), "p99": round(waits["p99"], 1)},
        "pushes": dict(sorted(day.pushed.items())),
        "answers": {str(status): count for status, count in sorted(day.answers.items())},
        "replies": dict(sorted(day.evening.answers.items())),
        "asked_again": day.evening.asked_again,
        "settled_vnd": day.evening.net_vnd,
        "wrong_answers": day.wrong[:20],
        "cooperatives": cooperatives,
        "events": await _events(databases),
        "invariants": {i.name: i.as_json() for i in invariants},
    }


async def _told(databases: Databases, received: Received) -> dict[str, Any]:
    """By kind of notice how many were told, and how many mails arrived."""
    rows = await databases["notify"].fetch("select notice_id::text, kind, state from notice")
    kinds = {row["notice_id"]: row["kind"] for row in rows}
    told = Counter(row["kind"] for row in rows if row["state"] == "told")
    mails = Counter(kinds.get(id, "unknown") for id in received.mail_ids())
    return {"notices_told": dict(sorted(told.items())), "mails_received": dict(sorted(mails.items()))}


async def _cooperative(databases: Databases, slug: str, day: DayResult) -> dict[str, Any]:
    catalog, allocation = databases["catalog"], databases["allocation"]
    found = await catalog.fetchrow("select cooperative_id, name from cooperative where slug = $1", slug)
    assert found is not None
    identifier = found["cooperative_id"]
    offers = await catalog.fetch(
        "select o.offer_id, p.name, p.unit, p.step_milliunits from offer o join product p using (product_id)"
        " where o.cooperative_id = $1 and o.delivery_day = $2 order by p.code",
        identifier,
        day.delivery_day,
    )
    renewed = await catalog.fetchval(
        "select count(*) from offer where cooperative_id = $1 and delivery_day > $2", identifier, day.delivery_day
    )
    books = {
        row["offer_id"]: row
        for row in await allocation.fetch(
            "select b.offer_id, b.supply_steps, coalesce(sum(l.ordered_steps), 0)::bigint as ordered,"
            " coalesce(sum(l.promised_steps - l.shorted_steps), 0)::bigint as promised,"
            " coalesce(sum(l.short_steps + l.shorted_steps), 0)::bigint as short,"
            " coalesce(sum(l.shorted_steps), 0)::bigint as lost,"
            " coalesce(sum(l.cancelled_steps), 0)::bigint as cancelled"
            " from offer_book b left join order_line l using (offer_id) where b.offer_id = any($1) group by b.offer_id",
            [offer["offer_id"] for offer in offers],
        )
    }
    products = [
        {
            "offer": offer["name"],
            "unit": offer["unit"],
            "step_milliunits": offer["step_milliunits"],
            **{
                f"{word}_steps": books[offer["offer_id"]][word]
                for word in ("ordered", "promised", "short", "lost", "cancelled")
            },
            "supply_steps": books[offer["offer_id"]]["supply_steps"],
        }
        for offer in offers
    ]
    orders = await databases["orders"].fetchval(
        "select count(*) from customer_order where cooperative_id = $1", identifier
    )
    told = await databases["notify"].fetchval(
        "select count(*) from notice where cooperative_id = $1 and kind = 'basket' and state = 'told'", identifier
    )
    return {
        "cooperative": found["name"],
        "offers": products,
        "renewed_offers": renewed,
        "orders": orders,
        "promised_steps": sum(p["promised_steps"] for p in products),
        "short_steps": sum(p["short_steps"] for p in products),
        "baskets": await _baskets(databases, identifier, day),
        "notices_told": told,
    }


async def _baskets(databases: Databases, cooperative_id: Any, day: DayResult) -> list[dict[str, Any]]:
    names = {
        row["household_id"]: (row["code"], row["name"])
        for row in await databases["catalog"].fetch(
            "select household_id, code, name from household where cooperative_id = $1", cooperative_id
        )
    }
    rows = await databases["allocation"].fetch(
        "select v.household_id, bool_or(v.told_at is not null) as told, count(distinct i.offer_id) as items,"
        " coalesce((select sum(j.quantity_steps * o.step_value_vnd) from basket_item j join offer o using (offer_id)"
        "   where j.household_id = v.household_id and o.delivery_day = v.delivery_day), 0)::bigint as value_vnd"
        " from basket_version v left join basket_item i on i.household_id = v.household_id"
        "   and i.offer_id in (select offer_id from offer where delivery_day = v.delivery_day)"
        " where v.cooperative_id = $1 and v.delivery_day = $2 group by v.household_id, v.delivery_day",
        cooperative_id,
        day.delivery_day,
    )
    baskets = [
        {"household": names[r["household_id"]][0], "name": names[r["household_id"]][1], "items": r["items"],
         "value_vnd": r["value_vnd"], "told": r["told"]}
        for r in rows
    ]  # fmt: skip
    return sorted(baskets, key=lambda basket: str(basket["household"]))


async def _events(databases: Databases) -> dict[str, Any]:
    produced = {
        name: await databases[name].fetchval("select coalesce(sum(last_sequence), 0)::bigint from stream_head")
        for name in SERVICES
    }
    applied = {
        name: {
            producer: await databases[name].fetchval(
                "select coalesce(sum(sequence), 0)::bigint from consumer_cursor where producer = $1", producer
            )
            for producer in READS[name]
        }
        for name in SERVICES
    }
    return {"produced": produced, "applied": applied}


def quantity(steps: int, step_milliunits: int, unit: str) -> str:
    """Steps as a Vietnamese reader writes the quantity: 12,5 kg."""
    whole, rest = divmod(steps * step_milliunits, 1000)
    return f"{whole:,}".replace(",", ".") + (f",{rest:03d}".rstrip("0") if rest else "") + f" {unit}"


def vnd(amount: int) -> str:
    """Money as it is written in Vietnam: 1.234.000 đ."""
    return f"{amount:,} đ".replace(",", ".")


def text(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = ["", f"CHỢ PHIÊN · the market day of {report['delivery_day']}", ""]
    for cooperative in report["cooperatives"]:
        lines += _cooperative_text(cooperative)
    waits = report["push_to_promise_ms"]
    lines += [
        f"orders {report['orders']} · baskets {report['baskets']} · webhooks received {report['webhooks_received']}",
        "notices told: "
        + ", ".join(f"{kind} {count}" for kind, count in report["notices_told"].items())
        + f"; mails received {sum(report['mails_received'].values())}",
        *told.text(report["told"]),
        f"push to promise: p50 {waits['p50']} ms, p99 {waits['p99']} ms",
        "households answered: "
        + ", ".join(f"{answer} {count}" for answer, count in report["replies"].items())
        + f"; asked again {report['asked_again']}; settled: "
        + ", ".join(f"{slug} {vnd(net)}" for slug, net in report["settled_vnd"].items()),
        "pushes: " + ", ".join(f"{kind} {count}" for kind, count in report["pushes"].items()),
        "answers: " + ", ".join(f"{status} × {count}" for status, count in report["answers"].items()),
        "",
        "events       produced   applied by readers",
    ]
    for name, count in report["events"]["produced"].items():
        readers = [f"{r} {by[name]}" for r, by in report["events"]["applied"].items() if name in by]
        lines.append(f"  {name:<11}{count:>7}   {', '.join(readers)}")
    lines += ["", "invariants, checked by SQL on the four databases and by what the receivers got"]
    for name, found in report["invariants"].items():
        counts = ", ".join(f"{word} {count}" for word, count in found["compared"].items())
        lines.append(f"  {'holds ' if found['holds'] else 'BROKEN'}  {name}  ({counts})")
        lines += [f"          {fault}" for fault in found["faults"]]
    lines += [f"  WRONG ANSWER  {wrong}" for wrong in report["wrong_answers"]]
    return "\n".join(lines)


def _cooperative_text(cooperative: dict[str, Any]) -> list[str]:
    lines = [
        f"{cooperative['cooperative']}: {cooperative['orders']} orders, {len(cooperative['offers'])} offers,"
        f" {cooperative['renewed_offers']} offers renewed for the days after",
        f"  {'offer':<36}{'supply':>12}{'ordered':>12}{'promised':>12}{'short':>12}{'cancelled':>12}",
    ]
    for offer in cooperative["offers"]:
        cells = "".join(
            f"{quantity(offer[f'{word}_steps'], offer['step_milliunits'], offer['unit']):>12}"
            for word in ("supply", "ordered", "promised", "short", "cancelled")
        )
        lines.append(f"  {offer['offer']:<36}{cells}")
    lines.append(f"  baskets ({cooperative['notices_told']} notices told)")
    for basket in cooperative["baskets"]:
        told = "told" if basket["told"] else "NOT TOLD"
        lines.append(
            f"    {basket['household']}  {basket['name']:<18}{basket['items']:>3} products"
            f"{vnd(basket['value_vnd']):>16}  {told}"
        )
    return [*lines, ""]
