"""Connections to a PostgreSQL database that no server can leave hanging."""

import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from sqlalchemy import Engine, QueuePool, create_engine

READERS = 4
DEFAULTS: dict[str, Any] = {"connect_timeout": 3, "application_name": "runcast"}
"""Unless the URL has others."""
SILENT_SECONDS = 5.0
"""How long the server may leave us without a sign of life while it is waited for."""
LOOK_SECONDS = 0.05
"""How often it is looked whether whoever waits is still there."""
SETTINGS = (
    # A query that nobody waits for any more ends; it is not found out otherwise before its end.
    "SET client_connection_check_interval = '1s'",
    # Whoever holds locks and has gone silent, such as a frozen server of ours, lets go of them.
    "SET idle_in_transaction_session_timeout = '30s'",
)


class PostgresConnection(psycopg.Connection[TupleRow]):
    """One thread uses it; another may `interrupt` that. It is closed then."""

    _interrupted = False

    def interrupt(self) -> None:
        """Ends the statement that is waited for, with an OperationalError, and this connection."""
        self._interrupted = True

    def wait(
        self, gen: PQGen[Any], interval: float = LOOK_SECONDS, timeout: float | None = None
    ) -> Any:
        return super().wait(self._watched(gen), min(interval, LOOK_SECONDS), timeout)

    def _watched(self, gen: PQGen[Any]) -> Generator[Any, Any, Any]:
        """The same steps of psycopg, unless the server is silent for too long between two.

        A time for all of them would cut off what is large and takes long to be sent.
        """
        heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if self._interrupted:
                    self._give_up("it was interrupted")
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard > SILENT_SECONDS:
                    self._give_up(f"the server has not answered for {SILENT_SECONDS:g} s")
                wanted = gen.send(ready)
        except StopIteration as stop:
            return stop.value

    def _give_up(self, reason: str) -> None:
        # What it would answer later is of no use to the next statement.
        self.close()
        raise psycopg.OperationalError(reason)


def place_of(url: str) -> str:
    """Where the database of a URL is, without what is secret in it.

    Raises:
        ValueError: it is no URL of a PostgreSQL database.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("a URL is needed, such as postgresql://user@host/database")
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error as error:
        # libpq repeats what it was given.
        raise ValueError("this is no URL of a PostgreSQL database") from error
    user = f"{parts['user']}@" if parts.get("user") else ""
    hosts, ports = str(parts.get("host") or ""), str(parts.get("port") or "")
    port = f":{ports}" if ports else ""
    return f"postgresql://{user}{hosts}{port}/{parts.get('dbname') or ''}"


def engine(url: str, *, reads: bool) -> Engine:
    """Connections are made when they are needed. Those that read have one state of the database for
    all statements of a transaction."""
    conninfo = make_conninfo(**DEFAULTS | conninfo_to_dict(url))

    def connect() -> PostgresConnection:
        connection = PostgresConnection.connect(conninfo, autocommit=True)
        try:
            for setting in SETTINGS:
                # Some servers cannot do that, and do without.
                with suppress(psycopg.DatabaseError):
                    connection.execute(setting)
            connection.autocommit = False
            if reads:
                connection.read_only = True
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        except BaseException:
            connection.close()
            raise
        return connection

    return create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=READERS if reads else 1,
        use_native_hstore=False,
    )
