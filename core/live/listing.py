"""A filtered list that is followed as it changes."""

from collections import Counter
from collections.abc import Mapping
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
