"""The history in a PostgreSQL database, which several servers may share."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import ColumnElement, Connection, or_, select
from sqlalchemy.exc import DatabaseError

from ..clock import Clock
from .age import Age
from .damage import Damages
from .dialect import SCHEMA
from .gate import Interruptible, Read
from .identity import Replaced
from .owner import owner_of
from .postgres_connection import engine, place_of
from .reader import HistoryReader
from .record_files import RecordFiles
from .store import LONGEST_PAUSE_SECONDS, HistoryStore
from .table import AGE, COLUMNS
from .versions import bring_up_to_date

logger = logging.getLogger("runcast.history")

GONE_SECONDS = 86_400.0
"""A server that has not written for so long is no more: while it runs, it does every minute."""


class PostgresHistory(HistoryStore):
    """Each row has an owner: the server that has the data folder `folder`, or another one.

    What an owner has left without an end is its own to end when it starts. That of one that has
    gone for good is ended by whoever starts next.

    Raises:
        ValueError: this is no URL of a PostgreSQL database.
    """

    shared = True
    read_seconds = 10.0

    def __init__(
        self,
        url: str,
        folder: Path,
        clock: Clock,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
        files: RecordFiles | None = None,
        hold: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(clock, longest_pause, files, hold)
        self.place = place_of(url)
        self.damages = Damages(clock, "what is not shown of them is lost")
        self.reader = HistoryReader(engine(url, reads=True), self.damages)
        self._writing = engine(url, reads=False)
        self._folder = folder
        self._turn = Read()
        self._identity: str | None = None
        self._ready = False

    def is_own(self) -> ColumnElement[bool]:
        return COLUMNS.owner == self._owner

    def is_new(self) -> bool:
        return False

    def look(self) -> None:
        with self._connected() as connection:
            identity = connection.execute(select(SCHEMA.c.identity)).scalar_one_or_none()
        self._check(identity)

    def close(self) -> None:
        with self.reader.closed():
            self._dispose()

    def interrupt(self) -> None:
        self._turn.end()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._connected() as connection:
            yield connection
            self._age.note(connection, self._clock.now(), self._owner)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if self._hold is not None:
            self._hold()
        try:
            if not self._ready:
                self._set_up()
            with self._begun() as connection:
                yield connection
        except DatabaseError:
            self._dispose()
            raise

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        with self._writing.begin() as connection:
            raw = cast(Interruptible, connection.connection.driver_connection)
            with self._turn.using(raw):
                yield connection

    def _set_up(self) -> None:
        self._owner = self._owner or owner_of(self._folder)
        now = self._clock.now()
        with self._begun() as connection:
            bring_up_to_date(connection, now)
            self._age = Age.resumed(connection, now, self._longest_pause)
            identity = connection.execute(select(SCHEMA.c.identity)).scalar_one()
        self._ready = True
        self._check(identity)

    def _check(self, identity: str | None) -> None:
        known, self._identity = self._identity, identity
        if known is not None and known != identity:
            self._ready = False
            self.damages.forget()
            raise Replaced(f"the tables at {self.place} were replaced by others")

    def _dispose(self) -> None:
        self._ready = False
        self._writing.dispose()

    def _is_left(self) -> ColumnElement[bool]:
        long_ago = self._age.of(self._clock.now()) - int(GONE_SECONDS * 1000)
        there = select(AGE.c.owner).where(AGE.c.seen_at - AGE.c.behind >= long_ago)
        return or_(self.is_own(), COLUMNS.owner.not_in(there))

    def _give_back_space(self) -> None:
        # PostgreSQL does that by itself.
        pass
