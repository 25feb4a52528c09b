"""A function is called with the input, and whatever it does ends its own stage only."""

import asyncio
import os
from pathlib import Path

import pytest
from event_loops import UVLOOP_FIRST
from runcast.core.errors import StageError
from runcast.core.running.stages.python import PythonRunner
from runcast.core.running.workers.pool import WorkerPool
from stage_calls import FOLDER, Attempt, a_function, cancelled, group_of

pytestmark = pytest.mark.usefixtures("leaves_no_task", "leaves_no_process")


@pytest.fixture(params=UVLOOP_FIRST)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Children are looked after by each event loop in its own way."""
    return request.param


async def refused(runner: PythonRunner, name: str, input: object = "hello") -> StageError:
    with pytest.raises(StageError) as caught:
        await Attempt(a_function(name), input).run(runner)
    return caught.value


@pytest.mark.parametrize("name", ["shouts", "shouts_async"])
async def test_a_function_is_given_the_input(python: PythonRunner, name: str) -> None:
    """Sync or async."""
    assert await Attempt(a_function(name)).run(python) == "HELLO"


@pytest.mark.parametrize("name", ["facts", "facts_async"])
async def test_a_function_may_take_a_context(python: PythonRunner, name: str) -> None:
    """It tells about the attempt, and puts out text and progress."""
    attempt = Attempt(a_function(name), {"any": ["json"]})
    assert await attempt.run(python) == {
        "input": {"any": ["json"]},
        "execution_id": "exec_1",
        "stage_id": "think",
        "attempt": 2,
        "pipeline_input": "the first input",
        "outputs": {"before": {"a": 1}},
        "cancelled": False,
    }
    assert attempt.text == "begun\n[ 50%] half\n"


async def test_a_second_argument_with_a_default_is_not_the_context(python: PythonRunner) -> None:
    """Unless it is called `context`, the function means something else by it."""
    assert await Attempt(a_function("shortens")).run(python) == "hel"


@pytest.mark.parametrize("name", ["returns", "returns_async"])
async def test_json_is_handed_on(python: PythonRunner, name: str) -> None:
    """As it was returned."""
    value = await Attempt(a_function(name), "fine").run(python)
    assert value == {"text": "é", "list": [1, 2.5, None, True]}


@pytest.mark.parametrize("name", ["returns", "returns_async"])
@pytest.mark.parametrize(
    "kind", ["object", "nan", "infinity", "surrogate", "deep", "integer", "keys"]
)
async def test_what_is_not_json_fails(python: PythonRunner, name: str, kind: str) -> None:
    """So that nothing that a client asks for later can fail to be written."""
    error = await refused(python, name, kind)
    assert error.type == "NotJSON"
    assert error.message.startswith("the function returned ")
    assert not error.retryable


@pytest.mark.parametrize("name", ["breaks", "breaks_async"])
@pytest.mark.parametrize(
    "kind", ["ValueError", "SystemExit", "KeyboardInterrupt", "GeneratorExit", "Unspeakable"]
)
async def test_whatever_is_raised_fails_the_stage_only(
    python: PythonRunner, name: str, kind: str
) -> None:
    """With the exception's name, what it says, and where it was raised."""
    error = await refused(python, name, kind)
    assert error.type == kind
    assert error.message
    error.message.encode()
    assert f", in {name}\n" in (error.traceback or "")
    assert await Attempt(a_function("shouts")).run(python) == "HELLO"


async def test_a_huge_message_is_cut(python: PythonRunner) -> None:
    """An exception is to be read; 50 MB of it are not."""
    error = await refused(python, "breaks", "huge")
    assert len(error.message) == 10_000


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("no_such_module:run", "no_such_module cannot be imported: No module named"),
        ("stage_functions_of_tests:missing", "has no function missing"),
        ("stage_functions_of_tests:not_callable", "has no function not_callable"),
        ("exits_at_import:run", "exits_at_import cannot be imported: 4"),
    ],
)
async def test_a_missing_function_is_not_tried_again(
    python: PythonRunner, pool: WorkerPool, call: str, said: str
) -> None:
    """The error says what is missing, also before anything runs."""
    error = await refused(python, call)
    assert said in error.message
    assert not error.retryable
    with pytest.raises(StageError, match=said):
        await pool.find(a_function(call), FOLDER)


async def test_a_module_cannot_take_the_place_of_a_library(
    python: PythonRunner, tmp_path: Path
) -> None:
    """The pipeline's folder comes last on the path."""
    (tmp_path / "colorsys.py").write_text("raise SystemExit")
    attempt = Attempt(a_function("colorsys:rgb_to_hsv"), folder=tmp_path)
    with pytest.raises(StageError) as caught:
        await attempt.run(python)
    assert caught.value.type == "TypeError", "the library's function was called, and wants more"


