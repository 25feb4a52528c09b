"""The time by which the history forgets: no wall clock that is wrong makes anything old."""

from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection, bindparam, select

from .table import AGE

FORGET = AGE.delete().where(
    AGE.c.owner.is_not_distinct_from(bindparam("whose", type_=AGE.c.owner.type))
)
NOTE = AGE.insert()


@dataclass(frozen=True, slots=True)
class Age:
    """Turns epoch milliseconds of this process into the history's own time.

    The two are the same as long as the wall clock seems to be right. It does not where more than
    the longest pause has passed since the history was last written to, or less than nothing: then
    it is wrong now, or was before, and the history's own time goes on where it was.
    """

    behind: int = 0

    @classmethod
    def resumed(cls, connection: Connection, now: int, longest_pause: float) -> Self:
        """Goes on where whoever wrote last was; `now` in epoch ms, `longest_pause` in seconds."""
        latest = (AGE.c.seen_at - AGE.c.behind).desc()
        seen = select(AGE.c.seen_at, AGE.c.behind).order_by(latest).limit(1)
        row = connection.execute(seen).one_or_none()
        if row is None:
            return cls()
        paused = now - row.seen_at
        believed = 0 <= paused <= longest_pause * 1000
        return cls(row.behind if believed else row.behind + paused)

    def of(self, moment: int) -> int:
        return moment - self.behind

    def note(self, connection: Connection, now: int, owner: str | None = None) -> None:
        """Notes that the history was written to, and by whom if several do."""
        connection.execute(FORGET, {"whose": owner})
        connection.execute(NOTE, {"seen_at": now, "behind": self.behind, "owner": owner})
