"""The SQLite file of the history, as its one writer sees it."""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Select, delete, func, select
from sqlalchemy.exc import DatabaseError, DataError

from ..clock import Clock
from ..execution.events import Ended
from ..execution.model import EndReason, Execution, Failure, Status
from ..execution.transition import applied
from .age import Age
from .damage import Damages
from .database import is_damage, reader_engine, writer_engine
from .identity import OpenFiles, Replaced
from .reader import HistoryReader
from .rebuild import rebuilt
from .record_files import RecordFiles
from .records import ROW, executions_of
from .table import COLUMNS, EXECUTIONS, PUT_RECORD, PUT_ROW, RECORDS, content_of, listed, row_of
from .versions import bring_up_to_date

logger = logging.getLogger("runcast.history")

LONGEST_PAUSE_SECONDS = 86_400.0
AT_ONCE = 200
"""How many rows one transaction takes care of, so that none takes long."""
PAGES_AT_ONCE = 2000


class HistoryFile:
    """Each method blocks; one thread at a time may call them.

    Whatever goes wrong is raised as SQLAlchemy's DatabaseError, an OSError or Unavailable; the next
    call begins anew. It is Replaced if what was open is not what is there: what was written to it
    is lost, and the next call opens what is there, or makes a new file. A file that is no database,
    or a damaged one, is moved aside, and a new one made of what can be read of it.
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
        self._writing = writer_engine(self.path)
        self.damages = Damages(clock)
        self.reader = HistoryReader(reader_engine(self.path, self._open_files.check), self.damages)
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
            for execution in executions_of(connection, rows, self.damages):
                self._put(connection, self._interrupted(execution))
        if rows:
            logger.warning("%d executions had no end in the history and were ended", len(rows))
        return len(rows) == AT_ONCE

    def prune(self, max_records: int, max_age_seconds: float, max_bytes: int | None = None) -> bool:
        """Forgets what ended too long ago, or before the newest ones; whether there is more.

        `max_bytes` is how much of the file may be in use.
        """
        ended = select(COLUMNS.id).where(COLUMNS.kept_since.is_not(None))
        newest_first = ended.order_by(
            COLUMNS.kept_since.desc(), COLUMNS.ended_at.desc(), COLUMNS.id.desc()
        )
        too_many = newest_first.limit(AT_ONCE).offset(max_records)
        with self._transaction() as connection:
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
        """Removes the files of those that have no record: something has come between.

        Not as long as a broken file of the history lies beside: the record may be in that one.
        """
        if any(self.path.parent.glob(f"{self.path.name}.broken-*")):
            return
        with self._transaction() as connection:
            known = select(COLUMNS.id).where(COLUMNS.id.in_(listed(owners)))
            recorded = set(connection.execute(known).scalars())
        if self._files is not None:
            self._files.ownerless([id for id in owners if id not in recorded])

    def rebuild(self, reason: str) -> None:
        """Makes a new file of all that can be read of this one, which is moved aside.

        Raises:
            Replaced: that is done.
            DatabaseError, OSError: it cannot be done now.
        """
        self.look()
        self._rebuild(reason)

    def look(self) -> None:
        """Makes sure that what is open is still there, and the folder ours."""
        if self._hold is not None:
            self._hold()
        try:
            self._open_files.check()
        except Replaced:
            self._leave()
            self.damages.forget()
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
            if is_damage(error):
                self._rebuild(str(error.orig))
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
            content = content_of(execution)
            row = row_of(execution, len(content))
            if execution.ended_at is not None:
                row["kept_since"] = self._age.of(min(execution.ended_at, self._clock.now()))
            connection.execute(PUT_ROW, row)
            connection.execute(PUT_RECORD, {"id": execution.id, "content": content})
            self.damages.mended([execution.id])
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

    def _rebuild(self, reason: str) -> None:
        with self.reader.closed():
            self._dispose()
            logger.error("%s is damaged: %s", self.path, reason)
            result = rebuilt(self.path, self._clock.now())
            self._open_files.forget()
        logger.error("%s", result)
        self.damages.rebuilt(result.lost, result.aside.name)
        raise Replaced(f"{self.path.name} was damaged")


def _remove(connection: Connection, those: Select[str]) -> Sequence[str]:
    return _removed(connection, connection.execute(those).scalars().all())


def _remove_until(connection: Connection, max_bytes: int) -> Sequence[str]:
    """Removes those that ended first, until about so much of the file is in use."""
    pages, free, size = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_count", "freelist_count", "page_size")
    )
    excess = (pages - free) * size - max_bytes
    if excess <= 0:
        return ()
    # SQLite finds the length of a blob without reading it.
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
    for table in (RECORDS, EXECUTIONS):
        connection.execute(delete(table).where(table.c.id.in_(listed(ids))))
    return ids
