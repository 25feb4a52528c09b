"""One execution on its way through its stages."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from courses import Course, failing
from patience import turns, until
from runcast.core.errors import StageError
from runcast.core.execution.events import Ended, Submitted
from runcast.core.execution.log import LogStream
from runcast.core.execution.model import (
    EndReason,
    RunOptions,
    StageStatus,
    Status,
    Usage,
)
from runcast.core.json_value import as_text
from runcast.core.pipelines.pipeline import Pipeline, PipelineFile
from runcast.core.running.stages import StageCall, StageResult
from samples import a_pipeline
from scripted_stages import Gate, SlowToStop
from virtual_clock import VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")


@pytest.mark.parametrize("mode", ["api", "cli"])
async def test_the_model_of_a_prompt_is_told_when_it_begins(clock: VirtualClock, mode: str) -> None:
    """Whatever becomes of it; other stages have none."""
    source = a_pipeline("one").source
    prompt = {"prompt": {"template": "?"}, "model": {"providerID": "openai", "modelID": "a-model"}}
    source["stages"].append({"id": "two", "retryCount": 0, **prompt})
    definition = PipelineFile.model_validate(source)
    pipeline = Pipeline(definition=definition, source=source, path=Path("demo.yaml"))
    course = Course(pipeline, clock, two=(gate := Gate()))
    course.execution = replace(course.execution, options=RunOptions(execution_mode=mode))
    run = course.begin()
    await gate.entered.wait()
    assert [stage.model for stage in course.execution.stages] == [None, "a-model"]
    run.cancel()
    await asyncio.wait([run])
    assert course.stages == [StageStatus.COMPLETED, StageStatus.CANCELLED]
    assert course.execution.stages[1].model == "a-model"


async def test_stages_run_in_order_and_hand_on_their_values(clock: VirtualClock) -> None:
    """Each sees the input, what came before it, and the value of the one before."""

    async def count(call: StageCall[Any]) -> object:
        return StageResult({"words": len(str(call.input).split())}, Usage(1, 2, 0.5), "a-model")

    course = Course(a_pipeline("one", "two"), clock, one=count)
    after = await course.run()
    assert (after.status, after.end_reason) == (Status.COMPLETED, EndReason.FINISHED)
    assert after.output == {"words": 1}
    assert after.usage == Usage(1, 2, 0.5) and after.stages[0].model == "a-model"
    second = course.runner.calls[1]
    assert (second.input, second.outputs) == ({"words": 1}, {"one": {"words": 1}})
    assert second.pipeline_input == "hello"
    assert course.said == [
        "Began", "StageStarted", "StageCompleted", "StageStarted", "StageCompleted", "Ended"
    ]  # fmt: skip


async def test_a_silent_stage_puts_out_its_value(clock: VirtualClock) -> None:
    """One that has put out something is not said twice."""

    async def talk(call: StageCall[Any]) -> object:
        call.emit("thinking")
        return "the value"

    course = Course(a_pipeline("one", "two"), clock, two=talk)
    after = await course.run()
    assert (course.told(0), course.told(1)) == ("hello", "thinking")
    assert [stage.log.output_length for stage in after.stages] == [5, 8]
    assert (course.log(1, "one"), course.log(1, "two")) == ([], [(LogStream.STDOUT, "thinking")])
    assert as_text({"a": 1}) == '{\n  "a": 1\n}'


async def test_what_an_older_execution_completed_is_taken_over(clock: VirtualClock) -> None:
    """Its value is handed on, and it is not run again."""
    course = Course(a_pipeline("one", "two"), clock)
    done = replace(course.execution.stages[0], status=StageStatus.COMPLETED, value="old")
    course.execution = course.execution.with_stage(0, done)
    after = await course.run()
    assert after.output == "old"
    assert [call.stage.id for call in course.runner.calls] == ["two"]
    assert course.runner.calls[0].outputs == {"one": "old"}


async def test_a_failed_stage_ends_the_execution(clock: VirtualClock) -> None:
    """With the stage's error; the stages behind it never begin."""
    error = StageError("no luck", type="ExitStatus", traceback="where")
    course = Course(a_pipeline("one", "two"), clock, one=failing(error))
    after = await course.run()
    assert (after.status, after.end_reason) == (Status.FAILED, EndReason.STAGE_ERROR)
    assert after.error is not None
    assert (after.error.type, after.error.stage_id) == ("ExitStatus", "one")
    assert (after.error.message, after.error.traceback) == ("no luck", "where")
    assert course.stages == ["FAILED", "PENDING"]


