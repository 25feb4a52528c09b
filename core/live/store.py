"""The executions in memory, and what is needed to catch up with their changes."""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import attrgetter

from ..execution.change import Change
from ..execution.events import ChangeKind
from ..execution.model import Execution, Status
from .derived import Derived
from .weight import WeighedValue, change_weight, weighed

RING_SIZE = 256
RING_BYTES = 512 * 1024
"""How many of an execution's latest changes are there to catch up with, and how much text."""
STATE_MS = 20
"""Who comes within this time is told of a state by the same change."""

_ENTERED = attrgetter("entered")


@dataclass(slots=True)
class Entry:
    """An execution, its latest changes, and at which versions of the list it came and changed."""

    execution: Execution
    ring: deque[Change]
    entered: int
    changed: int
    weight: int = 0
    """In bytes, without the ring's."""
    values: tuple[WeighedValue, ...] = ()
    ring_weight: int = 0
    states: dict[ChangeKind, Change] = field(default_factory=dict)
    """Changes that say how it is now."""


@dataclass(slots=True)
class Store:
    """Executions by id, in the order in which they were started.

    `version` counts the changes of the list: an execution came, went or changed in something that
    a list shows. Output does not count, lists do not show it.
    """

    ring_size: int = RING_SIZE
    version: int = 1
    """0 is the version of a reader that has not seen a whole list yet; nothing is known of it."""
    _entries: dict[str, Entry] = field(default_factory=dict)
    _by_status: dict[Status, dict[str, Entry]] = field(
        default_factory=lambda: {status: {} for status in Status}
    )
    weight: int = 0
    """How many bytes the executions take together, roughly."""
    derived: Derived = field(init=False)
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

    def newest_first(self, statuses: Collection[Status] | None = None) -> list[Execution]:
        """Those with one of these statuses, or all; it takes as long as there are such."""
        if statuses is None:
            return [entry.execution for entry in reversed(self._entries.values())]
        found = chain.from_iterable(self._by_status[status].values() for status in statuses)
        newest_first = sorted(found, key=_ENTERED, reverse=True)
        return [entry.execution for entry in newest_first]

    @property
    def counts(self) -> dict[Status, int]:
        """How many executions have each status."""
        return {status: len(entries) for status, entries in self._by_status.items()}

    def oldest_first(self) -> Iterator[Execution]:
        return (entry.execution for entry in self._entries.values())

    def put(self, change: Change) -> None:
        """Holds the execution as it is after the change."""
        execution = change.execution
        self.derived.changed(execution.id)
        if change.kind is not ChangeKind.OUTPUT:
            self.version += 1
        entry = self._entries.get(execution.id)
        if entry is None:
            entry = Entry(execution, deque(), self.version, self.version)
            self._entries[execution.id] = entry
        else:
            del self._by_status[entry.execution.status][execution.id]
        self._by_status[execution.status][execution.id] = entry
        entry.execution = execution
        entry.states.clear()
        self._remember(entry, change)
        if change.kind is not ChangeKind.OUTPUT:
            entry.changed = self.version
            self.weight -= entry.weight
            entry.weight, entry.values = weighed(execution, entry.values)
            self.weight += entry.weight

    def remove(self, execution_id: str) -> Execution:
        """Forgets an execution, and returns it as it was last."""
        entry = self._entries.pop(execution_id)
        del self._by_status[entry.execution.status][execution_id]
        self.derived.changed(execution_id)
        self.weight -= entry.weight + entry.ring_weight
        self.version += 1
        self._departed = self.version
        return entry.execution

    def _remember(self, entry: Entry, change: Change) -> None:
        """The latest changes stay, within their bounds; the very latest in any case."""
        before = entry.ring_weight
        entry.ring.append(change)
        entry.ring_weight += change_weight(change)
        while len(entry.ring) > self.ring_size or (
            entry.ring_weight > RING_BYTES and len(entry.ring) > 1
        ):
            entry.ring_weight -= change_weight(entry.ring.popleft())
        self.weight += entry.ring_weight - before

    def changes_since(self, execution_id: str, sequence: int) -> list[Change] | None:
        """Every change of one execution after `sequence`; None if they are not all known."""
        entry = self._entries[execution_id]
        if not entry.ring[0].execution.sequence - 1 <= sequence <= entry.execution.sequence:
            return None
        return [change for change in entry.ring if change.execution.sequence > sequence]

    def state(self, kind: ChangeKind, execution_id: str, at: int) -> Change:
        """A change of that kind that says how an execution is now, `at` epoch ms or just before.

        Many who come together get the same one: what is made of it can be made once.
        """
        entry = self._entries[execution_id]
        known = entry.states.get(kind)
        if known is None or not known.at <= at < known.at + STATE_MS:
            known = entry.states[kind] = Change(kind, entry.execution, at)
        return known

    def list_since(self, version: int) -> list[Entry] | None:
        """What has come or changed after `version`, as it is now, oldest change first.

        None if something has left the list since, or no list had that version.
        """
        if not self._departed <= version <= self.version:
            return None
        changed = (replace(one) for one in self._entries.values() if one.changed > version)
        return sorted(changed, key=lambda entry: entry.changed)
