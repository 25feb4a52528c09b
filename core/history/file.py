"""The SQLite file of the history, as its one writer sees it."""

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import (
    Connection,
    Engine,
    QueuePool,
    Select,
    Table,
    create_engine,
    delete,
    event,
    select,
)
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import DatabaseError, DataError

from ..clock import Clock
from ..execution.events import Ended
from ..execution.model import EndReason, Execution, Failure, Status
from ..execution.transition import applied
from .age import Age
from .identity import OpenFiles, Replaced
from .reader import ROW, HistoryReader, executions_of
from .record_files import RecordFiles
from .table import COLUMNS, EXECUTIONS, RECORDS, listed, record_of, row_of
from .versions import bring_up_to_date

logger = logging.getLogger("runcast.history")

LONGEST_PAUSE_SECONDS = 86_400.0
BUSY_SECONDS = 1.0
"""How long a statement waits for a lock of another connection."""
AT_ONCE = 200
"""How many rows one transaction takes care of, so that none takes long."""
PAGES_AT_ONCE = 2000
READERS = 4
"""How many may read at a time, each in a thread and with a connection of its own."""
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # What is committed has left the process: kill -9 cannot undo it. A power cut can, for the
    # latest commits, and leaves the file whole.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA journal_size_limit = 67108864",
)
UNREADABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _put(table: Table, *changing: str) -> Insert:
    new = insert(table)
    changed = {name: new.excluded[name] for name in changing}
    return new.on_conflict_do_update(index_elements=[table.c.id], set_=changed)


PUT_ROW = _put(EXECUTIONS, "status", "ended_at", "duration", "kept_since")
PUT_RECORD = _put(RECORDS, "content")


