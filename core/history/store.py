"""The database of the history, as its one writer in this process sees it."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import ColumnElement, Connection, Engine, Select, delete, func, select, true
from sqlalchemy.exc import DatabaseError, DataError, StatementError

from ..clock import Clock
from ..execution.events import Ended
from ..execution.model import EndReason, Execution, Failure, Status
from ..execution.transition import applied
from .age import Age
from .damage import Damages
from .dialect import dialect_of
from .reader import HistoryReader
from .record_files import RecordFiles
from .records import ROW, executions_of
from .table import COLUMNS, EXECUTIONS, RECORDS, content_of, put, row_of

logger = logging.getLogger("runcast.history")

LONGEST_PAUSE_SECONDS = 86_400.0
AT_ONCE = 200
"""How many rows one transaction takes care of, so that none takes long."""


class HistoryStore(ABC):
    """Each method blocks; one thread at a time may call them, `interrupt` excepted.

    Whatever goes wrong is raised as SQLAlchemy's DatabaseError, an OSError or Unavailable; the next
    call begins anew. It is Replaced if what was open is not what is there: what was written to it
    is lost, and the next call opens what is there, or makes new tables.
    If nobody has written to the database for more than `longest_pause` seconds, they do not count
    when it is pruned: see age.py.
    """

    place: str
    """Where it is, for people."""
    shared = False
    """Whether other servers write to it, and prune what is ours."""
    read_seconds: float | None = None
    """How long who reads waits at most, also for those before; None: until there is an answer."""
    reader: HistoryReader
    damages: Damages
    _writing: Engine
    _owner: str | None = None

    def __init__(
        self,
        clock: Clock,
        longest_pause: float,
        files: RecordFiles | None,
        hold: Callable[[], None] | None,
    ) -> None:
        """`hold` makes sure that the data folder is ours, or raises an OSError."""
        self._clock = clock
        self._longest_pause = longest_pause
        self._files = files
        self._hold = hold
        self._age = Age()

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Connection]:
        """Commits at the end of the block what was written in it, or nothing."""

    @abstractmethod
    def look(self) -> None:
        """Makes sure that what is open is still there, and the data folder ours."""

    @abstractmethod
    def is_new(self) -> bool:
        """Whether there is nothing where it is, so that it can be made at once."""

    @abstractmethod
    def close(self) -> None:
        """The next call opens it again."""

    @abstractmethod
    def interrupt(self) -> None:
        """Ends what another thread waits for, with an error. May be called in any thread."""

    def is_own(self) -> ColumnElement[bool]:
        """What must hold for a row that this server has written."""
        return true()

    def rebuild(self, reason: str) -> None:
        """Makes a new database of all that can be read of this one, if that can be done.

        Raises:
            Replaced: that is done.
            DatabaseError, OSError: it cannot be done now.
        """
        self.look()

    def write(self, executions: Sequence[Execution]) -> None:
        """Stores these executions in place of their earlier states."""
        executions = list(executions)
        try:
            with self._transaction() as connection:
                self._put(connection, executions)
        except StatementError as error:
            if isinstance(error, DatabaseError) and not isinstance(error, DataError):
                raise
            # The state of one of them is at fault. A retry would fail, too.
            if len(executions) == 1:
                return _cannot_be_stored(executions[0])
            for execution in executions:
                self.write([execution])

    def settle(self, awaited: Collection[str]) -> bool:
        """Ends what has no end in the database and is not `awaited`; whether there is more."""
        with self._transaction() as connection:
            listed = dialect_of(connection).listed(awaited)
            open_ones = ROW.where(COLUMNS.ended_at.is_(None), COLUMNS.id.not_in(listed))
            rows = connection.execute(open_ones.where(self._is_left()).limit(AT_ONCE)).all()
            left = executions_of(connection, rows, self.damages)
            self._put(connection, list(map(self._interrupted, left)))
        if rows:
            logger.warning("%d executions had no end in the history and were ended", len(rows))
        return len(rows) == AT_ONCE

    def prune(self, max_records: int, max_age_seconds: float, max_bytes: int | None = None) -> bool:
        """Forgets what ended too long ago, or before the newest ones; whether there is more.

        `max_bytes` is how many bytes of the database may be in use.
        """
        ended = select(COLUMNS.id).where(COLUMNS.kept_since.is_not(None))
        newest_first = ended.order_by(
            COLUMNS.kept_since.desc(), COLUMNS.ended_at.desc(), COLUMNS.id.desc()
        )
        too_many = newest_first.limit(AT_ONCE).offset(max_records)
        with self._transaction() as connection:
            if not dialect_of(connection).may_prune(connection):
                return False
            oldest = self._age.of(self._clock.now()) - int(max_age_seconds * 1000)
            too_old = ended.where(COLUMNS.kept_since < oldest).limit(AT_ONCE)
            removed = [_remove(connection, those) for those in (too_old, too_many)]
            if max_bytes is not None:
                removed.append(_remove_until(connection, max_bytes))
        if any(removed):
            self._give_back_space()
        gone = [id for ids in removed for id in ids]
        self.damages.mended(gone)
        if self._files is not None:
            self._files.forgotten(gone)
        # What has gone last may not have been enough: its pages are counted only then.
        return any(len(ids) == AT_ONCE for ids in removed[:2]) or any(removed[2:])

    def owners(self) -> list[str]:
        """The executions of which there are files; each should have a record."""
        return [] if self._files is None else sorted(self._files.owners())

    def sweep(self, owners: Sequence[str]) -> None:
        """Removes the files of those that have no record: something has come between."""
        with self._transaction() as connection:
            listed = dialect_of(connection).listed(owners)
            known = select(COLUMNS.id).where(COLUMNS.id.in_(listed))
            recorded = set(connection.execute(known).scalars())
        if self._files is not None:
            self._files.ownerless([id for id in owners if id not in recorded])

    @abstractmethod
    def _give_back_space(self) -> None:
        """Rows were removed, and their space is free for others."""

    def _is_left(self) -> ColumnElement[bool]:
        """What must hold for a row without an end that is ours to end."""
        return self.is_own()

    def _put(self, connection: Connection, executions: Sequence[Execution]) -> None:
        rows: list[dict[str, object]] = []
        records: list[dict[str, object]] = []
        for execution in executions:
            try:
                content = content_of(execution)
                rows.append(self._row(execution, len(content)))
            except Exception:
                # It must not block the others.
                _cannot_be_stored(execution)
            else:
                records.append({"id": execution.id, "content": content})
        put(connection, rows, records)
        self.damages.mended(str(record["id"]) for record in records)

    def _row(self, execution: Execution, size: int) -> dict[str, object]:
        row = row_of(execution, size) | {"owner": self._owner}
        if execution.ended_at is not None:
            row["kept_since"] = self._age.of(min(execution.ended_at, self._clock.now()))
        return row

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


def reason_of(error: Exception) -> str:
    """What a database says about an error, in one line: libpq has several, and hints among them."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _cannot_be_stored(execution: Execution) -> None:
    logger.exception("execution %s cannot be stored in the history", execution.id)


