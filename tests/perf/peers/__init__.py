"""The same business as other teams would build it on the same servers: what ours is measured against.

    faststream  the plain pipeline: FastStream, one message = one call = one transaction, polling relay
    tuned       the same after a week of tuning
    celery      Celery and psycopg
    starlette   the HTTP intake alone, for single orders

All do the same writes (`schema/`) and are correct: at least once, each event applied once, no order lost, no offer
oversold. New orders only; changes, cancellations, cut-offs and baskets are not measured, and so not built here.
"""

from tests.perf.peers.base import Peer
from tests.perf.peers.celery_.peer import CeleryPeer
from tests.perf.peers.pipeline import PipelinePeer
from tests.perf.peers.starlette_.peer import StarlettePeer

FASTSTREAM = PipelinePeer("faststream")
_ALL: tuple[Peer, ...] = (FASTSTREAM, PipelinePeer("tuned"), CeleryPeer(), StarlettePeer())
PEERS = {peer.name: peer for peer in _ALL}
