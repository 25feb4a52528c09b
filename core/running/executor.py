"""Runs the stages of one execution in order, and says in events what becomes of them."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..clock import Clock
from ..errors import StageError, StageTimeout
from ..execution.events import (
    Began,
    Ended,
    Sink,
    StageCancelled,
    StageCompleted,
    StageFailed,
    StageLogged,
    StageProgressed,
    StageRetrying,
    StageSkipped,
    StageStarted,
)
from ..execution.log import LogPiece, LogStream
from ..execution.model import EndReason, Execution, Failure, StageStatus, Status
from ..json_value import JSON
from ..pipelines.pipeline import Pipeline, PromptStage, StageDefinition
from .attempt import attempt
from .attempt_log import AttemptLog
from .conditions import exits_early, return_stage, skip_reason
from .contents import Contents, computed, content
from .stages import StageCall, StageResult, StageRunner, Stop
from .stores import Stores
from .template import Scope, render

logger = logging.getLogger("runcast.executor")

SHUTDOWN = Failure("ServerShutdown", "the server was stopped before the execution had ended")
LONGEST_BACKOFF_SECONDS = 30.0
INTERRUPTED = Failure("Interrupted", "what ran this attempt has gone; it is begun again")
TIMEOUT = "Timeout"


@dataclass(slots=True)
class _Course:
    """One execution on its way through its stages."""

    execution: Execution
    pipeline: Pipeline
    sink: Sink
    stop: Stop
    stores: Stores
    value: JSON
    """What the next stage is given: of the stage before, or the execution's input."""
    outputs: dict[str, JSON] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.execution.id

    @property
    def goes_on(self) -> bool:
        """Whether it was run before, up to where the execution is."""
        return self.execution.status is not Status.QUEUED

    def failure(self, index: int) -> Failure | None:
        """Why the stage has failed, if it had before."""
        stage = self.execution.stages[index]
        return stage.error if stage.status is StageStatus.FAILED else None

    def takes_over(self, index: int) -> bool:
        """Whether the execution brings the stage along, completed or skipped by an earlier one."""
        stage = self.execution.stages[index]
        if stage.status is StageStatus.COMPLETED:
            self.hand_over(stage.id, stage.value)
        return stage.status in (StageStatus.COMPLETED, StageStatus.SKIPPED)

    def hand_over(self, stage_id: str, value: JSON) -> None:
        """What a stage came to goes to the next one, and to all that name it."""
        self.value = self.outputs[stage_id] = value

    async def skip_reason(self, index: int) -> str | None:
        """Why a stage is skipped; None if it runs."""
        stages, input = self.pipeline.stages, self.execution.input

        def reason() -> str | None:
            prompt = str(content(input, self.stores))
            return skip_reason(stages, index, prompt, Contents(self.outputs, self.stores))

        if stages[index].conditions is None:
            return None
        return await computed(reason, input, *self.outputs.values())

    async def exits_early(self, stage: StageDefinition) -> bool:
        """Whether no stage runs after this one, which has completed."""
        value = self.value
        if not self.pipeline.settings.enable_early_exit:
            return False
        if stage.conditions is None or stage.conditions.early_exit is None:
            return False  # Nobody has to read the value for that, which can be large.
        return await computed(lambda: exits_early(stage, content(value, self.stores)), value)

    async def call(
        self, stage: StageDefinition, number: int, log: AttemptLog
    ) -> StageCall[StageDefinition]:
        """The attempt of that number at a stage.

        Raises:
            StageError: a name in the template of its input means nothing.
        """
        return StageCall(
            execution_id=self.id,
            stage=stage,
            attempt=number,
            input=await self._given(stage),
            pipeline_input=self.execution.input,
            outputs=dict(self.outputs),
            folder=self.pipeline.folder,
            log=log,
            stop=self.stop,
            stores=self.stores,
            execution_mode=self.execution.options.execution_mode,
            cli_tool=self.execution.options.cli_tool,
        )

    async def _given(self, stage: StageDefinition) -> JSON:
        template, value, input = stage.input, self.value, self.execution.input
        if template is None:
            return value

        def rendered() -> str:
            prompt, given = str(content(input, self.stores)), content(value, self.stores)
            return render(template, {}, Scope(prompt, given, Contents(self.outputs, self.stores)))

        return await computed(rendered, input, value, *self.outputs.values())


