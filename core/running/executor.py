"""Runs the stages of one execution in order, and says in events what becomes of them."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    StageOutput,
    StageRetrying,
    StageSkipped,
    StageStarted,
)
from ..execution.model import EndReason, Execution, Failure, StageStatus, Status
from ..json_value import JSON
from ..pipelines.pipeline import Pipeline, StageDefinition
from .attempt import attempt
from .conditions import exits_early, return_stage, skip_reason
from .stages import StageCall, StageResult, StageRunner, Stop

logger = logging.getLogger("runcast.executor")

SHUTDOWN = Failure("ServerShutdown", "the server was stopped before the execution had ended")
LONGEST_BACKOFF_SECONDS = 30.0


@dataclass(slots=True)
class _Course:
    """One execution on its way through its stages."""

    execution: Execution
    pipeline: Pipeline
    sink: Sink
    stop: Stop
    value: JSON
    outputs: dict[str, JSON] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.execution.id

    def takes_over(self, index: int) -> bool:
        """Whether the execution brings the stage along, completed or skipped by an earlier one."""
        stage = self.execution.stages[index]
        if stage.status is StageStatus.COMPLETED:
            self.hand_over(stage.id, stage.value)
        return stage.status in (StageStatus.COMPLETED, StageStatus.SKIPPED)

    def hand_over(self, stage_id: str, value: JSON) -> None:
        """What a stage came to goes to the next one, and to all that name it."""
        self.value = self.outputs[stage_id] = value

    def call(self, stage: StageDefinition, number: int) -> StageCall[StageDefinition]:
        """The attempt of that number at a stage."""
        return StageCall(
            execution_id=self.id,
            stage=stage,
            attempt=number,
            input=self.value,
            pipeline_input=self.execution.input,
            outputs=dict(self.outputs),
            folder=self.pipeline.folder,
            emit=lambda text: None,
            stop=self.stop,
            execution_mode=self.execution.options.execution_mode,
            cli_tool=self.execution.options.cli_tool,
        )


class PipelineExecutor:
    """Knows a runner for each kind of stage. Holds no state of its own between executions."""

    def __init__(self, runners: Mapping[str, StageRunner[Any]], clock: Clock) -> None:
        self._runners = runners
        self._clock = clock

    async def run(self, execution: Execution, pipeline: Pipeline, sink: Sink, stop: Stop) -> None:
        """From Began to exactly one Ended, whatever the stages do.

        Stages that the execution brings along as completed are taken over, not run again. When the
        task is cancelled, the stage that runs is stopped first. Ended then says that the server was
        stopped: that a user's cancel ends as CANCELLED is the state machine's rule, not known here.
        """
        course = _Course(execution, pipeline, sink, stop, execution.input)
        await sink(Began(course.id, self._clock.now()))
        await sink(await self._outcome(course))

    async def _outcome(self, course: _Course) -> Ended:
        limit = _shortest(course.pipeline.settings.timeout_ms, course.execution.options.timeout_ms)
        scope = asyncio.timeout(None if limit is None else limit / 1000)
        try:
            async with scope:
                return await self._stages(course)
        except asyncio.CancelledError:
            return self._failed(course, EndReason.SERVER_SHUTDOWN, SHUTDOWN)
        except Exception as error:
            if isinstance(error, TimeoutError) and scope.expired():
                late = Failure("Timeout", f"the execution took longer than {limit} ms")
                return self._failed(course, EndReason.TIMEOUT, late)
            logger.exception("execution %s: a stage runner itself failed", course.id)
            internal = Failure("InternalError", f"{type(error).__name__} in the stage runner")
            return self._failed(course, EndReason.STAGE_ERROR, internal)

    async def _stages(self, course: _Course) -> Ended:
        settings, stages = course.pipeline.settings, course.pipeline.stages
        failure = None
        for index, stage in enumerate(stages):
            if course.takes_over(index):
                continue
            reason = skip_reason(stages, index, course.execution.input, course.outputs)
            if reason is not None:
                await course.sink(StageSkipped(course.id, self._clock.now(), index, reason))
                continue
            try:
                course.hand_over(stage.id, await self._stage(course, index, stage))
            except StageError as error:
                failure = _failure(error, stage)
                if not settings.continue_on_error:
                    timed_out = isinstance(error, StageTimeout)
                    ended = EndReason.TIMEOUT if timed_out else EndReason.STAGE_ERROR
                    return self._failed(course, ended, failure)
                continue
            if settings.enable_early_exit and exits_early(stage, course.value):
                return self._completed(course, EndReason.EARLY_EXIT, return_stage(stage))
        if failure is not None and not course.outputs:
            return self._failed(course, EndReason.STAGE_ERROR, failure)
        return self._completed(course, EndReason.FINISHED)

    async def _stage(self, course: _Course, index: int, stage: StageDefinition) -> JSON:
        for number in range(1, stage.retry_count + 2):
            started = StageStarted(course.id, self._clock.now(), index, number)
            await course.sink(started)
            try:
                result = await self._attempt(course, index, stage, number)
            except StageError as error:
                await self._tell_failure(course, index, stage, number, error)
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

    async def _tell_failure(
        self, course: _Course, index: int, stage: StageDefinition, number: int, error: StageError
    ) -> None:
        """Waits for the next attempt, or raises the error if there is none."""
        failure, now = _failure(error, stage), self._clock.now()
        if number > stage.retry_count or not error.retryable:
            await course.sink(StageFailed(course.id, now, index, failure))
            raise error
        await course.sink(StageRetrying(course.id, now, index, failure))
        backoff = stage.retry_delay_ms / 1000 * 2 ** (number - 1)
        try:
            await self._clock.sleep(min(backoff, LONGEST_BACKOFF_SECONDS))
        except asyncio.CancelledError:
            await course.sink(StageCancelled(course.id, self._clock.now(), index))
            raise

    async def _attempt(
        self, course: _Course, index: int, stage: StageDefinition, number: int
    ) -> StageResult:
        async def publish(text: str, dropped: int) -> None:
            now = self._clock.now()
            await course.sink(StageOutput(course.id, now, index, text, dropped))

        return await attempt(self._runners[stage.kind], course.call(stage, number), publish)

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

    def _failed(self, course: _Course, reason: EndReason, error: Failure) -> Ended:
        return Ended(course.id, self._clock.now(), Status.FAILED, reason, error=error)


def _failure(error: StageError, stage: StageDefinition) -> Failure:
    return Failure(error.type, error.message, stage.id, error.traceback)


def _shortest(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
