"""What came of a batch is saved whatever is wrong with one of its results."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from services.chassis.ledger import Ledger, Transaction
from services.notify.channels import Batch
from services.notify.domain.delivery import Accepted, Outcome
from services.notify.sending import Sender

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
GOT = Accepted(NOW, "250")


@dataclass(frozen=True)
class One:
    """A claim, and the message that is made of it."""

    id: UUID


ALL = [One(UUID(int=n)) for n in range(4)]
BAD = ALL[1]


class Books:
    """A ledger without a database."""

    async def transact(self, work: Callable[[Any], Awaitable[object]]) -> object:
        return await work(None)


@dataclass
class Outbox:
    """Has no place for what came of one of its claims."""

    fault: Exception | None = None
    saved: list[tuple[One, Outcome]] = field(default_factory=list)
    batches: int = 0

    async def take(self, tx: Transaction, now: datetime) -> Sequence[One]:
        return ALL

    def compose(self, claim: One) -> One:
        return claim

    async def save(self, tx: Transaction, outcomes: Sequence[tuple[One, Outcome]], now: datetime) -> None:
        self.batches += 1
        if self.fault is not None and BAD in [claim for claim, _ in outcomes]:
            raise self.fault
        self.saved += outcomes


class Channel:
    """Everything arrives."""

    name = "email"

    async def send(self, messages: Sequence[One], batch: Batch) -> None:
        for message in messages:
            if batch.begin(message.id):
                batch.report(message.id, GOT)


def sender(outbox: Outbox) -> Sender[One, One]:
    return Sender(cast(Ledger, Books()), outbox, Channel(), lambda: NOW, timedelta(minutes=1))


async def test_a_result_that_cannot_be_saved_costs_the_others_nothing() -> None:
    outbox = Outbox(ValueError("no row can hold this"))
    with pytest.raises(ValueError, match="no row"):
        await sender(outbox).send_due(NOW)
    assert outbox.saved == [(one, GOT) for one in ALL if one is not BAD]


async def test_a_batch_without_faults_is_saved_as_one() -> None:
    outbox = Outbox()
    assert await sender(outbox).send_due(NOW)
    assert outbox.batches == 1
    assert outbox.saved == [(one, GOT) for one in ALL]
