"""The same business as other teams would build it on the same servers: what ours is measured against.

    faststream  the plain pipeline: FastStream, one message = one call = one transaction, polling relay
    tuned       the same after a week of tuning
    celery      Celery and psycopg
    starlette   the HTTP intake alone, for single orders

All do the same writes (`schema/`) and are correct: at least once, each event applied once, no order lost, no offer
oversold. New orders only; changes, cancellations, cut-offs and baskets are not measured, and so not built here.

What ours does for each order beyond this, and is charged for:

- finds the customer by phone, e-mail or account, and keeps who has ordered how often;
- tells `catalog` after each transaction what can still be promised of each offer, and `catalog` writes it down;
- keeps each event for good in a log with a number, so that readers can notice gaps and have events sent again, see the
  events of a cooperative in their order and after their causes, and recognise a duplicate at any time;
- writes down in which order events of several services were applied, so that its tables can be made again;
- decides by tiers, smallest useful quantities and the rule of the cooperative, and not only by first come;
- limits each partner's rate, carries a trace context through all services, and has metrics of everything.
"""

from tests.perf.peers.base import Peer
from tests.perf.peers.celery_.peer import CeleryPeer
from tests.perf.peers.pipeline import PipelinePeer
from tests.perf.peers.starlette_.peer import StarlettePeer

FASTSTREAM = PipelinePeer("faststream")
_ALL: tuple[Peer, ...] = (FASTSTREAM, PipelinePeer("tuned"), CeleryPeer(), StarlettePeer())
PEERS = {peer.name: peer for peer in _ALL}
