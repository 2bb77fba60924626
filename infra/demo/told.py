"""How households were told, for the report: by which channels, and where the first way was not the last."""

from collections import Counter
from typing import Any

from infra.demo.day import DayResult
from infra.demo.law import Databases
from infra.demo.peers import Received

NAMES = {"email": "mail", "zalo": "Zalo", "sms": "SMS", "telegram": "Telegram", "call": "a call"}
MOST = 6

_CLIMBED = """
select n.household_id, n.told_by,
    array(select array[d.channel, d.reason] from delivery d where d.notice_id = n.notice_id
        and d.state in ('refused', 'lapsed') order by d.delivery_id) as left_behind
from notice n where n.kind = 'basket' and n.told_by is not null
    and exists (select from delivery d where d.notice_id = n.notice_id and d.state in ('refused', 'lapsed'))
order by n.happened_at, n.household_id limit $1
"""


async def build(databases: Databases, day: DayResult, received: Received) -> dict[str, Any]:
    """What receivers got by each channel, and what the ladder did."""
    rows = await databases["notify"].fetch(_CLIMBED, MOST)
    codes = {
        row["household_id"]: f"{row['code']} {row['name']}"
        for row in await databases["catalog"].fetch("select household_id, code, name from household")
    }
    arrived = Counter(one.channel for one in received.delivered())
    arrived["email"] = len(received.mail_ids())
    climbed = [
        {"household": codes[row["household_id"]], "not_by": [list(way) for way in row["left_behind"]],
         "told_by": row["told_by"]}
        for row in rows
    ]  # fmt: skip
    return {"messages": dict(arrived), "calls": len(day.called), "climbed": climbed, "written": day.evening.written}


def text(told: dict[str, Any]) -> list[str]:
    """The same in a few lines."""
    by = [f"{NAMES[channel]} {count}" for channel, count in told["messages"].items() if count]
    lines = ["told by " + ", ".join(by) + (f", a call {told['calls']}" if told["calls"] else "")]
    for one in told["climbed"]:
        ways = ", ".join(f"not by {NAMES[channel]} ({reason})" for channel, reason in one["not_by"])
        lines.append(f"  {one['household']}: {ways}; told by {NAMES[one['told_by']]}")
    lines += [
        f"  {code} writes back by Zalo “{words}”, which is taken as its answer" for code, words in told["written"]
    ]
    return lines
