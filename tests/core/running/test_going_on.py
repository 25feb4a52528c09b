"""An execution that another worker has brought up to somewhere."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from courses import Course, failing
from hypothesis import given, settings, strategies as st
from patience import turns, until
from runcast.core.errors import StageError
from runcast.core.execution.events import (
    Began,
    Event,
    StageCompleted,
    StageFailed,
    StageLogged,
    StageRetrying,
    StageStarted,
)
from runcast.core.execution.model import EndReason, Execution, Failure, StageStatus, Status
from runcast.core.running.executor import INTERRUPTED
from runcast.core.running.stages import StageCall
from samples import a_pipeline
from scripted_stages import Gate
from virtual_clock import VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")

ID = "exec_1"
REFUSED = Failure("ExitStatus", "exit status 1", "one")


def up_to(course: Course, *events: Event) -> Course:
    """The same, brought there by somebody else."""
    for event in events:
        course.execution = event.after(course.execution)
    return course


async def test_it_goes_on_at_the_stage_that_was_interrupted(clock: VirtualClock) -> None:
    """What was done is handed on and not done again; that attempt is told from the others."""
    course = up_to(
        Course(a_pipeline("one", "two", "three", retryCount=0), clock),
        *(Began(ID, 1000), StageStarted(ID, 1000, 0), StageCompleted(ID, 1000, 0, "first")),
        StageStarted(ID, 1000, 1),
    )
    after = await course.run()
    assert (after.status, after.output) == (Status.COMPLETED, "first")
    assert [(call.stage.id, call.attempt) for call in course.runner.calls] == [
        ("two", 2),
        ("three", 1),
    ]
    assert course.runner.calls[0].input == "first"
    assert course.said[:3] == ["StageRetrying", "StageStarted", "StageCompleted"]
    assert [one.error for one in after.stages[1].attempts] == [INTERRUPTED, None]
    assert course.said.count("Ended") == 1 and "Began" not in course.said


async def test_an_interrupted_attempt_is_none_of_the_retries(clock: VirtualClock) -> None:
    """However often that has happened."""
    started = StageStarted(ID, 1000, 0), StageRetrying(ID, 1000, 0, INTERRUPTED, 1000)
    course = up_to(
        Course(
            a_pipeline("one", retryCount=1, retryDelayMs=1000),
            clock,
            one=failing(StageError("no"), times=1),
        ),
        *(Began(ID, 1000), *started, replace(started[0], attempt=2), started[1]),
        StageStarted(ID, 1000, 0, 3),
    )
    task = course.begin()
    await until(lambda: clock.sleepers)
    clock.advance(1)
    async with asyncio.timeout(30):
        await task
    assert [call.attempt for call in course.runner.calls] == [4, 5]
    assert course.execution.output == "at last"


async def test_a_pause_is_waited_for_to_its_end(clock: VirtualClock) -> None:
    """Not once more, and not if it is over."""
    pipeline = a_pipeline("one", retryCount=1, retryDelayMs=10_000)
    begun = Began(ID, 1000), StageStarted(ID, 1000, 0)
    course = up_to(
        Course(pipeline, clock), *begun, StageRetrying(ID, 1000, 0, REFUSED, clock.now() + 4000)
    )
    task = course.begin()
    await until(lambda: clock.sleepers)
    clock.advance(3.875)
    await turns()
    assert clock.sleepers == 1
    clock.advance(0.125)
    async with asyncio.timeout(30):
        await task
    assert [call.attempt for call in course.runner.calls] == [2]
    over = up_to(Course(pipeline, clock), *begun, StageRetrying(ID, 1000, 0, REFUSED, 1001))
    assert (await over.run()).status is Status.COMPLETED


@pytest.mark.parametrize("goes_on", [False, True])
async def test_a_stage_that_has_failed_is_not_run_again(clock: VirtualClock, goes_on: bool) -> None:
    """It ends the execution, or does not, as it would have."""
    pipeline = a_pipeline("one", "two", settings={"continueOnError": goes_on})
    course = up_to(
        Course(pipeline, clock),
        *(Began(ID, 1000), StageStarted(ID, 1000, 0), StageFailed(ID, 1000, 0, REFUSED)),
    )
    after = await course.run()
    assert after.status is (Status.COMPLETED if goes_on else Status.FAILED)
    assert [call.stage.id for call in course.runner.calls] == ["two"] * goes_on
    assert after.error == (None if goes_on else REFUSED)


async def test_the_time_limit_goes_on(clock: VirtualClock) -> None:
    """What has run before counts; if it was too long, nothing is begun any more."""
    pipeline = a_pipeline("one", settings={"timeoutMs": 60_000})
    begun = Began(ID, clock.now() - 60_000), StageStarted(ID, 1000, 0)
    course = up_to(Course(pipeline, clock, one=Gate()), *begun)
    after = await course.run()
    assert (after.status, after.end_reason) == (Status.FAILED, EndReason.TIMEOUT)


async def test_what_is_being_cancelled_ends_as_cancelled(clock: VirtualClock) -> None:
    """A stage that was interrupted by it is not run again: whoever goes on cancels the run."""
    gate = Gate()
    course = up_to(Course(a_pipeline("one"), clock, one=gate), Began(ID, 1000))
    task = course.begin()
    await gate.entered.wait()
    task.cancel()
    await asyncio.wait([task])
    assert course.stages == [StageStatus.CANCELLED]


SETTINGS = st.fixed_dictionaries({"continueOnError": st.booleans()})
ACTS = st.lists(st.sampled_from(["works", "fails", "fails once"]), min_size=1, max_size=4)


@settings(max_examples=60)
@given(SETTINGS, ACTS, st.integers(0, 1), st.data())
def test_wherever_it_was_left_it_comes_to_the_same_end(
    options: dict[str, bool], acts: list[str], retries: int, data: st.DataObject
) -> None:
    """The same status, the same values; what was completed is not run again."""

    async def play() -> None:
        stages = {f"s{number}": act for number, act in enumerate(acts)}
        pipeline = a_pipeline(*stages, settings=options, retryCount=retries)
        clock = VirtualClock()
        whole = Course(pipeline, clock, **scripted(stages))
        await finished(whole, clock)
        events = [one for one in whole.events if not isinstance(one, StageLogged)]
        left = data.draw(st.integers(1, len(events) - 1))
        rest = Course(pipeline, clock, **scripted(stages, events[:left]))
        before = up_to(rest, *events[:left]).execution
        after = await finished(rest, clock)
        assert seen(after) == seen(whole.execution)
        again = {call.stage.id for call in rest.runner.calls}
        assert not again & {one.id for one in before.stages if one.status.terminal}

    asyncio.run(play())


async def finished(course: Course, clock: VirtualClock) -> Execution:
    """When all pauses are over."""
    task = course.begin()
    while not task.done():
        await turns()
        clock.advance(30)
    await task
    return course.execution


def scripted(stages: dict[str, str], events: list[Event] | None = None) -> dict[str, Any]:
    """What each stage does; of what fails once, the failure may have been before."""
    failed = {one.index for one in events or () if isinstance(one, StageRetrying)}

    def act(number: int, kind: str) -> Any:
        times = {"works": 0, "fails": 100, "fails once": 1 - (number in failed)}[kind]

        async def works(call: StageCall[Any]) -> object:
            return f"{call.stage.id} after {call.input}"

        fails = failing(StageError("no"), times=times)

        async def run(call: StageCall[Any]) -> object:
            await fails(call)
            return await works(call)

        return run

    return {id: act(number, kind) for number, (id, kind) in enumerate(stages.items())}


def seen(execution: Execution) -> tuple[object, ...]:
    return (
        execution.status,
        execution.end_reason,
        execution.output,
        [(stage.status, stage.value) for stage in execution.stages],
    )
