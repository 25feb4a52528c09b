"""What can happen to an execution. An event knows the state that follows it, and nothing else does.

The executor sends these to a sink; `ExecutionManager.apply` is where they take effect. They are
plain values, so that a log can carry them between processes.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, TypeAlias

from ..errors import IllegalMove
from ..json_value import JSON
from .log import LogPiece
from .model import (
    NO_USAGE,
    STAGE_MOVES,
    Cancellation,
    EndReason,
    Execution,
    Failure,
    StageRun,
    StageStatus,
    Status,
    Usage,
)


class ChangeKind(StrEnum):
    """The kind of a message to a watcher."""

    SNAPSHOT = "SNAPSHOT"
    STATUS_CHANGED = "STATUS_CHANGED"
    STAGE_CHANGED = "STAGE_CHANGED"
    OUTPUT = "OUTPUT"
    RESET = "RESET"


@dataclass(frozen=True, slots=True)
class Event(ABC):
    """Something that happened to one execution, `at` epoch ms."""

    execution_id: str
    at: int

    @abstractmethod
    def after(self, execution: Execution) -> Execution:
        """The execution that follows, with its sequence as it was.

        Raises:
            IllegalMove: this cannot happen to that execution.
        """

    @property
    def kind(self) -> ChangeKind:
        return ChangeKind.STATUS_CHANGED

    @property
    def stage(self) -> int | None:
        """The index of the stage that the event is about."""
        return None

    @property
    def is_kept(self) -> bool:
        """Whether the state after it is to be stored. What it says otherwise is out of date soon,
        or has a place of its own; the next event that is kept brings it along."""
        return True


Sink: TypeAlias = Callable[[Event], Awaitable[None]]
"""Where events go to take effect."""


@dataclass(frozen=True, slots=True)
class Submitted(Event):
    """An execution was accepted and waits for its turn. The one event that needs no predecessor."""

    execution: Execution

    def after(self, execution: Execution) -> Execution:
        raise IllegalMove(f"{execution.id} is there already")


@dataclass(frozen=True, slots=True)
class Began(Event):
    """Its turn has come, and its first stage begins."""

    def after(self, execution: Execution) -> Execution:
        return replace(execution.moved(Status.RUNNING), began_at=self.at)


@dataclass(frozen=True, slots=True)
class CancelRequested(Event):
    """A user wants it stopped. One that waits ends at once, one that runs is CANCELLING first."""

    reason: str | None = None
    forced: bool = False

    def after(self, execution: Execution) -> Execution:
        if execution.status is Status.CANCELLING and execution.cancellation is not None:
            forced = self.forced or execution.cancellation.forced
            return replace(execution, cancellation=replace(execution.cancellation, forced=forced))
        running = execution.running_stage
        asked = Cancellation(
            requested_at=self.at,
            reason=self.reason,
            forced=self.forced,
            stage_id=None if running is None else execution.stages[running].id,
        )
        if execution.status is Status.QUEUED:
            return _cancelled(replace(execution, cancellation=asked), self.at)
        return replace(execution.moved(Status.CANCELLING), cancellation=asked)


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """The run is over.

    Once a cancel was accepted, the end is CANCELLED, whatever the run itself reports.
    """

    status: Status
    reason: EndReason
    output: JSON = None
    error: Failure | None = None
    return_stage: str | None = None
    """EARLY_EXIT: the stage whose result counts as that of the execution."""

    def after(self, execution: Execution) -> Execution:
        if not self.status.terminal:
            raise IllegalMove(f"{execution.id} cannot end as {self.status}")
        if execution.status is Status.CANCELLING:
            return _cancelled(execution, self.at)
        ended = replace(
            execution.moved(self.status),
            end_reason=self.reason,
            ended_at=self.at,
            output=self.output,
            error=self.error,
            return_stage=self.return_stage,
        )
        return _closed(ended, self.at, StageStatus.FAILED, self.error)


@dataclass(frozen=True, slots=True)
class StageEvent(Event, ABC):
    """Something that happened to the stage at `index` (0-based) of a running execution."""

    becomes: ClassVar[StageStatus | None] = None
    """The status that the stage moves to; None: it stays RUNNING."""

    index: int

    def after(self, execution: Execution) -> Execution:
        if execution.status not in (Status.RUNNING, Status.CANCELLING):
            raise IllegalMove(f"{execution.id} is {execution.status}, none of its stages can move")
        if not 0 <= self.index < len(execution.stages):
            raise IllegalMove(f"{execution.id} has no stage {self.index}")
        stage = execution.stages[self.index]
        if not self.can_happen_in(stage.status):
            raise IllegalMove(f"stage {stage.id} of {execution.id} is {stage.status}")
        current = max(execution.current_stage, self.index + 1)
        return execution.with_stage(self.index, self.after_stage(stage), current_stage=current)

    def can_happen_in(self, status: StageStatus) -> bool:
        """Whether STAGE_MOVES has the move of this event from there."""
        if self.becomes is None:
            return status is StageStatus.RUNNING
        return self.becomes in STAGE_MOVES[status]

    @abstractmethod
    def after_stage(self, stage: StageRun) -> StageRun:
        """The stage that follows, in the status that it `becomes`."""

    @property
    def kind(self) -> ChangeKind:
        return ChangeKind.STAGE_CHANGED

    @property
    def stage(self) -> int | None:
        return self.index


@dataclass(frozen=True, slots=True)
class StageStarted(StageEvent):
    """An attempt begins. The error of an earlier one stays to be seen until it is over."""

    becomes = StageStatus.RUNNING

    attempt: int = 1
    model: str | None = None

    def after_stage(self, stage: StageRun) -> StageRun:
        begun = stage.begun(self.attempt, self.at)
        return begun if self.model is None else replace(begun, model=self.model)


@dataclass(frozen=True, slots=True)
class StageLogged(StageEvent):
    """The attempt, or the engine about it, has said something."""

    piece: LogPiece
    output_offset: int
    """How long its stdout was before, in characters."""
    of_value: bool = False
    """The stage has said nothing: this is its value as text, and is in no file."""

    def after_stage(self, stage: StageRun) -> StageRun:
        log = stage.log.appended(self.piece, self.output_offset, of_value=self.of_value)
        return replace(stage, log=log)

    @property
    def kind(self) -> ChangeKind:
        return ChangeKind.OUTPUT

    @property
    def is_kept(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class StageProgressed(StageEvent):
    """The attempt has said how far it is: from 0 to 1."""

    progress: float

    def after_stage(self, stage: StageRun) -> StageRun:
        return replace(stage, progress=self.progress)

    @property
    def is_kept(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class StageRetrying(StageEvent):
    """An attempt failed and another one will follow, at `next_attempt_at` in epoch ms."""

    error: Failure
    next_attempt_at: int

    def after_stage(self, stage: StageRun) -> StageRun:
        over = stage.attempt_over(StageStatus.FAILED, self.at, self.error)
        return replace(over, error=self.error, next_attempt_at=self.next_attempt_at)


@dataclass(frozen=True, slots=True)
class StageCompleted(StageEvent):
    """The stage has done its work."""

    becomes = StageStatus.COMPLETED

    value: JSON
    usage: Usage = NO_USAGE
    model: str | None = None

    def after_stage(self, stage: StageRun) -> StageRun:
        return stage.over(
            StageStatus.COMPLETED,
            self.at,
            None,
            value=self.value,
            usage=self.usage,
            model=self.model or stage.model,
        )


@dataclass(frozen=True, slots=True)
class StageSkipped(StageEvent):
    """A condition of the stage decided that it is not needed."""

    becomes = StageStatus.SKIPPED

    reason: str

    def after_stage(self, stage: StageRun) -> StageRun:
        return replace(stage, status=StageStatus.SKIPPED, skip_reason=self.reason)


@dataclass(frozen=True, slots=True)
class StageFailed(StageEvent):
    """The last attempt failed."""

    becomes = StageStatus.FAILED

    error: Failure

    def after_stage(self, stage: StageRun) -> StageRun:
        return stage.over(StageStatus.FAILED, self.at, self.error)


@dataclass(frozen=True, slots=True)
class StageCancelled(StageEvent):
    """The stage was stopped before it was done."""

    becomes = StageStatus.CANCELLED

    def after_stage(self, stage: StageRun) -> StageRun:
        return _stopped(stage, StageStatus.CANCELLED, self.at)


def _cancelled(execution: Execution, at: int) -> Execution:
    asked = execution.cancellation
    if asked is not None:
        asked = replace(asked, stopped_after=at - asked.requested_at)
    ended = replace(
        execution.moved(Status.CANCELLED),
        end_reason=EndReason.CANCELLED_BY_USER,
        ended_at=at,
        cancellation=asked,
    )
    return _closed(ended, at, StageStatus.CANCELLED, None)


def _closed(execution: Execution, at: int, status: StageStatus, error: Failure | None) -> Execution:
    """No stage of an ended execution is left on RUNNING."""
    for index, stage in enumerate(execution.stages):
        if stage.status is StageStatus.RUNNING:
            over = stage.over(status, at, error) if error else _stopped(stage, status, at)
            execution = execution.with_stage(index, over)
    return execution


def _stopped(stage: StageRun, status: StageStatus, at: int) -> StageRun:
    """What went wrong in an attempt before stays to be seen; it is no error of the latest one."""
    return replace(stage.over(status, at, None), error=stage.error)