class HistoryFile:
    """Each method blocks; one thread at a time may call them.

    Whatever goes wrong is raised as SQLAlchemy's DatabaseError, an OSError or Unavailable; the next
    call begins anew. It is Replaced if what was open is not what is there: what was written to it
    is lost, and the next call opens what is there, or makes a new file. A file that is no database
    is moved aside, and the next call makes another.
    If nobody has written to the file for more than `longest_pause` seconds, they do not count when
    it is pruned: see age.py.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
        files: RecordFiles | None = None,
        hold: Callable[[], None] | None = None,
    ) -> None:
        """`hold` makes sure that the folder is ours, or raises an OSError."""
        self.path = path.absolute()
        self._hold = hold
        self._open_files = OpenFiles(self.path)
        self._files = files
        self._clock = clock
        self._longest_pause = longest_pause
        self._writing = _engine(self.path, "rwc", "BEGIN IMMEDIATE", PRAGMAS, None)
        reading = _engine(
            self.path, "rw", "BEGIN", ["PRAGMA query_only = ON"], self._open_files.check
        )
        self.reader = HistoryReader(reading)
        self._age = Age()
        self._ready = False

    def write(self, executions: Sequence[Execution]) -> None:
        """Stores these executions in place of their earlier states."""
        with self._transaction() as connection:
            for execution in executions:
                self._put(connection, execution)

    def settle(self, awaited: Collection[str]) -> bool:
        """Ends what has no end in the file and is not `awaited`; whether there is more."""
        with self._transaction() as connection:
            open_ones = ROW.where(COLUMNS.ended_at.is_(None), COLUMNS.id.not_in(listed(awaited)))
            rows = connection.execute(open_ones.limit(AT_ONCE)).all()
            for execution in executions_of(connection, rows):
                self._put(connection, self._interrupted(execution))
        if rows:
            logger.warning("%d executions had no end in the history and were ended", len(rows))
        return len(rows) == AT_ONCE

    def prune(self, max_records: int, max_age_seconds: float) -> bool:
        """Forgets what ended too long ago, or before the newest ones; whether there is more."""
        ended = select(COLUMNS.id).where(COLUMNS.kept_since.is_not(None))
        newest_first = ended.order_by(
            COLUMNS.kept_since.desc(), COLUMNS.ended_at.desc(), COLUMNS.id.desc()
        )
        too_many = newest_first.limit(AT_ONCE).offset(max_records)
        with self._transaction() as connection:
            oldest = self._age.of(self._clock.now()) - int(max_age_seconds * 1000)
            too_old = ended.where(COLUMNS.kept_since < oldest).limit(AT_ONCE)
            removed = [_remove(connection, those) for those in (too_old, too_many)]
        if any(removed):
            self._give_back_space()
        if self._files is not None:
            self._files.forgotten([id for ids in removed for id in ids])
        return any(len(ids) == AT_ONCE for ids in removed)

    def owners(self) -> list[str]:
        """The executions of which there are files; each should have a record."""
        return [] if self._files is None else sorted(self._files.owners())

    def sweep(self, owners: Sequence[str]) -> None:
        """Removes the files of those that have no record: something has come between.

        Not as long as a broken file of the history lies beside: the record may be in that one.
        """
        if any(self.path.parent.glob(f"{self.path.name}.broken-*")):
            return
        with self._transaction() as connection:
            known = select(COLUMNS.id).where(COLUMNS.id.in_(listed(owners)))
            recorded = set(connection.execute(known).scalars())
        if self._files is not None:
            self._files.forgotten([id for id in owners if id not in recorded])

    def look(self) -> None:
        """Makes sure that what is open is still there, and the folder ours."""
        if self._hold is not None:
            self._hold()
        try:
            self._open_files.check()
        except Replaced:
            self._leave()
            raise

    def close(self) -> None:
        """The last connection to be closed also moves everything from the log into the file."""
        with self.reader.closed():
            self._dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        self.look()
        try:
            if not self._ready:
                self._set_up()
            with self._writing.begin() as connection:
                yield connection
                self._age.note(connection, self._clock.now())
        except DatabaseError as error:
            self._dispose()
            if _is_unreadable(error):
                self._move_aside(error)
            raise
        # Only now it is certain that what was committed is there.
        self.look()

    def _set_up(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        now = self._clock.now()
        with self._writing.begin() as connection:
            bring_up_to_date(connection, now)
            self._age = Age.resumed(connection, now, self._longest_pause)
        self._open_files.opened()
        self._ready = True

    def _dispose(self) -> None:
        self._ready = False
        self._writing.dispose()
        self._open_files.closed()

    def _leave(self) -> None:
        """Leaves a file that is not there any more, with all that was committed in it."""
        with self.reader.closed():
            if self._ready:
                # Its log may have gone without it, or it without its log.
                with suppress(DatabaseError), closing(self._writing.raw_connection()) as raw:
                    raw.executescript("PRAGMA wal_checkpoint(TRUNCATE)")
            self._dispose()
            self._open_files.forget()

    def _put(self, connection: Connection, execution: Execution) -> None:
        try:
            row, record = row_of(execution), record_of(execution)
            if execution.ended_at is not None:
                row["kept_since"] = self._age.of(min(execution.ended_at, self._clock.now()))
            connection.execute(PUT_ROW, row)
            connection.execute(PUT_RECORD, record)
        except Exception as error:
            if isinstance(error, DatabaseError) and not isinstance(error, DataError):
                raise
            # The record itself is at fault: a retry would fail, too, and must not block the others.
            logger.exception("execution %s cannot be stored in the history", execution.id)

    def _interrupted(self, execution: Execution) -> Execution:
        """The same with its end: whoever ran it is no more."""
        running = execution.running_stage
        error = Failure(
            "ServerRestart",
            "the server went down before the execution had ended",
            stage_id=None if running is None else execution.stages[running].id,
        )
        # By the wall clock of another process it may have begun later than now.
        at = max(self._clock.now(), execution.latest_moment)
        if self._files is not None:
            execution = self._files.interrupted(execution, at)
        end = Ended(execution.id, at, Status.FAILED, EndReason.SERVER_RESTART, error=error)
        return applied(end, execution)

    def _give_back_space(self) -> None:
        """New rows take the pages of old ones; a file that is more than a quarter free shrinks."""
        with self._transaction() as connection:
            free, pages = (
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("freelist_count", "page_count")
            )
        if free > pages // 4:
            # Each step of this statement frees one page, and execute() makes one step only.
            with closing(self._writing.raw_connection()) as raw:
                raw.executescript(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})")

    def _move_aside(self, error: DatabaseError) -> None:
        self.close()
        now = self._clock.now()
        while (aside := self.path.with_name(f"{self.path.name}.broken-{now}")).exists():
            now += 1
        for suffix in ("-wal", "-shm", ""):
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        self._open_files.forget()
        logger.error("%s is broken (%s): moved to %s", self.path, error.orig, aside.name)
        raise Replaced(f"{self.path.name} was broken") from error


def _engine(
    path: Path, mode: str, begin: str, pragmas: Sequence[str], check: Callable[[], None] | None
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


def _remove(connection: Connection, those: Select[str]) -> Sequence[str]:
    ids = connection.execute(those).scalars().all()
    for table in (RECORDS, EXECUTIONS):
        connection.execute(delete(table).where(table.c.id.in_(listed(ids))))
    return ids


def _is_unreadable(error: DatabaseError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", 0)
    return code & 0xFF in UNREADABLE