class PipelineExecutor:
    """Knows a runner for each kind of stage. Holds no state of its own between executions.

    Logs are written in `threads`: nothing else may be, for a disk can hang.
    """

    def __init__(
        self,
        runners: Mapping[str, StageRunner[Any]],
        clock: Clock,
        stores: Stores,
        threads: Executor,
    ) -> None:
        self._runners = runners
        self._clock = clock
        self._stores = stores
        self._threads = threads

    async def run(self, execution: Execution, pipeline: Pipeline, sink: Sink, stop: Stop) -> None:
        """From where the execution is to exactly one Ended, whatever the stages do.

        One that waits begins. With one that was run before, up to where it is, this goes on: what
        has ended stays as it is, a stage that was interrupted is run again from its start, in an
        attempt that is none of its retries, and the time limit has run all the while.

        Stages that the execution brings along as completed are taken over, not run again. When the
        task is cancelled, the stage that runs is stopped first. Ended then says that the server was
        stopped: that a user's cancel ends as CANCELLED is the state machine's rule, not known here.
        """
        course = _Course(execution, pipeline, sink, stop, self._stores, execution.input)
        if not course.goes_on:
            await sink(Began(course.id, self._clock.now()))
        await sink(await self._outcome(course))

    async def _outcome(self, course: _Course) -> Ended:
        limit = _shortest(course.pipeline.settings.timeout_ms, course.execution.options.timeout_ms)
        scope = asyncio.timeout(None if limit is None else (limit - self._spent(course)) / 1000)
        try:
            async with scope:
                return await self._stages(course)
        except asyncio.CancelledError:
            return self._failed(course, EndReason.SERVER_SHUTDOWN, SHUTDOWN)
        except Exception as error:
            if isinstance(error, TimeoutError) and scope.expired():
                late = Failure(TIMEOUT, f"the execution took longer than {limit} ms")
                return self._failed(course, EndReason.TIMEOUT, late)
            logger.exception("execution %s: a stage runner itself failed", course.id)
            internal = Failure("InternalError", f"{type(error).__name__} in the stage runner")
            return self._failed(course, EndReason.STAGE_ERROR, internal)

    def _spent(self, course: _Course) -> int:
        """The milliseconds that it has run before."""
        began = course.execution.began_at
        return 0 if began is None else max(0, self._clock.now() - began)

    async def _stages(self, course: _Course) -> Ended:
        settings, stages = course.pipeline.settings, course.pipeline.stages
        failure = None
        for index, stage in enumerate(stages):
            if course.takes_over(index):
                # One that was taken over from another execution was not looked at there, either.
                has_completed = course.execution.stages[index].status is StageStatus.COMPLETED
                if course.goes_on and has_completed and await course.exits_early(stage):
                    return self._completed(course, EndReason.EARLY_EXIT, return_stage(stage))
                continue
            if (failed := course.failure(index)) is not None:
                failure = failed
                if not settings.continue_on_error:
                    return self._stage_failed(course, failed, failed.type == TIMEOUT)
                continue
            reason = await course.skip_reason(index)
            if reason is not None:
                await course.sink(StageSkipped(course.id, self._clock.now(), index, reason))
                continue
            try:
                course.hand_over(stage.id, await self._stage(course, index, stage))
            except StageError as error:
                failure = _failure(error, stage)
                if not settings.continue_on_error:
                    timed_out = isinstance(error, StageTimeout)
                    return self._stage_failed(course, failure, timed_out)
                continue
            if await course.exits_early(stage):
                return self._completed(course, EndReason.EARLY_EXIT, return_stage(stage))
        if failure is not None and not course.outputs:
            return self._failed(course, EndReason.STAGE_ERROR, failure)
        return self._completed(course, EndReason.FINISHED)

    async def _stage(self, course: _Course, index: int, stage: StageDefinition) -> JSON:
        first, lost = await self._gone_on_with(course, index)
        for number in range(first, stage.retry_count + 2 + lost):
            now, model = self._clock.now(), _model(stage)
            await course.sink(StageStarted(course.id, now, index, number, model))
            try:
                result = await self._attempt(course, index, stage, number)
            except StageError as error:
                await self._retry_or_fail(course, index, stage, number - lost, error)
            except asyncio.CancelledError:
                await course.sink(StageCancelled(course.id, self._clock.now(), index))
                raise
            else:
                now = self._clock.now()
                await course.sink(
                    StageCompleted(course.id, now, index, result.value, result.usage, result.model)
                )
                return result.value
        raise AssertionError("the last attempt either returns or raises")

    async def _gone_on_with(self, course: _Course, index: int) -> tuple[int, int]:
        """The number of the next attempt, and how many before it were interrupted.

        If it waited for that attempt, the rest of the pause is waited for.
        """
        stage = course.execution.stages[index]
        if stage.status is not StageStatus.RUNNING:
            return 1, 0
        lost = sum(one.error == INTERRUPTED for one in stage.attempts)
        if stage.next_attempt_at is not None:
            await self._pause(course, index, (stage.next_attempt_at - self._clock.now()) / 1000)
            return stage.attempt + 1, lost
        now = self._clock.now()
        await course.sink(StageRetrying(course.id, now, index, INTERRUPTED, now))
        return stage.attempt + 1, lost + 1

    async def _retry_or_fail(
        self, course: _Course, index: int, stage: StageDefinition, number: int, error: StageError
    ) -> None:
        """Waits for the next attempt, or raises the error if there is none."""
        failure, now = _failure(error, stage), self._clock.now()
        if not _is_tried_again(stage, number, error):
            await course.sink(StageFailed(course.id, now, index, failure))
            raise error
        seconds = _backoff(stage, number)
        next_at = now + round(seconds * 1000)
        await course.sink(StageRetrying(course.id, now, index, failure, next_at))
        await self._pause(course, index, seconds)

    async def _pause(self, course: _Course, index: int, seconds: float) -> None:
        try:
            await self._clock.sleep(max(0.0, seconds))
        except asyncio.CancelledError:
            await course.sink(StageCancelled(course.id, self._clock.now(), index))
            raise

    async def _attempt(
        self, course: _Course, index: int, stage: StageDefinition, number: int
    ) -> StageResult:
        async def publish(piece: LogPiece, output_offset: int, of_value: bool) -> None:
            # The piece has its own time: it was said before it is told.
            now = self._clock.now()
            await course.sink(StageLogged(course.id, now, index, piece, output_offset, of_value))

        async def report(progress: float) -> None:
            await course.sink(StageProgressed(course.id, self._clock.now(), index, progress))

        open_log = partial(self._stores.open_log, course.id, stage.id, number)
        async with AttemptLog(open_log, publish, report, self._clock, self._threads) as log:
            try:
                return await attempt(
                    self._runners[stage.kind], await course.call(stage, number, log)
                )
            except StageError as error:
                log.write(LogStream.SYSTEM, _in_words(stage, number, error))
                raise
            except asyncio.CancelledError:
                log.write(LogStream.SYSTEM, "stopped\n")
                raise

    def _completed(
        self, course: _Course, reason: EndReason, return_stage: str | None = None
    ) -> Ended:
        return Ended(
            course.id,
            self._clock.now(),
            Status.COMPLETED,
            reason,
            output=course.value if course.outputs else None,
            return_stage=return_stage,
        )

    def _stage_failed(self, course: _Course, failure: Failure, timed_out: bool) -> Ended:
        reason = EndReason.TIMEOUT if timed_out else EndReason.STAGE_ERROR
        return self._failed(course, reason, failure)

    def _failed(self, course: _Course, reason: EndReason, error: Failure) -> Ended:
        return Ended(course.id, self._clock.now(), Status.FAILED, reason, error=error)


def _model(stage: StageDefinition) -> str | None:
    """What a prompt stage is going to ask, before anything has answered."""
    return stage.model.model_id if isinstance(stage, PromptStage) else None


def _failure(error: StageError, stage: StageDefinition) -> Failure:
    return Failure(error.type, error.message, stage.id, error.traceback)


def _is_tried_again(stage: StageDefinition, number: int, error: StageError) -> bool:
    return number <= stage.retry_count and error.retryable


def _backoff(stage: StageDefinition, number: int) -> float:
    """The seconds between an attempt and the next one."""
    doubled: float = stage.retry_delay_ms / 1000 * 2 ** (number - 1)
    return min(doubled, LONGEST_BACKOFF_SECONDS)


def _in_words(stage: StageDefinition, number: int, error: StageError) -> str:
    """What the log says of the end of an attempt that has failed."""
    attempts = f"attempt {number} of {stage.retry_count + 1}" if stage.retry_count else "the stage"
    said = f"{attempts} failed: {error.type}: {error.message}\n"
    if _is_tried_again(stage, number, error):
        said += f"attempt {number + 1} begins in {_backoff(stage, number):g} s\n"
    return said


def _shortest(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
