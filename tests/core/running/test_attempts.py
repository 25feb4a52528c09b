"""The attempts at a stage: each with its own end, its own error and its own log."""

import asyncio
from typing import Any

import pytest
from courses import Course, failing
from patience import turns, until
from runcast.core.errors import StageError
from runcast.core.execution.events import StageLogged, StageProgressed, StageRetrying
from runcast.core.execution.log import LogStream
from runcast.core.execution.model import StageAttempt, StageStatus
from runcast.core.running.stages import StageCall
from samples import a_pipeline
from scripted_stages import Act, Gate, SlowToStop
from virtual_clock import EPOCH_MS, VirtualClock

OUT, ERR, SYSTEM = LogStream.STDOUT, LogStream.STDERR, LogStream.SYSTEM

pytestmark = pytest.mark.usefixtures("leaves_no_task")


def talking(times: int, error: str = "ExitStatus") -> Act:
    """Says which attempt it is, and fails so often."""

    async def act(call: StageCall[Any]) -> object:
        call.emit(f"this is {call.attempt}\n")
        call.log.write(ERR, f"warning {call.attempt}\n")
        if call.attempt <= times:
            raise StageError(f"no {call.attempt}", type=error, traceback="where")
        return "value"

    return act


async def through(course: Course, clock: VirtualClock) -> None:
    """To its end, whatever it waits for."""
    task = course.begin()
    while not task.done():
        await until(lambda: clock.sleepers or task.done())
        clock.advance(60)
        await turns()
    await task


async def test_every_attempt_has_its_own_end_and_error(clock: VirtualClock) -> None:
    """Those before the last one stay as they were."""
    pipeline = a_pipeline("one", retryCount=2, retryDelayMs=60_000)
    course = Course(pipeline, clock, one=talking(2))
    await through(course, clock)
    [stage] = course.execution.stages
    assert [(one.number, one.status, one.started_at - EPOCH_MS) for one in stage.attempts] == [
        (1, StageStatus.FAILED, 0),
        (2, StageStatus.FAILED, 60_000),
        (3, StageStatus.COMPLETED, 120_000),
    ]
    errors = [one.error for one in stage.attempts]
    assert [error and error.message for error in errors] == ["no 1", "no 2", None]
    assert [error and (error.type, error.stage_id) for error in errors[:2]] == [
        ("ExitStatus", "one")
    ] * 2
    assert [one.ended_at for one in stage.attempts[:2]] == [EPOCH_MS, EPOCH_MS + 60_000]
    assert (stage.error, stage.value) == (None, "value")


async def test_every_attempt_has_its_own_log(clock: VirtualClock) -> None:
    """On all streams, with what the engine says of its end, and when the next one begins."""
    pipeline = a_pipeline("one", retryCount=2, retryDelayMs=1500)
    course = Course(pipeline, clock, one=talking(3))
    await through(course, clock)
    for number, end in (
        (1, "attempt 1 of 3 failed: ExitStatus: no 1\nattempt 2 begins in 1.5 s\n"),
        (2, "attempt 2 of 3 failed: ExitStatus: no 2\nattempt 3 begins in 3 s\n"),
        (3, "attempt 3 of 3 failed: ExitStatus: no 3\n"),
    ):
        assert course.log(number) == [
            (OUT, f"this is {number}\n"),
            (ERR, f"warning {number}\n"),
            (SYSTEM, end),
        ]
    assert all(writer.closed for writer in course.stores.logs.values())
    assert len(course.stores.logs) == 3