async def test_a_pipeline_can_continue_on_error(clock: VirtualClock) -> None:
    """It completes with what did succeed, and fails if nothing did."""
    settings = {"continueOnError": True}
    pipeline = a_pipeline("one", "two", "three", settings=settings)
    course = Course(pipeline, clock, two=failing(StageError("no")))
    after = await course.run()
    assert (after.status, after.output) == (Status.COMPLETED, "hello")
    assert course.stages == ["COMPLETED", "FAILED", "COMPLETED"]
    bad = failing(StageError("no"))
    after = await Course(a_pipeline("one", settings=settings), clock, one=bad).run()
    assert (after.status, after.end_reason) == (Status.FAILED, EndReason.STAGE_ERROR)


DONE = {"earlyExit": {"condition": {"path": "done", "equals": True}}}
NAMES = {"earlyExit": {"condition": {"path": "done", "equals": True}, "returnStage": "two"}}


@pytest.mark.parametrize(("conditions", "said"), [(DONE, "one"), (NAMES, "two")])
async def test_an_early_exit_leaves_out_the_rest(
    clock: VirtualClock, conditions: dict[str, Any], said: str
) -> None:
    """The value of the stage is the result; that is said to come from it, or from another one."""

    async def is_done(call: StageCall[Any]) -> object:
        return {"done": True}

    pipeline = a_pipeline("one", "two", conditions=conditions)
    course = Course(pipeline, clock, one=is_done)
    after = await course.run()
    assert (after.status, after.end_reason) == (Status.COMPLETED, EndReason.EARLY_EXIT)
    assert (after.output, after.return_stage) == ({"done": True}, said)
    assert course.stages == ["COMPLETED", "PENDING"]


@pytest.mark.parametrize("value", [{"done": False}, {"one": {"done": True}}, "done"])
async def test_without_its_condition_there_is_no_early_exit(
    clock: VirtualClock, value: object
) -> None:
    """Only the stage's own value counts."""

    async def say(call: StageCall[Any]) -> object:
        return value

    course = Course(a_pipeline("one", "two", conditions=DONE), clock, one=say, two=say)
    after = await course.run()
    assert (after.end_reason, after.return_stage) == (EndReason.FINISHED, None)
    assert course.stages == ["COMPLETED", "COMPLETED"]


async def test_a_pipeline_can_do_without_early_exits(clock: VirtualClock) -> None:
    """Whatever its stages say."""

    async def is_done(call: StageCall[Any]) -> object:
        return {"done": True}

    pipeline = a_pipeline("one", "two", settings={"enableEarlyExit": False}, conditions=DONE)
    course = Course(pipeline, clock, one=is_done)
    assert (await course.run()).end_reason is EndReason.FINISHED
    assert course.stages == ["COMPLETED", "COMPLETED"]


async def test_attempts_are_repeated_after_a_growing_pause(clock: VirtualClock) -> None:
    """retryDelayMs, doubled each time; what the failed attempt put out is gone."""
    pipeline = a_pipeline("one", retryCount=2, retryDelayMs=1000)
    course = Course(pipeline, clock, one=failing(StageError("no"), times=2))
    task = course.begin()
    for pause in (1.0, 2.0):
        await until(lambda: clock.sleepers)
        clock.advance(pause - 0.125)
        await turns()
        assert clock.sleepers == 1
        clock.advance(0.125)
    async with asyncio.timeout(30):
        await task
    assert course.execution.output == "at last"
    assert course.said.count("StageRetrying") == 2
    assert [call.attempt for call in course.runner.calls] == [1, 2, 3]
    assert course.execution.stages[0].error is None


async def test_no_pause_is_longer_than_half_a_minute(clock: VirtualClock) -> None:
    """However often it was doubled."""
    pipeline = a_pipeline("one", retryCount=2, retryDelayMs=20_000)
    task = Course(pipeline, clock, one=failing(StageError("no"))).begin()
    for pause in (20.0, 30.0):
        await until(lambda: clock.sleepers)
        clock.advance(pause - 0.125)
        await turns()
        assert clock.sleepers == 1
        clock.advance(0.125)
        assert clock.sleepers == 0
    await until(task.done)


async def test_what_took_too_long_is_tried_again(clock: VirtualClock) -> None:
    """Each attempt has the whole of its time."""
    gate = Gate()
    course = Course(a_pipeline("one", timeoutMs=20, retryCount=1), clock, one=gate)
    task = course.begin()
    await until(lambda: clock.sleepers)
    assert course.execution.stages[0].error is not None
    assert course.execution.stages[0].error.type == "Timeout"
    gate.opened.set()
    clock.advance(60)
    async with asyncio.timeout(30):
        await task
    assert (course.execution.output, course.execution.stages[0].attempt) == ("done", 2)


