"""What an execution, and its readers, may look like: the model beside the real manager."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runcast.core.execution.change import Change
from runcast.core.execution.events import ChangeKind
from runcast.core.execution.filter import ExecutionFilter
from runcast.core.execution.model import Execution, Status
from runcast.core.live.listing import ExecutionsChange, ListChange

ENDS = {"COMPLETED", "FAILED", "CANCELLED"}


@dataclass
class Run:
    """An execution as plain words; `history` has its status after each event."""

    id: str
    stages: list[str]
    key: str | None = None
    input: str = ""
    history: list[str] = field(default_factory=lambda: ["QUEUED"])
    forced: bool = False
    ended_at: float | None = None

    @property
    def status(self) -> str:
        return self.history[-1]

    @property
    def sequence(self) -> int:
        return len(self.history)

    @property
    def ended(self) -> bool:
        return self.status in ENDS

    def can_begin(self) -> bool:
        return self.status == "QUEUED"

    def can_end(self, status: str) -> bool:
        if self.status == "QUEUED":
            return status == "FAILED"
        return self.status in ("RUNNING", "CANCELLING")

    def can_move_stage(self, index: int, comes_from: set[str]) -> bool:
        return self.status in ("RUNNING", "CANCELLING") and self.stages[index] in comes_from

    def can_be_cancelled(self, forced: bool) -> bool:
        if self.status == "CANCELLING":
            return forced and not self.forced
        return not self.ended

    def move(self, status: str | None = None) -> None:
        """Another event; None leaves the status."""
        self.history.append(status or self.status)

    def end(self, status: str, at: float) -> None:
        was = "CANCELLED" if self.status == "CANCELLING" else status
        self.move(was)
        self.ended_at = at
        left = "CANCELLED" if was == "CANCELLED" else "FAILED"
        self.stages = [left if one == "RUNNING" else one for one in self.stages]

    def cancel(self, forced: bool, at: float) -> None:
        if self.status == "QUEUED":
            self.end("CANCELLED", at)
            return
        self.forced = self.forced or forced
        self.move("CANCELLING")


@dataclass
class Reader:
    """Someone who watches one execution and checks each message. `seen`: the latest sequence."""

    run: Run
    seen: int | None
    fresh: bool = True
    terminals: int = 0

    def take(self, change: Change) -> None:
        sequence = change.execution.sequence
        assert self.terminals == 0, "nothing follows the terminal message"
        assert change.execution.status == self.run.history[sequence - 1]
        if change.kind is ChangeKind.SNAPSHOT:
            assert self.fresh and self.seen is None
            assert sequence == self.run.sequence
        elif change.kind is ChangeKind.RESET:
            assert self.seen is not None
            assert change.missed == sequence - self.seen > 0
        else:
            assert self.seen is not None and sequence == self.seen + 1
        self.seen, self.fresh = sequence, False
        self.terminals += change.terminal

    def may_wait(self) -> bool:
        """Whether it has been told of everything, and more may come."""
        return self.seen == self.run.sequence and not self.run.ended

    def may_end(self) -> bool:
        """Whether it has been told of everything, and nothing more can come."""
        return self.seen == self.run.sequence and self.run.ended


@dataclass
class Lister:
    """Someone who watches a list, and what is in it as far as was told; `cursor` of the latest."""

    filter: ExecutionFilter
    resumed: bool = False
    caught_up: bool = False
    version: int | None = None
    seen: dict[str, tuple[str, ...]] = field(default_factory=dict)
    counts: Mapping[Status, int] = field(default_factory=dict)

    def take(self, change: ExecutionsChange) -> None:
        self.version = change.version
        counts, self.counts = self.counts, change.counts
        if change.kind is ListChange.CAUGHT_UP:
            assert not self.caught_up or counts != self.counts
            self.caught_up = True
        elif change.kind is ListChange.RESET:
            assert self.resumed and not self.caught_up
            self.seen.clear()
            self.resumed = False
        else:
            assert change.execution is not None
            self._take(change.kind, change.execution.id, shown(change.execution))

    def _take(self, kind: ListChange, id: str, as_shown: tuple[str, ...]) -> None:
        if self.caught_up or not self.resumed:
            assert (id in self.seen) == (kind is not ListChange.ENTERED)
        self.seen[id] = as_shown
        if kind is ListChange.LEFT:
            del self.seen[id]


def shown(execution: Execution) -> tuple[str, ...]:
    """What a list shows of an execution: everything but its output."""
    return (str(execution.status), *(str(stage.status) for stage in execution.stages))
