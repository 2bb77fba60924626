"""What every service does alike when catalog speaks: keys open and shut its doors, streams move to their lanes."""

from collections.abc import Sequence

from services.chassis.access import revoke_key, save_key
from services.chassis.inbox import Received
from services.chassis.lanes import pin_stream, shared_lane
from services.chassis.ledger import Transaction
from services.contracts.catalog import AccessKeyIssued, AccessKeyRevoked, CooperativeChanged, CooperativeRegistered


async def follow_keys(tx: Transaction, events: Sequence[Received[AccessKeyIssued | AccessKeyRevoked]]) -> None:
    """A key opens this service, or nothing any more, from this transaction on. Keys are few and come one by one."""
    for key in (received.event for received in events):
        if isinstance(key, AccessKeyIssued):
            await save_key(tx.conn, key.key_id, key.secret_sha256, key.role, key.scope, key.label)
        else:
            await revoke_key(tx.conn, key.key_id)


async def follow_lanes(
    tx: Transaction, events: Sequence[Received[CooperativeRegistered | CooperativeChanged]], shared_lanes: int
) -> None:
    """This service's streams move to the lanes that catalog says; null is the shared lane of the stream's hash."""
    for stream, lane in {received.stream: received.event.lane for received in events}.items():
        await pin_stream(tx, stream, shared_lane(stream, shared_lanes) if lane is None else lane)
