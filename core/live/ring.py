"""The latest events of an execution, to catch up with."""

from ..execution.change import Change
from ..execution.events import Event
from ..execution.model import Execution
from ..execution.transition import applied
from .weight import event_weight

RING_SIZE = 256
RING_BYTES = 512 * 1024
"""How many of an execution's latest changes can be caught up with, and how much text."""


class Ring:
    """The state before the oldest event, and the events: the states between are made again.

    An event is a tenth of the state that follows it, and hardly ever does anybody ask for these.
    A list is smaller than a deque, and its begin is moved seldom.
    """

    __slots__ = ("_before", "_events", "weight")

    def __init__(self, before: Execution | None = None) -> None:
        self._before = before
        """None: the oldest event is the one with which the execution began."""
        self._events: list[Event] = []
        self.weight = 0
        """Of the text in it, in bytes."""

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: Event, size: int) -> None:
        """The latest events stay, `size` of them and RING_BYTES at most; this one in any case."""
        self._events.append(event)
        self.weight += event_weight(event)
        while len(self._events) > size or (self.weight > RING_BYTES and len(self._events) > 1):
            oldest = self._events.pop(0)
            self.weight -= event_weight(oldest)
            self._before = applied(oldest, self._before)

    @property
    def first(self) -> int:
        """The sequence number of the oldest change that is known."""
        return 1 if self._before is None else self._before.sequence + 1

    def changes(self) -> list[Change]:
        """All that are known, with the state after each."""
        made, state = [], self._before
        for event in self._events:
            state = applied(event, state)
            made.append(Change.of(event, state))
        return made