async def test_the_log_of_an_attempt_is_told_before_its_end(clock: VirtualClock) -> None:
    """Who follows has all of it when the stage is said to wait, or to have ended."""
    pipeline = a_pipeline("one", retryCount=1, retryDelayMs=1500)
    course = Course(pipeline, clock, one=talking(2))
    await through(course, clock)
    told = ""
    for event in course.events:
        if isinstance(event, StageLogged):
            told += event.piece.text
        elif isinstance(event, StageRetrying):
            assert told.endswith("attempt 2 begins in 1.5 s\n")
            told = ""
    assert told.endswith("attempt 2 of 2 failed: ExitStatus: no 2\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StageError("no luck", type="ExitStatus"), "ExitStatus: no luck"),
        (StageError("never", type="CannotStart", retryable=False), "CannotStart: never"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (ZeroDivisionError("a bug"), "ZeroDivisionError: the stage raised ZeroDivisionError"),
        (SystemExit(3), "SystemExit: the stage raised SystemExit"),
        (asyncio.CancelledError(), "CancelledError: the stage cancelled itself"),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("default")
async def test_the_log_says_why_an_attempt_has_failed(
    clock: VirtualClock, error: BaseException, said: str
) -> None:
    """Whatever it was; one that is not tried again does not say that it is."""
    course = Course(a_pipeline("one"), clock, one=failing(error))
    await course.run()
    assert course.log(1) == [(SYSTEM, f"the stage failed: {said}\n")]
    assert course.told(0) == f"the stage failed: {said}\n"
    [attempt] = course.execution.stages[0].attempts
    assert attempt.error is not None and f"{attempt.error.type}: {attempt.error.message}" == said


async def test_what_is_not_tried_again_says_so_by_saying_nothing_of_it(clock: VirtualClock) -> None:
    """Although there would be attempts left."""
    error = StageError("never", retryable=False)
    course = Course(a_pipeline("one", retryCount=3), clock, one=failing(error))
    await course.run()
    assert course.log(1) == [(SYSTEM, "attempt 1 of 4 failed: StageError: never\n")]


async def test_an_attempt_that_was_late_says_so(clock: VirtualClock) -> None:
    """In its log and its error, also when it is tried again."""
    gate = Gate()
    pipeline = a_pipeline("one", timeoutMs=20, retryCount=1)
    course = Course(pipeline, clock, one=gate)
    await through(course, clock)
    late = "Timeout: stage one took longer than 20 ms\n"
    assert course.log(1)[-1] == (
        SYSTEM,
        f"attempt 1 of 2 failed: {late}attempt 2 begins in 1 s\n",
    )
    assert course.log(2)[-1] == (SYSTEM, f"attempt 2 of 2 failed: {late}")
    attempts = course.execution.stages[0].attempts
    assert [one.error.type for one in attempts if one.error] == ["Timeout", "Timeout"]


async def test_a_stopped_attempt_says_so(clock: VirtualClock) -> None:
    """After its last words; the failed one before keeps its error to itself."""
    slow = SlowToStop()

    async def first_fails(call: StageCall[Any]) -> object:
        if call.attempt == 1:
            raise StageError("no 1")
        call.emit("begun\n")
        return await slow(call)

    course = Course(a_pipeline("one", retryCount=2), clock, one=first_fails)
    task = course.begin()
    await until(lambda: clock.sleepers)
    clock.advance(60)
    await until(slow.entered.is_set)
    task.cancel()
    await until(slow.stopping.is_set)
    course.runner.calls[-1].emit("last words\n")
    slow.opened.set()
    async with asyncio.timeout(30):
        await task
    assert "".join(text for _, text in course.log(2)) == "begun\nlast words\nstopped\n"
    assert course.log(2)[-1] == (SYSTEM, "stopped\n")
    first, second = course.execution.stages[0].attempts
    assert (first.status, second.status) == (StageStatus.FAILED, StageStatus.CANCELLED)
    assert first.error is not None and second.error is None


async def test_a_stage_that_waits_says_until_when(clock: VirtualClock) -> None:
    """From the failure on until the next attempt begins; a cancel ends the wait."""
    pipeline = a_pipeline("one", retryCount=2, retryDelayMs=4000)
    course = Course(pipeline, clock, one=talking(3))
    task = course.begin()
    for due, number in ((4000, 1), (12_000, 2)):
        await until(lambda: clock.sleepers)
        stage = course.execution.stages[0]
        assert (stage.status, stage.attempt) == (StageStatus.RUNNING, number)
        assert stage.next_attempt_at == EPOCH_MS + due
        assert stage.attempts[-1].status is StageStatus.FAILED
        if number == 1:
            clock.advance(4)
            await until(lambda: course.execution.stages[0].attempt == 2)
            assert [event for event in course.events if isinstance(event, StageRetrying)]
    task.cancel()
    async with asyncio.timeout(30):
        await task
    stage = course.execution.stages[0]
    assert (stage.status, stage.next_attempt_at) == (StageStatus.CANCELLED, None)
    assert [one.status for one in stage.attempts] == [StageStatus.FAILED] * 2


async def test_a_stage_that_succeeds_is_not_talked_about(clock: VirtualClock) -> None:
    """Its log is its own words."""
    course = Course(a_pipeline("one"), clock, one=talking(0))
    await course.run()
    assert course.log(1) == [(OUT, "this is 1\n"), (ERR, "warning 1\n")]
    [attempt] = course.execution.stages[0].attempts
    assert attempt == StageAttempt(1, EPOCH_MS, StageStatus.COMPLETED, EPOCH_MS)


async def test_progress_is_of_the_latest_attempt(clock: VirtualClock) -> None:
    """A number between 0 and 1, whatever the stage says; another attempt begins without."""
    said, seen = iter([[0.25, 7], [-1]]), list[float | None]()

    async def act(call: StageCall[Any]) -> object:
        seen.append(course.execution.stages[0].progress)
        for done in next(said):
            before = len(course.events)
            call.log.progress(done)
            await until(lambda before=before: len(course.events) > before)
        raise StageError("no")

    course = Course(a_pipeline("one", retryCount=1), clock, one=act)
    await through(course, clock)
    reported = [one.progress for one in course.events if isinstance(one, StageProgressed)]
    assert (reported, seen) == ([0.25, 1.0, 0.0], [None, None])
    assert course.execution.stages[0].progress == 0.0
