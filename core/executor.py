"""Runs the stages of one execution in order, and says in events what becomes of them."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from .clock import Clock
from .engines import Sink
from .errors import StageError, StageTimeout
from .events import (
    Began,
    Ended,
    StageCancelled,
    StageCompleted,
    StageFailed,
    StageOutput,
    StageRetrying,
    StageStarted,
)
from .model import JSON, EndReason, Execution, Failure, StageStatus, Status
from .pipeline import Pipeline, StageDefinition
from .stages import StageCall, StageResult, StageRunner, Stop
from .stages.emitter import Emitter

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
        try:
            async with asyncio.timeout(None if limit is None else limit / 1000):
                return await self._stages(course)
        except TimeoutError:
            error = Failure("Timeout", f"the execution took longer than {limit} ms")
            return self._failed(course, EndReason.TIMEOUT, error)
        except asyncio.CancelledError:
            return self._failed(course, EndReason.SERVER_SHUTDOWN, SHUTDOWN)
        except Exception as error:
            logger.exception("execution %s: a stage runner itself failed", course.id)
            internal = Failure("InternalError", f"{type(error).__name__} in the stage runner")
            return self._failed(course, EndReason.STAGE_ERROR, internal)

    async def _stages(self, course: _Course) -> Ended:
        failure = None
        for index, stage in enumerate(course.pipeline.stages):
            before = course.execution.stages[index]
            try:
                if before.status is StageStatus.COMPLETED:
                    course.value = before.value
                else:
                    course.value = await self._stage(course, index, stage)
            except StageError as error:
                failure = _failure(error, stage)
                if not course.pipeline.settings.continue_on_error:
                    timed_out = isinstance(error, StageTimeout)
                    reason = EndReason.TIMEOUT if timed_out else EndReason.STAGE_ERROR
                    return self._failed(course, reason, failure)
            else:
                course.outputs[stage.id] = course.value
        if failure is not None and not course.outputs:
            return self._failed(course, EndReason.STAGE_ERROR, failure)
        return Ended(
            course.id,
            self._clock.now(),
            Status.COMPLETED,
            EndReason.FINISHED,
            output=course.value,
        )

    async def _stage(self, course: _Course, index: int, stage: StageDefinition) -> JSON:
        for attempt in range(1, stage.retry_count + 2):
            started = StageStarted(course.id, self._clock.now(), index, attempt)
            await course.sink(started)
            try:
                result = await self._attempt(course, index, stage, attempt)
            except StageError as error:
                await self._tell_failure(course, index, stage, attempt, error)
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
        self, course: _Course, index: int, stage: StageDefinition, attempt: int, error: StageError
    ) -> None:
        """Waits for the next attempt, or raises the error if there is none."""
        failure, now = _failure(error, stage), self._clock.now()
        if attempt > stage.retry_count or not error.retryable:
            await course.sink(StageFailed(course.id, now, index, failure))
            raise error
        await course.sink(StageRetrying(course.id, now, index, failure))
        backoff = stage.retry_delay_ms / 1000 * 2 ** (attempt - 1)
        try:
            await self._clock.sleep(min(backoff, LONGEST_BACKOFF_SECONDS))
        except asyncio.CancelledError:
            await course.sink(StageCancelled(course.id, self._clock.now(), index))
            raise

    async def _attempt(
        self, course: _Course, index: int, stage: StageDefinition, attempt: int
    ) -> StageResult:
        async def publish(text: str, dropped: int) -> None:
            now = self._clock.now()
            await course.sink(StageOutput(course.id, now, index, text, dropped))

        async with Emitter(publish, stage.max_output_bytes) as emitter:
            call = StageCall(
                execution_id=course.id,
                stage=stage,
                attempt=attempt,
                input=course.value,
                pipeline_input=course.execution.input,
                outputs=dict(course.outputs),
                folder=course.pipeline.folder,
                emit=emitter.emit,
                stop=course.stop,
            )
            result = await self._within_its_time(call)
            if emitter.silent:
                emitter.emit(as_text(result.value))
        return result

    async def _within_its_time(self, call: StageCall[StageDefinition]) -> StageResult:
        limit = call.stage.timeout_ms
        runner = self._runners[call.stage.kind]
        try:
            async with asyncio.timeout(None if limit is None else limit / 1000) as scope:
                return await runner.run(call)
        except TimeoutError:
            if not scope.expired():
                raise
            raise StageTimeout(f"stage {call.stage.id} took longer than {limit} ms") from None

    def _failed(self, course: _Course, reason: EndReason, error: Failure) -> Ended:
        return Ended(course.id, self._clock.now(), Status.FAILED, reason, error=error)


def as_text(value: JSON) -> str:
    """A stage's value as a person reads it: text as it is, JSON with an indent of 2."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _failure(error: StageError, stage: StageDefinition) -> Failure:
    return Failure(error.type, error.message, stage.id, error.traceback)


def _shortest(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
