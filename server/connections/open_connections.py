"""Which connections are open, how many there may be, and which of them goes for another."""

from collections.abc import Iterable
from typing import Protocol


class Connection(Protocol):
    """What has to be known of one."""

    @property
    def idle(self) -> bool:
        """Whether nothing is due to its client."""

    def abort(self) -> None:
        """Ends it at once."""


class OpenConnections:
    """At most `most` of all, and `most_strangers` of clients who have not shown yet that they may
    be here; everyone begins as such a stranger.

    Who comes when there is no room takes the place of another, to whom nothing is due: the oldest
    idle stranger or, if the strangers have room left, the oldest who is idle.
    """

    def __init__(self, most: int, most_strangers: int) -> None:
        self._most = most
        self._most_strangers = min(most, most_strangers)
        # Dictionaries know the order in which they came.
        self._strangers: dict[Connection, None] = {}
        self._known: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._strangers) + len(self._known)

    def enter(self, connection: Connection) -> bool:
        """Whether there is room for it, or has been made."""
        if len(self._strangers) >= self._most_strangers:
            has_room = _make_room(self._strangers)
        elif len(self) >= self._most:
            has_room = _make_room(self._strangers) or _make_room(self._known)
        else:
            has_room = True
        if has_room:
            self._strangers[connection] = None
        return has_room

    def admit(self, connection: Connection) -> bool:
        """Its client is no stranger any more. Returns whether it is still here."""
        if connection in self._strangers:
            del self._strangers[connection]
            self._known[connection] = None
        return connection in self._known

    def leave(self, connection: Connection) -> None:
        """It has ended."""
        self._strangers.pop(connection, None)
        self._known.pop(connection, None)


def _make_room(connections: dict[Connection, None]) -> bool:
    oldest = _first_idle(connections)
    if oldest is None:
        return False
    del connections[oldest]
    oldest.abort()
    return True


def _first_idle(connections: Iterable[Connection]) -> Connection | None:
    return next((one for one in connections if one.idle), None)