async def test_a_skipped_stage_of_an_older_execution_is_not_looked_at_again(
    clock: VirtualClock,
) -> None:
    """It is neither run nor skipped anew, and hands nothing on."""
    course = Course(a_pipeline("one", "two", "three"), clock)
    done = replace(course.execution.stages[0], status=StageStatus.COMPLETED, value="old")
    skipped = replace(course.execution.stages[1], status=StageStatus.SKIPPED, skip_reason="no")
    course.execution = course.execution.with_stage(0, done).with_stage(1, skipped)
    after = await course.run()
    assert [call.stage.id for call in course.runner.calls] == ["three"]
    assert (course.runner.calls[0].input, after.output) == ("old", "old")
    assert course.runner.calls[0].outputs == {"one": "old"}
    assert course.stages == ["COMPLETED", "SKIPPED", "COMPLETED"]


async def test_a_stage_is_told_how_its_execution_was_started(clock: VirtualClock) -> None:
    """Which way to the models, and by which tool."""
    course = Course(a_pipeline("one"), clock)
    options = replace(course.execution.options, execution_mode="cli", cli_tool="aider")
    course.execution = replace(course.execution, options=options)
    await course.run()
    [call] = course.runner.calls
    assert (call.execution_mode, call.cli_tool) == ("cli", "aider")
    assert (call.execution_id, call.attempt) == (course.execution.id, 1)


async def test_a_stage_may_say_what_it_is_given(clock: VirtualClock) -> None:
    """A template over the input, what was handed over last, and every earlier stage."""
    template = "{{prompt}} {{one.a}} {{two}}"

    async def number(call: StageCall[Any]) -> object:
        return {"a": 1} if call.stage.id == "one" else "2"

    pipeline = a_pipeline("one", "two", "three")
    [one, two, three] = pipeline.stages
    stages = (one, two, three.model_copy(update={"input": template}))
    definition = pipeline.definition.model_copy(update={"stages": stages})
    pipeline = pipeline.model_copy(update={"definition": definition})
    course = Course(pipeline, clock, one=number, two=number)
    after = await course.run()
    assert [call.input for call in course.runner.calls] == ["hello", {"a": 1}, "hello 1 2"]
    assert after.output == "hello 1 2"


async def test_what_no_other_attempt_can_help_is_not_repeated(clock: VirtualClock) -> None:
    """A StageError says so."""
    error = StageError("no", retryable=False)
    course = Course(a_pipeline("one", retryCount=5), clock, one=failing(error))
    assert (await course.run()).status is Status.FAILED
    assert len(course.runner.calls) == 1


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (OSError(28, "No space left on device"), 3),
        (BlockingIOError(11, "Resource temporarily unavailable"), 3),
        (ConnectionResetError("by the other side"), 3),
        (TimeoutError("a socket's"), 3),
        (StageError("no luck"), 3),
        (StageError("no luck", retryable=False), 1),
        (ZeroDivisionError("a bug"), 1),
        (MemoryError(), 1),
        (SystemExit(3), 1),
        (asyncio.CancelledError(), 1),
    ],
    ids=repr,
)
async def test_what_another_attempt_may_help_is_repeated(
    clock: VirtualClock, error: BaseException, attempts: int
) -> None:
    """A fault of the machine may be over the next time, a bug will not be."""
    course = Course(a_pipeline("one", retryCount=2), clock, one=failing(error))
    task = course.begin()
    for _ in range(attempts - 1):
        await until(lambda: clock.sleepers or task.done())
        clock.advance(60)
    async with asyncio.timeout(30):
        await task
    assert [call.attempt for call in course.runner.calls] == [*range(1, attempts + 1)]
    assert course.execution.end_reason is EndReason.STAGE_ERROR


async def test_a_cancel_during_the_pause_ends_the_stage(clock: VirtualClock) -> None:
    """There is no further attempt."""
    course = Course(a_pipeline("one", retryCount=1), clock, one=failing(StageError("no")))
    task = course.begin()
    await until(lambda: clock.sleepers)
    task.cancel()
    async with asyncio.timeout(30):
        await task
    assert course.said[-3:] == ["StageRetrying", "StageCancelled", "Ended"]
    assert course.execution.end_reason is EndReason.SERVER_SHUTDOWN
    assert len(course.runner.calls) == 1


