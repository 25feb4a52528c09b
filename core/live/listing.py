"""A filtered list that is followed as it changes."""

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


class Listing:
    """A filtered list as its reader has received it, so that only what is new to it is sent.

    It holds no executions: whoever tells of a change knows the status from before it, and all else
    that a filter asks for never changes.
    """

    __slots__ = ("_filter", "counts")

    def __init__(self, filter: ExecutionFilter, counts: Mapping[Status, int]) -> None:
        self._filter = filter
        self.counts = counts
        """How many of the list's executions have each status, whatever statuses are asked for. It
        is replaced and never changed: what was sent with it stays as it was."""

    def take(
        self, execution: Execution, was: Status | None, status: Status | None
    ) -> ListChange | None:
        """The change to send about an execution that had one status and has another one now.

        Of statuses, None is that of an execution that is not there. Returns None if nothing is new.
        """
        if not self._filter.matches_constants(execution):
            return None
        if was is not status:
            self._count(was, status)
        listed, lists = (each is not None and self._filter.admits(each) for each in (was, status))
        if lists:
            return ListChange.UPDATED if listed else ListChange.ENTERED
        return ListChange.LEFT if listed else None

    def _count(self, was: Status | None, status: Status | None) -> None:
        counts = dict(self.counts)
        if was is not None:
            counts[was] -= 1
        if status is not None:
            counts[status] += 1
        self.counts = counts
