"""Two PostgreSQL servers, of which the second has all that the first has acknowledged.

A commit is acknowledged when both have stored it; after `fail_over` the second one goes on alone. Clients name
both and use the one that takes writes.
"""

from infra.local.postgres import PostgresServer


class SynchronousPair:
    """`primary`, and `standby`, a server that follows it; a failover exchanges them."""

    def __init__(self, primary: PostgresServer, standby: PostgresServer) -> None:
        self.primary = primary
        self.standby = standby

    def start(self) -> None:
        """Start the standby anew on a copy of the running primary; returns when nothing is acknowledged without it."""
        self.standby.start(fresh=True)
        self.primary.wait_for_standby(self.standby.name)

    def stop(self) -> None:
        """Stop both, the one that takes writes first."""
        self.primary.stop()
        self.standby.stop()

    def fail_over(self, *, keep_as_reader: bool = False) -> None:
        """Kill the primary and promote the standby; the old primary stays down, or comes back taking no writes."""
        self.primary.kill()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        if keep_as_reader:
            self.standby.start(read_only=True)

    def dsn(self, service: str, database: str | None = None) -> str:
        """The service's address, today's primary first; to be used with target_session_attrs=read-write."""
        one, other = (f"127.0.0.1:{server.port}" for server in (self.primary, self.standby))
        return self.primary.dsn(service, database).replace(one, f"{one},{other}")
