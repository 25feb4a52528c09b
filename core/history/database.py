"""Connections to the SQLite file of the history."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DatabaseError

READERS = 4
"""How many may read at a time, each in a thread and with a connection of its own."""
BUSY_SECONDS = 1.0
"""How long a statement waits for a lock of another connection."""
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # What is committed has left the process: kill -9 cannot undo it. A power cut can, for the
    # latest commits, and leaves the file whole.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA journal_size_limit = 67108864",
)
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def writer_engine(path: Path) -> Engine:
    """Makes the file if there is none."""
    return _engine(path, "rwc", "BEGIN IMMEDIATE", PRAGMAS)


def reader_engine(path: Path, check: Callable[[], None] | None = None) -> Engine:
    """Never changes the file; `check` may refuse to open it."""
    return _engine(path, "rw", "BEGIN", ["PRAGMA query_only = ON"], check)


def is_damage(error: DatabaseError | sqlite3.Error) -> bool:
    """Whether the file is no database, or not a whole one."""
    cause = error.orig if isinstance(error, DatabaseError) else error
    code = getattr(cause, "sqlite_errorcode", 0)
    return code & 0xFF in DAMAGED


def _engine(
    path: Path,
    mode: str,
    begin: str,
    pragmas: Sequence[str],
    check: Callable[[], None] | None = None,
) -> Engine:
    def connect() -> sqlite3.Connection:
        if check is not None:
            check()
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            if connection.execute("PRAGMA page_count").fetchone() == (0,):
                # Only before the first page is there, and that comes with the next pragma.
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            for pragma in pragmas:
                connection.execute(pragma)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=READERS)

    # sqlite3 itself begins a transaction at the first write only: reads would not be of one piece.
    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
