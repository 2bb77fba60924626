"""What attempts mean for the endpoints that they went to, in the transaction that saves them.

Where all is well nothing is read or written. Of an endpoint that is given up its cooperative's staff are told once.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.notify.climbing import Ladder
from services.notify.domain.delivery import Accepted, Failed, Outcome, Refused, Throttled
from services.notify.domain.endpoints import Endpoint, Health
from services.notify.domain.facts import EndpointFacts
from services.notify.domain.notices import ENDPOINT_DISABLED, Notice
from services.notify.store import books, endpoints

log = logging.getLogger(__name__)


async def follow(tx: Transaction, ladder: Ladder, outcomes: Sequence[tuple[Endpoint, Outcome]], now: datetime) -> None:
    """Judges the endpoints of these attempts, and does what follows."""
    tried: defaultdict[endpoints.Key, list[tuple[Endpoint, Outcome]]] = defaultdict(list)
    for endpoint, outcome in outcomes:
        tried[endpoint.cooperative_id, endpoint.partner_id].append((endpoint, outcome))
    noticed = {key for key, own in tried.items() if any(_may_matter(*one) for one in own)}
    if not noticed:
        return
    changed: dict[endpoints.Key, tuple[Endpoint, Health]] = {}
    for key, endpoint in (await endpoints.lock_endpoints(tx.conn, noticed)).items():
        # Whoever has set another address meanwhile knows what was wrong with the one before.
        after = endpoint.health.after([o for before, o in tried[key] if before.url == endpoint.url], now)
        if after != endpoint.health:
            changed[key] = (endpoint, after)
    if changed:
        await endpoints.save_health(tx.conn, {key: after for key, (_, after) in changed.items()})
    for key, (endpoint, after) in changed.items():
        if after.disabled_at is not None:
            log.warning("an endpoint is given up", extra={"partner": str(key[1]), "reason": after.disabled_reason})
            await _tell_staff(tx, ladder, endpoint, after, now)


def _may_matter(endpoint: Endpoint, outcome: Outcome) -> bool:
    match outcome:
        case Accepted():
            return endpoint.health.failing_since is not None
        case Failed() | Throttled():
            return True
        case Refused():
            return outcome.gone
        case _:
            return False


async def _tell_staff(tx: Transaction, ladder: Ladder, endpoint: Endpoint, health: Health, now: datetime) -> None:
    cooperative_id = endpoint.cooperative_id
    cooperative = (await books.list_cooperatives(tx.conn, {cooperative_id}))[cooperative_id]
    facts = EndpointFacts(
        cooperative.name,
        cooperative.timezone,
        endpoint.partner_id,
        urlsplit(endpoint.url).hostname or "",
        health.disabled_reason or "",
        health.last_failure or "",
        health.failures,
        health.failing_since or now,
        now,
    )
    await ladder.write_down(tx, [Notice(uuid7(), cooperative_id, ENDPOINT_DISABLED, facts, now)], now)