@pytest.mark.parametrize("keyword", ["def", "async def"])
async def test_code_that_has_changed_is_not_served_stale(
    python: PythonRunner, tmp_path: Path, keyword: str, anyio_backend: tuple[str, dict[str, bool]]
) -> None:
    """The next attempt runs what the file says now, and may be of the other kind."""
    name = f"changing_{keyword.replace(' ', '_')}_{anyio_backend[1]['use_uvloop']}"
    file = tmp_path / f"{name}.py"

    async def served(text: str, age: int) -> object:
        file.write_text(text)
        os.utime(file, (age, age))
        return await Attempt(a_function(f"{name}:run"), folder=tmp_path).run(python)

    assert await served(f"{keyword} run(text): return 'one'", 1000) == "one"
    assert await served(f"{keyword} run(text): return 'another'", 2000) == "another"
    assert await served("def run(text): return 'sync now'", 3000) == "sync now"
    assert await served("async def run(text): return 'async now'", 4000) == "async now"


async def test_a_cancelled_async_function_has_the_grace_period_to_clean_up(
    python: PythonRunner,
) -> None:
    """A second cancel, from whoever watches it, does not cut that short."""
    attempt = Attempt(a_function("waits"))
    await cancelled(await attempt.begun(python), times=3)
    assert attempt.text == "begun, cleaned True"


async def test_an_async_function_that_swallows_cancels_is_cancelled_again(
    python: PythonRunner,
) -> None:
    """Until it has ended; the attempt ends as cancelled although the function returned."""
    attempt = Attempt(a_function("swallows"), grace=0.1)
    await cancelled(await attempt.begun(python))
    assert attempt.text == "begun, no, no, no"


async def test_force_cancels_a_swallower_again_at_once(python: PythonRunner) -> None:
    """The grace period is skipped."""
    attempt = Attempt(a_function("swallows"), grace=600)
    attempt.stop.force.set()
    async with asyncio.timeout(20):
        await cancelled(await attempt.begun(python))


async def test_a_function_that_cancels_itself_fails(python: PythonRunner) -> None:
    """Nobody had asked to cancel the stage."""
    assert (await refused(python, "cancels_itself")).type == "CancelledError"


async def test_a_cancel_interrupts_a_function_that_blocks(
    python: PythonRunner, tmp_path: Path
) -> None:
    """Its `finally` block runs, and sees the cancel, however close to the start of it that comes.

    A signal that comes just before `time.sleep` does not interrupt it; hence several rounds.
    """
    for _ in range(10):
        attempt = Attempt(a_function("sleeps"), str(tmp_path), grace=600)
        async with asyncio.timeout(25):
            await cancelled(await attempt.begun(python))
        assert (tmp_path / "cleaned").read_text() == "True"
        assert group_of(int(attempt.text)) == []
        (tmp_path / "cleaned").unlink()


async def test_a_function_that_will_not_stop_is_killed(python: PythonRunner) -> None:
    """After the grace period; its worker is never used again."""
    attempt = Attempt(a_function("sleeps_on"), grace=0.3)
    await cancelled(await attempt.begun(python))
    assert group_of(int(attempt.text.split()[0])) == []


async def test_force_kills_a_function_at_once(python: PythonRunner) -> None:
    """The grace period is skipped."""
    attempt = Attempt(a_function("sleeps_on"), grace=600)
    attempt.stop.force.set()
    async with asyncio.timeout(20):
        await cancelled(await attempt.begun(python))


async def test_what_a_function_has_started_ends_with_it(python: PythonRunner) -> None:
    """Also a child that ignores SIGTERM."""
    attempt = Attempt(a_function("starts_a_child"), grace=0.3)
    task = await attempt.begun(python)
    worker = int(attempt.text)
    assert len(group_of(worker)) >= 2
    await cancelled(task)
    assert group_of(worker) == []


async def test_a_function_that_floods_is_stopped_without_waiting_for_the_grace_period(
    python: PythonRunner,
) -> None:
    """It is not held up by a server that has stopped to listen."""
    attempt = Attempt(a_function("floods"), grace=600)
    async with asyncio.timeout(25):
        await cancelled(await attempt.begun(python))


async def test_a_busy_function_leaves_the_event_loop_alone(
    python: PythonRunner, lags: list[float]
) -> None:
    """A second of computing in the worker is no second without answers from the server."""
    assert await Attempt(a_function("burns"), 1.0).run(python) == "burnt"
    lags.sort()
    assert len(lags) > 20
    assert lags[len(lags) // 2] < 0.1
