"""The history in a SQLite file."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from ..clock import Clock
from .age import Age
from .damage import Damages
from .database import is_damage, reader_engine, writer_engine
from .identity import OpenFiles, Replaced
from .reader import HistoryReader
from .rebuild import rebuilt
from .record_files import RecordFiles
from .store import LONGEST_PAUSE_SECONDS, HistoryStore
from .versions import bring_up_to_date

logger = logging.getLogger("runcast.history")

PAGES_AT_ONCE = 2000


class HistoryFile(HistoryStore):
    """A file that is no database, or a damaged one, is moved aside, and a new one made of what can
    be read of it."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
        files: RecordFiles | None = None,
        hold: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(clock, longest_pause, files, hold)
        self.path = path.absolute()
        self.place = str(self.path)
        self._open_files = OpenFiles(self.path)
        self._writing = writer_engine(self.path)
        self.damages = Damages(clock)
        self.reader = HistoryReader(reader_engine(self.path, self._open_files.check), self.damages)
        self._ready = False

    def sweep(self, owners: Sequence[str]) -> None:
        # As long as a broken file lies beside: the record may be in that one.
        if not any(self.path.parent.glob(f"{self.path.name}.broken-*")):
            super().sweep(owners)

    def is_new(self) -> bool:
        # A broken file was moved aside, and now there is room for a new one.
        return not self.path.exists()

    def rebuild(self, reason: str) -> None:
        self.look()
        self._rebuild(reason)

    def look(self) -> None:
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

    def interrupt(self) -> None:
        # A lock of somebody else is waited for a second only.
        pass

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
