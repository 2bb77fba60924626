"""What it costs to store 8 kB for good on the disk of the private PostgreSQL, by PostgreSQL's own measure."""

import asyncio
import re
import subprocess
from pathlib import Path

import asyncpg

from infra.local.binaries import find_or_install
from infra.local.errors import LocalStackError
from infra.local.postgres import data_directory
from infra.local.stack import Stack


async def stored_us(stack: Stack) -> int:
    """Microseconds of one write of a page with the server's `wal_sync_method`, while nothing else is going on."""
    admin = await asyncpg.connect(stack.postgres.admin_dsn())
    try:
        method = await admin.fetchval("show wal_sync_method")
    finally:
        await admin.close()
    return await asyncio.to_thread(_measured_us, data_directory(stack.root) / "fsync-test", method)


def _measured_us(file: Path, method: str) -> int:
    postgres, _ = find_or_install()
    command = [str(postgres.pg_test_fsync), "-s", "1", "-f", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.match(rf"\s*{method}\s.*\s([0-9]+) usecs/op", line):
                process.terminate()  # it removes its file; what would follow are other writes
                return int(found[1])
    raise LocalStackError(f"pg_test_fsync measured no {method}")
