"""What PostgreSQL looks at on its way to an answer."""

import json
from collections.abc import Mapping
from typing import Any

from services.chassis.ledger import Connection


async def explained(conn: Connection, statement: str, *values: Any) -> Mapping[str, Any]:
    """The plan of a statement, as it was run."""
    (told,) = json.loads(await conn.fetchval(f"explain (analyze, format json) {statement}", *values))
    plan: Mapping[str, Any] = told["Plan"]
    return plan


def looked_at(node: Mapping[str, Any]) -> int:
    """Rows that a part of a plan found or passed over."""
    passed_over = ("Filter", "Join Filter", "Index Recheck")
    own = node["Actual Rows"] + sum(node.get(f"Rows Removed by {what}", 0) for what in passed_over)
    return int(own * node["Actual Loops"]) + sum(looked_at(part) for part in node.get("Plans", ()))
