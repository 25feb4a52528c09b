"""An execution and its stages, and the tables of the moves that they may make."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from ..errors import IllegalMove
from ..json_value import JSON
from .stage_log import EMPTY_LOG, StageLog
from .stored import StoredValue

ID_PREFIX = "exec_"
"""How the id of an execution begins."""


class Status(StrEnum):
    """Where an execution is. The last three are terminal and final."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        return not MOVES[self]


MOVES: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED, Status.FAILED}),
    Status.RUNNING: frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLING}),
    Status.CANCELLING: frozenset({Status.CANCELLED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


class StageStatus(StrEnum):
    """Where a stage is. The last four are terminal and final."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        return not STAGE_MOVES[self]


STAGE_MOVES: Mapping[StageStatus, frozenset[StageStatus]] = {
    StageStatus.PENDING: frozenset({StageStatus.RUNNING, StageStatus.SKIPPED}),
    # To RUNNING again: another attempt.
    StageStatus.RUNNING: frozenset(
        {
            StageStatus.RUNNING,
            StageStatus.COMPLETED,
            StageStatus.FAILED,
            StageStatus.CANCELLED,
        }
    ),
    StageStatus.COMPLETED: frozenset(),
    StageStatus.SKIPPED: frozenset(),
    StageStatus.FAILED: frozenset(),
    StageStatus.CANCELLED: frozenset(),
}


class EndReason(StrEnum):
    """Why an execution has ended."""

    FINISHED = "FINISHED"
    EARLY_EXIT = "EARLY_EXIT"
    STAGE_ERROR = "STAGE_ERROR"
    TIMEOUT = "TIMEOUT"
    CANCELLED_BY_USER = "CANCELLED_BY_USER"
    SERVER_SHUTDOWN = "SERVER_SHUTDOWN"
    SERVER_RESTART = "SERVER_RESTART"
    WORKER_LOST = "WORKER_LOST"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a language model was given, gave and cost: tokens, and US dollars."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
        )


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong: `type` is the kind (`ExitStatus`, `Timeout`, an exception's name)."""

    type: str
    message: str
    stage_id: str | None = None
    traceback: str | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Who asked to stop, and how it went. `requested_at` in epoch ms, `stopped_after` in ms."""

    requested_at: int
    reason: str | None = None
    stopped_after: int | None = None
    forced: bool = False
    stage_id: str | None = None


@dataclass(frozen=True, slots=True)
class StartKey:
    """The idempotency key of a start, and the digest of what was asked for with it."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a caller may set for one execution."""

    timeout_ms: int | None = None
    execution_mode: str | None = None
    """How prompt stages reach their model: `api` or `cli`."""
    cli_tool: str | None = None
    """Which command `cli` uses."""


DEFAULTS = RunOptions()


@dataclass(frozen=True, slots=True)
class StageAttempt:
    """One attempt at a stage. Times in epoch ms."""

    number: int
    """From 1."""
    started_at: int
    status: StageStatus = StageStatus.RUNNING
    ended_at: int | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class StageRun:
    """One stage of one execution. Times in epoch ms."""

    id: str
    name: str
    type: str
    status: StageStatus = StageStatus.PENDING
    attempt: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    skip_reason: str | None = None
    model: str | None = None
    usage: Usage = NO_USAGE
    log: StageLog = EMPTY_LOG
    """Of the latest attempt."""
    attempts: tuple[StageAttempt, ...] = ()
    """In order; the latest one's number is `attempt`."""
    progress: float | None = None
    """From 0 to 1, as the latest attempt has said last."""
    next_attempt_at: int | None = None
    """When the next attempt begins, while the stage waits for it."""
    value: JSON = None
    """What the stage hands to the next one: text or JSON; None until it has completed."""
    value_dropped: bool = False
    """Whether the value was too large for the history, where this comes from."""
    error: Failure | None = None

    @property
    def duration_ms(self) -> int | None:
        """From the start of its first attempt to its end; None until it has ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0, self.ended_at - self.started_at)

    def begun(self, number: int, at: int) -> "StageRun":
        """The same with another attempt, which runs."""
        return replace(
            self,
            status=StageStatus.RUNNING,
            attempt=number,
            started_at=self.started_at or at,
            log=EMPTY_LOG,
            attempts=(*self.attempts, StageAttempt(number, at)),
            progress=None,
            next_attempt_at=None,
        )

    def attempt_over(self, status: StageStatus, at: int, error: Failure | None) -> "StageRun":
        """The same with its latest attempt ended, unless it had already."""
        return replace(self, **self._end_of_attempt(status, at, error))

    def over(
        self, status: StageStatus, at: int, error: Failure | None, **changes: Any
    ) -> "StageRun":
        """The same in its final status, with its latest attempt ended and with these changes."""
        end: dict[str, Any] = {"status": status, "ended_at": at, "error": error}
        end |= self._end_of_attempt(status, at, error)
        return replace(self, next_attempt_at=None, **end, **changes)

    def _end_of_attempt(
        self, status: StageStatus, at: int, error: Failure | None
    ) -> dict[str, Any]:
        """What changes with it; what it has said is no longer in memory."""
        if not self.attempts or self.attempts[-1].ended_at is not None:
            return {}
        *earlier, latest = self.attempts
        over = replace(latest, status=status, ended_at=at, error=error)
        return {"log": self.log.closed(), "attempts": (*earlier, over)}


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a pipeline, as of event number `sequence`. Times in epoch ms."""

    id: str
    pipeline_id: str
    pipeline_name: str
    input: str | StoredValue
    input_preview: str
    started_at: int
    stages: tuple[StageRun, ...]
    status: Status = Status.QUEUED
    began_at: int | None = None
    """When its turn came and its first stage began; None while it waits, or if it never came."""
    end_reason: EndReason | None = None
    ended_at: int | None = None
    current_stage: int = 0
    labels: tuple[tuple[str, str], ...] = ()
    options: RunOptions = DEFAULTS
    output: JSON = None
    error: Failure | None = None
    cancellation: Cancellation | None = None
    retry_of: str | None = None
    start_key: StartKey | None = None
    return_stage: str | None = None
    """Of an early exit: the stage whose result counts as that of the execution."""
    sequence: int = 1

    @property
    def total_stages(self) -> int:
        return len(self.stages)

    @property
    def usage(self) -> Usage:
        """The sum over the stages."""
        return sum((stage.usage for stage in self.stages), NO_USAGE)

    @property
    def running_stage(self) -> int | None:
        """The index of the stage that runs now."""
        for index, stage in enumerate(self.stages):
            if stage.status is StageStatus.RUNNING:
                return index
        return None

    @property
    def latest_moment(self) -> int:
        """The latest time at which something is known to have happened before its end."""
        known = [self.started_at, self.began_at]
        if self.cancellation is not None:
            known.append(self.cancellation.requested_at)
        if self.running_stage is not None:
            stage = self.stages[self.running_stage]
            known.append(stage.started_at)
            known += [at for one in stage.attempts for at in (one.started_at, one.ended_at)]
        return max(at for at in known if at is not None)

    def queued_ms(self, now: int) -> int:
        """How long it has waited before its first stage began: so far, or in total."""
        waits_until = now if self.ended_at is None else self.ended_at
        begun = waits_until if self.began_at is None else self.began_at
        return max(0, begun - self.started_at)

    def duration_ms(self, now: int) -> int:
        """How long it has run from its first stage's begin on: so far, or in total; 0 before."""
        if self.began_at is None:
            return 0
        return max(0, (now if self.ended_at is None else self.ended_at) - self.began_at)

    def moved(self, status: Status) -> "Execution":
        """The same execution in another status.

        Raises:
            IllegalMove: MOVES has no such move.
        """
        if status not in MOVES[self.status]:
            raise IllegalMove(f"{self.id} cannot move from {self.status} to {status}")
        return replace(self, status=status)

    def with_stage(self, index: int, stage: StageRun, **changes: Any) -> "Execution":
        """The same execution with another value for one stage, and with these changes."""
        stages = (*self.stages[:index], stage, *self.stages[index + 1 :])
        return replace(self, stages=stages, **changes)
