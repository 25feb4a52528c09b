"""Where a history is stored: a SQLite file, or a database in PostgreSQL."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runcast.core.clock import Clock
from runcast.core.history import FILE_NAME, History
from runcast.core.history.file import HistoryFile
from runcast.core.history.store import LONGEST_PAUSE_SECONDS, HistoryStore
from sqlalchemy import ClauseElement, text


@dataclass(frozen=True)
class HistoryDatabase:
    """The data folder of a server, and the URL of its database unless that is a file there."""

    folder: Path
    url: str | None = None

    def history(self, clock: Clock, **settings: Any) -> History:
        return History(self.folder, clock, database=self.url, **settings)

    def store(self, clock: Clock, longest_pause: float = LONGEST_PAUSE_SECONDS) -> HistoryStore:
        if self.url is None:
            return HistoryFile(self.folder / FILE_NAME, clock, longest_pause)
        from runcast.core.history.postgres import PostgresHistory

        return PostgresHistory(self.url, self.folder, clock, longest_pause)


def tamper(store: HistoryStore, statement: str | ClauseElement) -> None:
    """Changes what is stored past everybody's back."""
    with store._transaction() as connection:
        connection.execute(text(statement) if isinstance(statement, str) else statement)
