"""A filtered list that is followed as it changes."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from ..execution.filter import ExecutionFilter
from ..execution.model import Execution, Status


class ListChange(StrEnum):
    """What has happened to the list."""

    ENTERED = "ENTERED"
    UPDATED = "UPDATED"
    LEFT = "LEFT"
    CAUGHT_UP = "CAUGHT_UP"
    RESET = "RESET"


@dataclass(frozen=True, slots=True)
class ExecutionsChange:
    """One message for a watcher of the list."""

    kind: ListChange
    execution: Execution | None
    counts: Mapping[Status, int]
    version: int
    """The version of the list to resume from: the reader has seen all that happened up to it."""


@dataclass(slots=True)
class Dirty:
    """An execution that has changed since `version`, as it is now.

    `present` is false once it has left the store.
    """

    version: int
    execution: Execution
    present: bool
    unknown: bool
    """It has come since the reader last looked."""


class ListWatcher:
    """Which executions have changed since the reader last looked.

    Keyed by execution and not a queue of changes: a slow reader gets the latest state of each,
    once, and never costs more than one entry for each that is live, or that it was sent before.
    What came, ended, left or has another status goes before what has merely moved on.
    """

    __slots__ = ("_dirty", "_ready", "_urgent", "closed")

    def __init__(self) -> None:
        self._dirty: OrderedDict[str, Dirty] = OrderedDict()
        """Everything that is to be sent, by its version: what is dirty for the longest first."""
        self._urgent: OrderedDict[str, None] = OrderedDict()
        """What of it is sent first."""
        self._ready = asyncio.Event()
        self.closed = False

    def push(self, execution: Execution, version: int, *, present: bool, urgent: bool) -> None:
        unknown = execution.sequence == 1
        dirty = self._dirty.setdefault(execution.id, Dirty(version, execution, present, unknown))
        dirty.execution, dirty.present = execution, present
        if dirty.unknown and not present:
            self._forget(execution.id)
        elif urgent:
            self._urgent.setdefault(execution.id)
        self._ready.set()

    def close(self) -> None:
        """What is dirty is still read, then `next` returns None."""
        self.closed = True
        self._ready.set()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to send now."""
        return not self._dirty

    async def next(self) -> Dirty | None:
        """The most urgent execution; of the equally urgent, the first that has become so."""
        while not self._dirty:
            if self.closed:
                return None
            self._ready.clear()
            await self._ready.wait()
        return self._forget(next(iter(self._urgent or self._dirty)))

    def seen(self, version: int) -> int:
        """The version up to which the reader has seen everything, if the list is at `version`."""
        oldest = next(iter(self._dirty.values()), None)
        return version if oldest is None else oldest.version - 1

    def _forget(self, execution_id: str) -> Dirty:
        self._urgent.pop(execution_id, None)
        return self._dirty.pop(execution_id)


class ListHub:
    """Passes each change of the list on to those who watch the list."""

    def __init__(self) -> None:
        self._watchers: set[ListWatcher] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._watchers)

    @contextmanager
    def watching(self) -> Iterator[ListWatcher]:
        """Everything that changes from now on reaches the watcher, until the block is left."""
        watcher = ListWatcher()
        if self._closed:
            watcher.close()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def publish(self, execution: Execution, version: int, *, present: bool, urgent: bool) -> None:
        for watcher in self._watchers:
            watcher.push(execution, version, present=present, urgent=urgent)

    def close(self) -> None:
        """Every watcher, also one that comes later, ends once it has read what it has."""
        self._closed = True
        for watcher in self._watchers:
            watcher.close()


class Mirror:
    """The list as its watcher has received it, so that only what is new to it is sent."""

    def __init__(self, filter: ExecutionFilter) -> None:
        self._filter = filter
        self._of_any_status = filter.of_any_status()
        self._counted: dict[str, Status] = {}
        self._listed: set[str] = set()
        self._counts: Counter[Status] = Counter()

    @property
    def counts(self) -> Mapping[Status, int]:
        """How many of the list's executions have each status, whatever statuses are asked for."""
        return {status: self._counts[status] for status in Status}

    def take(self, execution: Execution, *, present: bool) -> ListChange | None:
        """The change to send about the execution as it is now; None: nothing is new."""
        self._count(execution, present and self._of_any_status.matches(execution))
        listed = execution.id in self._listed
        if not (present and self._filter.matches(execution)):
            self._listed.discard(execution.id)
            return ListChange.LEFT if listed else None
        self._listed.add(execution.id)
        return ListChange.UPDATED if listed else ListChange.ENTERED

    def lists(self, execution: Execution) -> bool:
        """Whether the execution is in the reader's list."""
        return execution.id in self._listed

    def may_list(self, execution: Execution) -> bool:
        """Whether nothing but its status can keep the execution out of the reader's list."""
        return execution.id in self._counted

    def _count(self, execution: Execution, counted: bool) -> None:
        before = self._counted.pop(execution.id, None)
        if before is not None:
            self._counts[before] -= 1
        if counted:
            self._counted[execution.id] = execution.status
            self._counts[execution.status] += 1
