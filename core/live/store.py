"""The executions in memory, and what is needed to catch up with their changes."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from ..execution.change import Change
from ..execution.events import ChangeKind, Event
from ..execution.model import Execution, Status
from .derived import Derived
from .launch import random_word
from .ring import RING_SIZE, Ring
from .weight import WeighedValue, weighed

STATE_MS = 20
"""Who comes within this time is told of a state by the same change."""

_ENTERED = attrgetter("entered")


@dataclass(slots=True)
class Entry:
    """An execution, its latest changes, and at which versions of the list it came and changed."""

    execution: Execution
    ring: Ring
    entered: int
    changed: int
    weight: int = 0
    """In bytes, without the ring's."""
    values: tuple[WeighedValue, ...] = ()
    states: tuple[Change, ...] = ()
    """Changes that say how it is now."""


class Asked(NamedTuple):
    """The changes of an execution that somebody has just caught up with."""

    execution: Execution
    changes: list[Change]


@dataclass(slots=True)
class Store:
    """Executions by id, in the order in which they were started.

    `version` counts the changes of the list: an execution came, went or changed in something that
    a list shows. Output does not count, lists do not show it. `epoch` names this count: processes
    that show the same executions each have their own, for each forgets them by its own clock.
    """

    ring_size: int = RING_SIZE
    epoch: str = field(default_factory=random_word)
    version: int = 1
    """0 is the version of a reader that has not seen a whole list yet; nothing is known of it."""
    _entries: dict[str, Entry] = field(default_factory=dict)
    _by_status: dict[Status, dict[str, Entry]] = field(
        default_factory=lambda: {status: {} for status in Status}
    )
    weight: int = 0
    """How many bytes the executions take together, roughly."""
    derived: Derived = field(init=False)
    _asked: Asked | None = None
    _newest_first: list[Execution] | None = None
    """All of them, until anything changes: some ask for that several times at once."""
    _departed: int = 1
    """The version at which an execution last left. Nothing of those that left is stored."""

    def __post_init__(self) -> None:
        self.derived = Derived(self.get)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._entries

    def get(self, execution_id: str) -> Execution | None:
        entry = self._entries.get(execution_id)
        return None if entry is None else entry.execution

    def newest_first(self, statuses: Collection[Status] | None = None) -> Sequence[Execution]:
        """Those with one of these statuses, or all; it takes as long as there are such."""
        if statuses is None:
            if self._newest_first is None:
                entries = reversed(self._entries.values())
                self._newest_first = [entry.execution for entry in entries]
            return self._newest_first
        found = chain.from_iterable(self._by_status[status].values() for status in statuses)
        newest_first = sorted(found, key=_ENTERED, reverse=True)
        return [entry.execution for entry in newest_first]

    @property
    def counts(self) -> dict[Status, int]:
        """How many executions have each status."""
        return {status: len(entries) for status, entries in self._by_status.items()}

    def oldest_first(self) -> Iterator[Execution]:
        return (entry.execution for entry in self._entries.values())

    def put(self, event: Event, execution: Execution) -> None:
        """Holds the execution as it is after the event."""
        self.derived.changed(execution.id)
        self._newest_first = None
        is_listed = event.kind is not ChangeKind.OUTPUT
        if is_listed:
            self.version += 1
        entry = self._entries.get(execution.id)
        if entry is None:
            entry = Entry(execution, Ring(), self.version, self.version)
            self._entries[execution.id] = entry
        else:
            del self._by_status[entry.execution.status][execution.id]
        self._by_status[execution.status][execution.id] = entry
        entry.execution, entry.states = execution, ()
        self.weight -= entry.ring.weight
        entry.ring.add(event, self.ring_size)
        self.weight += entry.ring.weight
        if is_listed:
            entry.changed = self.version
            self.weight -= entry.weight
            entry.weight, entry.values = weighed(execution, entry.values)
            self.weight += entry.weight
            if execution.status.terminal:
                # Nothing of it is weighed again.
                entry.values = ()

    def restore(self, execution: Execution) -> None:
        """Holds the execution as it is, of which no event is known."""
        self.derived.changed(execution.id)
        self._newest_first = None
        self.version += 1
        before = self._entries.get(execution.id)
        entered = self.version if before is None else before.entered
        entry = Entry(execution, Ring(execution), entered, self.version)
        if before is not None:
            del self._by_status[before.execution.status][execution.id]
            self.weight -= before.weight + before.ring.weight
        entry.weight, entry.values = weighed(execution, ())
        self.weight += entry.weight
        self._entries[execution.id] = self._by_status[execution.status][execution.id] = entry

    def remove(self, execution_id: str) -> Execution:
        """Forgets an execution, and returns it as it was last."""
        entry = self._entries.pop(execution_id)
        del self._by_status[entry.execution.status][execution_id]
        self.derived.changed(execution_id)
        self._newest_first = None
        self.weight -= entry.weight + entry.ring.weight
        self.version += 1
        self._departed = self.version
        self._asked = None
        return entry.execution

    def changes_since(self, execution_id: str, sequence: int) -> list[Change] | None:
        """Every change of one execution after `sequence`; None if they are not all known."""
        entry = self._entries[execution_id]
        first = entry.ring.first
        if not first - 1 <= sequence <= entry.execution.sequence:
            return None
        return self._changes(entry)[sequence + 1 - first :]

    def _changes(self, entry: Entry) -> list[Change]:
        """All that are known of one; many who come together get the same ones."""
        if self._asked is None or self._asked.execution is not entry.execution:
            self._asked = Asked(entry.execution, entry.ring.changes())
        return self._asked.changes

    def state(self, kind: ChangeKind, execution_id: str, at: int) -> Change:
        """A change of that kind that says how an execution is now, `at` epoch ms or just before.

        Many who come together get the same one: what is made of it can be made once.
        """
        entry = self._entries[execution_id]
        for known in entry.states:
            if known.kind is kind and known.at <= at < known.at + STATE_MS:
                return known
        state = Change(kind, entry.execution, at)
        entry.states = (*(one for one in entry.states if one.kind is not kind), state)
        return state

    def list_since(self, version: int) -> list[Entry] | None:
        """What has come or changed after `version`, as it is now, oldest change first.

        None if something has left the list since, or no list had that version.
        """
        if not self._departed <= version <= self.version:
            return None
        changed = (replace(one) for one in self._entries.values() if one.changed > version)
        return sorted(changed, key=lambda entry: entry.changed)