async def test_a_stage_has_a_time_limit(clock: VirtualClock) -> None:
    """Its runner is cancelled, and the execution ends with TIMEOUT."""
    gate = Gate()
    after = await Course(a_pipeline("one", timeoutMs=20), clock, one=gate).run()
    assert (after.status, after.end_reason) == (Status.FAILED, EndReason.TIMEOUT)
    assert after.error is not None and "took longer than 20 ms" in after.error.message
    assert gate.cancels == 1


@pytest.mark.parametrize("by", ["pipeline", "caller"])
async def test_an_execution_has_a_time_limit(clock: VirtualClock, by: str) -> None:
    """The shorter one of the pipeline's and the caller's."""
    gate = Gate()
    limits = (20, 60_000) if by == "pipeline" else (60_000, 20)
    course = Course(a_pipeline("one", settings={"timeoutMs": limits[0]}), clock, one=gate)
    options = replace(course.execution.options, timeout_ms=limits[1])
    course.execution = replace(course.execution, options=options)
    after = await course.run()
    assert (after.status, after.end_reason) == (Status.FAILED, EndReason.TIMEOUT)
    assert after.error is not None and "execution took longer than 20 ms" in after.error.message
    assert (course.stages, gate.cancels) == (["CANCELLED"], 1)


async def test_a_runner_is_cancelled_once_however_often_its_run_is(clock: VirtualClock) -> None:
    """What a cancel meets in the midst of cleaning up would be left behind otherwise."""
    slow = SlowToStop()
    course = Course(a_pipeline("one", "two", retryCount=3, timeoutMs=20), clock, one=slow)
    task = course.begin()
    await until(slow.stopping.is_set)
    for _ in range(3):
        task.cancel()
        await turns()
    assert not task.done()
    slow.opened.set()
    async with asyncio.timeout(30):
        await task
    assert (slow.cancels, slow.cleaned) == (1, True)
    assert course.said == ["Began", "StageStarted", "StageCancelled", "Ended"]
    assert course.execution.end_reason is EndReason.SERVER_SHUTDOWN


async def test_a_swallowed_cancel_still_ends_the_run(clock: VirtualClock) -> None:
    """A stage that goes on as if nothing had happened is not asked for its value."""

    async def deaf(call: StageCall[Any]) -> object:
        with suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        return "never heard of it"

    course = Course(a_pipeline("one", "two"), clock, one=deaf)
    task = course.begin()
    await until(lambda: course.runner.active)
    task.cancel()
    async with asyncio.timeout(30):
        await task
    assert course.said == ["Began", "StageStarted", "StageCancelled", "Ended"]


class Odd(BaseException):
    """What nobody expects a stage to raise."""


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), Odd(), asyncio.CancelledError()], ids=repr
)
async def test_a_stage_that_raises_anything_ends_its_own_execution(
    clock: VirtualClock, error: BaseException
) -> None:
    """The event loop goes on, and it is a stage's error and no shutdown."""
    after = await Course(a_pipeline("one", retryCount=2), clock, one=failing(error)).run()
    assert (after.status, after.end_reason) == (Status.FAILED, EndReason.STAGE_ERROR)
    assert after.error is not None and after.error.type == type(error).__name__
    assert after.stages[0].status is StageStatus.FAILED


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (ZeroDivisionError("x"), True),
        (TimeoutError("a socket's"), False),
        (OSError(28, "full"), False),
    ],
    ids=repr,
)
async def test_whatever_a_runner_raises_fails_its_stage(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture, error: Exception, logged: bool
) -> None:
    """It fails the stage by its name, and is not taken for the execution's own time limit."""
    settings = {"continueOnError": True, "timeoutMs": 60_000}
    with caplog.at_level(logging.ERROR, "runcast"):
        after = await Course(a_pipeline("one", settings=settings), clock, one=failing(error)).run()
    assert (after.status, after.end_reason) == (Status.FAILED, EndReason.STAGE_ERROR)
    assert after.error is not None and after.error.type == type(error).__name__
    assert (after.stages[0].status, after.error.stage_id) == (StageStatus.FAILED, "one")
    assert [record.exc_info is not None for record in caplog.records] == [True] * logged


async def test_every_run_ends_with_one_ended(clock: VirtualClock) -> None:
    """And begins with one Began; a submission is not its business."""
    course = Course(a_pipeline("one"), clock)
    await course.run()
    assert sum(isinstance(one, Ended) for one in course.events) == 1
    assert not any(isinstance(one, Submitted) for one in course.events)
