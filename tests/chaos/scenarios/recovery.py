"""Tables that are lost, and made anew from the streams, while everybody goes on."""

from functools import partial

from services.allocation.app import service as allocation
from services.contracts.flow import SERVICES
from tests.chaos.arena import Arena
from tests.chaos.command import must
from tests.chaos.scenario import scenario

_FAILED_FOR_IT = "select 1 from parked_event where error like 'UndefinedTableError%'"


@scenario("derived tables dropped", heal_s=180)
async def dropped(arena: Arena) -> None:
    """All that allocation knows is dropped under load and made anew by `rebuild`."""
    await arena.load.until(0.4)
    await arena.as_admin(f"drop table {', '.join(allocation.derived)} cascade", database="allocation")
    await arena.until("events fail for want of the tables", partial(arena.sql, "allocation", _FAILED_FOR_IT))
    printed = await must(arena, "allocation", "rebuild")
    arena.fault_ends()
    assert f"applied anew to {len(allocation.derived)} tables" in printed, printed
    await arena.load.finished()
    await _all_equal(arena)


@scenario("rebuild compared under load", heal_s=180)
async def compared(arena: Arena) -> None:
    """A reader that starts from nothing comes to the same tables, of any moment, while all services run."""
    await arena.load.until(0.4)
    await _all_equal(arena)


async def _all_equal(arena: Arena) -> None:
    for service in SERVICES:
        printed = await must(arena, service, "rebuild", "--check")
        assert printed.rstrip().endswith("tables: equal"), printed
