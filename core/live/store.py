"""The executions that are held in memory, and what is needed to catch up with their changes."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..execution.change import Change
from ..execution.events import ChangeKind
from ..execution.model import Execution

RING_SIZE = 256


@dataclass(slots=True)
class Held:
    """An execution, its latest changes, and at which versions of the list it came and changed."""

    execution: Execution
    ring: deque[Change]
    entered: int
    changed: int


@dataclass(slots=True)
class Store:
    """Executions by id, in the order in which they were started.

    `version` counts the changes of the list: an execution came, went or changed in something that
    a list shows. Output does not count, lists do not show it.
    """

    ring_size: int = RING_SIZE
    version: int = 1
    """0 is the version of a reader that has not seen a whole list yet; nothing is known of it."""
    _held: dict[str, Held] = field(default_factory=dict)
    _departed: int = 1
    """The version at which an execution last left. Nothing of those that left is kept."""

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._held

    def get(self, execution_id: str) -> Execution | None:
        held = self._held.get(execution_id)
        return None if held is None else held.execution

    def newest_first(self) -> Iterator[Execution]:
        return (held.execution for held in reversed(self._held.values()))

    def oldest_first(self) -> Iterator[Execution]:
        return (held.execution for held in self._held.values())

    def put(self, change: Change) -> None:
        """Holds the execution as it is after the change."""
        execution = change.execution
        if change.kind is not ChangeKind.OUTPUT:
            self.version += 1
        held = self._held.get(execution.id)
        if held is None:
            ring = deque([change], maxlen=self.ring_size)
            self._held[execution.id] = Held(execution, ring, self.version, self.version)
            return
        held.execution = execution
        held.ring.append(change)
        if change.kind is not ChangeKind.OUTPUT:
            held.changed = self.version

    def remove(self, execution_id: str) -> Execution:
        """Forgets an execution, and returns it as it was last."""
        held = self._held.pop(execution_id)
        self.version += 1
        self._departed = self.version
        return held.execution

    def changes_since(self, execution_id: str, sequence: int) -> list[Change] | None:
        """Every change of one execution after `sequence`; None if they are not all known."""
        held = self._held[execution_id]
        if not held.ring[0].execution.sequence - 1 <= sequence <= held.execution.sequence:
            return None
        return [change for change in held.ring if change.execution.sequence > sequence]

    def list_since(self, version: int) -> list[Held] | None:
        """What has come or changed after `version`, oldest change first.

        None if something has left the list since, or no list had that version.
        """
        if not self._departed <= version <= self.version:
            return None
        changed = (held for held in self._held.values() if held.changed > version)
        return sorted(changed, key=lambda held: held.changed)