def _remove(connection: Connection, those: Select[str]) -> Sequence[str]:
    return _removed(connection, connection.execute(those).scalars().all())


def _remove_until(connection: Connection, max_bytes: int) -> Sequence[str]:
    """Removes those that ended first, until about so much of the database is in use."""
    excess = dialect_of(connection).excess(connection, max_bytes)
    if excess <= 0:
        return ()
    # The length of a blob is found without reading it.
    sizes = select(COLUMNS.id, func.length(RECORDS.c.content).label("size"))
    sizes = sizes.join_from(EXECUTIONS, RECORDS, COLUMNS.id == RECORDS.c.id)
    sizes = sizes.where(COLUMNS.kept_since.is_not(None))
    oldest = sizes.order_by(COLUMNS.kept_since, COLUMNS.ended_at, COLUMNS.id).limit(AT_ONCE)
    ids: list[str] = []
    for row in connection.execute(oldest):
        if excess <= 0:
            break
        ids.append(row.id)
        excess -= row.size
    return _removed(connection, ids)


def _removed(connection: Connection, ids: Sequence[str]) -> Sequence[str]:
    listed = dialect_of(connection).listed(ids)
    for table in (RECORDS, EXECUTIONS):
        connection.execute(delete(table).where(table.c.id.in_(listed)))
    return ids
