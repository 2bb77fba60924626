"""The queues of services that read another one's events and do not run."""

import aio_pika

from infra.local.stack import Stack
from services.chassis import topology
from services.chassis.topology import Wiring
from services.contracts.flow import READS, read_by


async def declare_readers(stack: Stack, producer: str, lanes: int) -> None:
    """Declares them as their owners would, so that what is published has somewhere to go."""
    for reader in read_by(producer):
        async with await aio_pika.connect(stack.rabbit.amqp_url(reader)) as connection:
            await topology.declare(connection, Wiring(reader, READS[reader], read_by(reader), range(lanes)))
