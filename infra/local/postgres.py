"""A private PostgreSQL server: own data directory, own loopback port, own passwords, no Unix socket.

PostgreSQL refuses to run as root, so a root's server runs as the user postgres (or nobody); when that user
can't reach the checkout (a clone below /root), its data directory lies below /var/tmp instead.
"""

import asyncio
import os
import re
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import asyncpg

from infra.local import accounts, disk, owned, places
from infra.local.binaries import PostgresBinaries
from infra.local.errors import LocalStackError, last_lines

T = TypeVar("T")

_STANDBY_SIGNAL = "standby.signal"  # a server that finds this file takes no writes
ADMIN = "postgres"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket path is limited to 107 bytes, and nothing needs one
    "max_connections": "200",
    "shared_buffers": "96MB",
    "max_wal_size": "512MB",
    "fsync": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


class PostgresServer:
    """One server with one database and one role per service.

    `root` is the stack's directory; a tied server dies with the process that started it. One that is not `durable`
    does not wait for the disk, which makes the many databases of a test run three times as fast. `settings` are
    PostgreSQL's own and count from the next start. With `disk_mib` the data lies on a disk of that size in memory.
    A server that `follows` another one is its standby until it is promoted; it needs its own `name` and port.
    """

    def __init__(
        self,
        root: Path,
        binaries: PostgresBinaries,
        *,
        port: int,
        admin_password: str,
        service_passwords: Mapping[str, str],
        tied: bool = True,
        durable: bool = True,
        name: str = "postgres",
        settings: Mapping[str, str] | None = None,
        disk_mib: int | None = None,
        follows: "PostgresServer | None" = None,
    ) -> None:
        self.port = port
        self.name = name
        self.settings = dict(settings or {})
        self.log_path = root / "logs" / f"{name}.log"
        self._durable = durable
        self._disk_mib = disk_mib
        self._follows = follows
        self._root = root
        self._binaries = binaries
        self._admin_password = admin_password
        self._service_passwords = service_passwords
        self._tied = tied
        self._run_directory = root / "run"
        self._account = accounts.unprivileged()

    def start(self, *, fresh: bool = False, read_only: bool = False) -> None:
        """Start it, on an empty cluster if `fresh` or none is there; returns when it answers queries.

        A `read_only` one takes no writes until it is promoted, as a former primary after a failover.
        """
        if self.alive:
            raise LocalStackError("PostgreSQL runs already")
        if fresh:
            places.delete(self._root, self.name)
        place = self._place
        if self._disk_mib:
            disk.mount(place, self._disk_mib, self._account)
        cluster = place / "cluster"
        if not (cluster / "PG_VERSION").exists():
            self._make_cluster(cluster)
        if read_only:
            (cluster / _STANDBY_SIGNAL).touch(mode=0o600)
        made_by = (cluster / "PG_VERSION").read_text().strip()
        if made_by != str(self._binaries.major):
            raise LocalStackError(
                f"the data was written by PostgreSQL {made_by}, found is {self._binaries.major};"
                " `make down ARGS=--wipe` deletes it"
            )
        settings = {**_SETTINGS, "port": str(self.port)}
        if not self._durable:  # survives the death of every process, not that of the machine
            settings |= {"fsync": "off", "full_page_writes": "off"}
        settings |= self.settings
        command: list[str | Path] = [self._binaries.directory / "postgres", "-D", cluster]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        owned.spawn(
            self.name,
            command,
            run_directory=self._run_directory,
            log_path=self.log_path,
            environment=accounts.environment(),
            working_directory=Path("/"),
            tied=self._tied,
            account=self._account,
        )
        self._wait_until_it_answers(timeout_s=60)

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything is written."""
        if process := owned.find(self._run_directory, self.name):
            process.stop(30, signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to the server and its backends, as when the power fails."""
        if process := owned.find(self._run_directory, self.name):
            process.kill()

    def restart(self) -> None:
        """Stop and start on the same port with the same data."""
        self.stop()
        self.start()

    @property
    def alive(self) -> bool:
        """True while the server process exists."""
        return owned.find(self._run_directory, self.name) is not None

    def fill_disk(self) -> None:
        """Leave no byte free on the server's small disk. It may end over that, and is started again by `start`."""
        disk.fill(self._place)

    def free_disk(self) -> None:
        """Give back what `fill_disk` took."""
        disk.free(self._place)

    def promote(self) -> None:
        """End the standby's following: it takes writes when this returns."""
        if not self._as_admin(lambda admin: admin.fetchval("SELECT pg_promote(wait => true, wait_seconds => 60)")):
            raise LocalStackError(f"PostgreSQL was not promoted within 60 s:\n{last_lines(self.log_path)}")

    def wait_for_standby(self, name: str, timeout_s: float = 30) -> None:
        """From now on a commit is acknowledged only when the standby of this name has stored it as well."""

        async def require(admin: asyncpg.Connection) -> bool:
            await admin.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{_name(name)}'")
            await admin.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + timeout_s
            following = "SELECT sync_state = 'sync' FROM pg_stat_replication WHERE application_name = $1"
            while not await admin.fetchval(following, name):
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(0.05)
            return True

        if not self._as_admin(require):
            raise LocalStackError(f"the standby {name} does not follow:\n{last_lines(self.log_path)}")

    def admin_dsn(self, database: str = "postgres") -> str:
        """The superuser's address of a database."""
        return f"postgresql://{ADMIN}:{self._admin_password}@127.0.0.1:{self.port}/{database}"

    def dsn(self, service: str, database: str | None = None) -> str:
        """The service role's address of its own database, or of another one that it owns."""
        password = self._service_passwords[service]
        return f"postgresql://{service}:{password}@127.0.0.1:{self.port}/{database or service}"

    def create_service_databases(self) -> None:
        """One role and one database per service; no role can connect to the database of another."""

        async def create(admin: asyncpg.Connection) -> None:
            for database in ("postgres", "template1"):
                await admin.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
            roles = {row["rolname"] for row in await admin.fetch("SELECT rolname FROM pg_roles")}
            for service, password in self._service_passwords.items():
                verb = "ALTER" if service in roles else "CREATE"
                await admin.execute(f"{verb} ROLE {_name(service)} LOGIN PASSWORD '{password}'")
                if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", service):
                    await _create_database(admin, service, service, None)

        self._as_admin(create)

    def create_database(self, name: str, owner: str, template: str | None = None) -> None:
        """A database of `owner`, empty or copied from `template`, to which nobody may be connected."""
        self._as_admin(lambda admin: _create_database(admin, name, owner, template))

    def drop_database(self, name: str) -> None:
        """Drop it if it exists, ending the sessions that use it."""
        self._as_admin(lambda admin: admin.execute(f"DROP DATABASE IF EXISTS {_name(name)} WITH (FORCE)"))

    @property
    def _place(self) -> Path:
        return data_directory(self._root, self.name)

    def _make_cluster(self, cluster: Path) -> None:
        if self._follows:
            self._copy(self._follows, cluster)
        else:
            self._initdb(cluster)

    def _copy(self, primary: "PostgresServer", cluster: Path) -> None:
        """The primary's data as it is now, and where to get what comes after it."""
        where = f"host=127.0.0.1 port={primary.port} user={ADMIN} application_name={self.name}"
        command: list[str | Path] = [self._binaries.pg_basebackup, "--pgdata", cluster, "--dbname", where]
        command += ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        result = accounts.run(command, self._account, {"PGPASSWORD": self._admin_password})
        if result.returncode != 0:
            raise LocalStackError(f"pg_basebackup failed:\n{result.stdout}{result.stderr}")

    def _initdb(self, cluster: Path) -> None:
        password_file = cluster.parent / "admin-password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._admin_password)
        if self._account:
            os.chown(password_file, self._account.uid, self._account.gid)
        command: list[str | Path] = [self._binaries.directory / "initdb", "--pgdata", cluster, "--username", ADMIN]
        command += ["--pwfile", password_file, "--auth=scram-sha-256", "--no-sync", "--no-instructions"]
        command += ["--encoding=UTF8", "--locale=C.UTF-8"]
        try:
            result = accounts.run(command, self._account)
        finally:
            password_file.unlink()
        if result.returncode != 0:
            raise LocalStackError(f"initdb failed:\n{result.stdout}{result.stderr}")

    def _wait_until_it_answers(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            if not self.alive:
                raise LocalStackError(f"PostgreSQL ended at its start:\n{last_lines(self.log_path)}")
            try:
                self._as_admin(lambda admin: admin.execute("SELECT 1"))
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError) as error:
                if time.monotonic() > deadline:
                    raise LocalStackError(
                        f"PostgreSQL did not answer within {timeout_s:.0f} s:\n{last_lines(self.log_path)}"
                    ) from error
            else:
                return
            time.sleep(0.05)

    def _as_admin(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        async def connected() -> T:
            admin = await asyncpg.connect(self.admin_dsn(), timeout=30)
            try:
                return await work(admin)
            finally:
                await admin.close()

        return _run_in_thread(connected)


def data_directory(root: Path, name: str = "postgres") -> Path:
    """Where the server of the stack in `root` keeps its data; made if need be, in a place where it can work."""
    account = accounts.unprivileged()
    return places.settle(root, name, account, lambda it: accounts.can_enter(it, account))


async def _create_database(admin: asyncpg.Connection, name: str, owner: str, template: str | None) -> None:
    copied = f" TEMPLATE {_name(template)}" if template else ""
    await admin.execute(f"CREATE DATABASE {_name(name)} OWNER {_name(owner)}{copied}")
    await admin.execute(f"REVOKE ALL ON DATABASE {_name(name)} FROM PUBLIC")


def _name(identifier: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", identifier):
        raise ValueError(f"not a plain database or role name: {identifier!r}")
    return f'"{identifier}"'


def _run_in_thread(work: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine to its end, whether or not an event loop runs in the calling thread."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    async def main() -> T:
        return await work()

    def target() -> None:
        try:
            outcome.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=target, name="postgres-admin")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
