"""A function harms its own execution only, whatever it does to its process or its event loop."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from patience import until
from runcast.core.errors import StageError
from runcast.core.running.stages.python import PythonRunner
from runcast.core.running.workers import heartbeat
from runcast.core.running.workers.pool import WorkerPool
from stage_calls import Attempt, a_function, cancelled, group_of

pytestmark = pytest.mark.usefixtures("leaves_no_task", "leaves_no_process")


@pytest.fixture
def anyio_backend() -> str:
    """What happens in a worker does not depend on the server's loop."""
    return "asyncio"


@pytest.fixture
async def gate(tmp_path: Path, python: PythonRunner) -> AsyncIterator[Path]:
    """The file for which `innocent` waits."""
    yield tmp_path / "gate"


@pytest.fixture(params=[0.25, pytest.param(1.0, marks=pytest.mark.campaign)])
def pace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Which part of its real patience the server has with a worker that does not answer."""
    pace: float = request.param
    for name in ("BEAT_SECONDS", "BLOCKED_SECONDS"):
        monkeypatch.setattr(heartbeat, name, getattr(heartbeat, name) * pace)
    return pace


def an_attempt(name: str, input: object = "hello", **keys: Any) -> Attempt:
    return Attempt(a_function(f"harmful_steps:{name}"), input, **keys)


async def value(runner: PythonRunner, name: str, input: object = "hello") -> Any:
    return await an_attempt(name, input).run(runner)


async def failed(runner: PythonRunner, name: str, input: object = "hello") -> StageError:
    with pytest.raises(StageError) as caught:
        await value(runner, name, input)
    return caught.value


@pytest.fixture
async def innocent(python: PythonRunner, gate: Path) -> AsyncIterator["asyncio.Task[str]"]:
    """A call of an async function of the same module, in the same process, that goes on and on."""
    task = await an_attempt("innocent", str(gate)).begun(python)
    yield task
    gate.touch()  # noqa: ASYNC240
    await asyncio.wait([task])


async def let_go(gate: Path, innocent: "asyncio.Task[str]") -> int:
    """The process in which the innocent call has come to its end."""
    gate.touch()  # noqa: ASYNC240
    return int((await innocent).split()[0])


@pytest.mark.parametrize(
    "way",
    ["sleeps", "computes", "waits for a child", "in a task", "in a callback", "swallows"],
)
async def test_a_function_that_blocks_is_interrupted(
    pace: float, python: PythonRunner, gate: Path, innocent: "asyncio.Task[str]", way: str
) -> None:
    """It is named, with the line where it was; whoever shares its event loop goes on."""
    error = await failed(python, "blocks", way)
    assert error.type == "Blocked"
    assert f"has blocked the event loop for {2 * pace:g} s" in error.message
    assert "harmful_steps.py:" in error.message or way == "in a callback"
    assert await let_go(gate, innocent)


@pytest.mark.parametrize("way", ["again and again", "holds the lock"])
async def test_a_function_that_cannot_be_interrupted_is_ended_with_its_process(
    pace: float, python: PythonRunner, innocent: "asyncio.Task[str]", way: str
) -> None:
    """Those that shared it are told so; that they may be tried again is known."""
    error = await failed(python, "blocks", way)
    assert error.type == "WorkerLost"
    with pytest.raises(StageError, match="which of them is to blame is not known") as lost:
        await innocent
    assert lost.value.retryable
    assert f"did not answer for {3 * pace:g} s" in error.message


@pytest.mark.usefixtures("pace")
async def test_who_has_blocked_runs_apart_the_next_time(
    python: PythonRunner, gate: Path, innocent: "asyncio.Task[str]"
) -> None:
    """In a process of its own; the others are together as before."""
    await failed(python, "blocks", "swallows")
    attempt = an_attempt("blocks", "sleeps")
    await cancelled(await attempt.begun(python))
    assert int(attempt.text) != await let_go(gate, innocent)


@pytest.mark.usefixtures("pace")
async def test_a_worker_that_was_blocked_takes_no_more_calls(python: PythonRunner) -> None:
    """The next call meets another process."""
    before = await value(python, "pid")
    await failed(python, "blocks", "sleeps")
    assert await value(python, "pid") != before


@pytest.mark.parametrize(
    ("way", "outcome"),
    [
        ("gather", "SystemExit"),
        ("TaskGroup", "KeyboardInterrupt"),
        ("wait_for", "SystemExit"),
        ("shield", "KeyboardInterrupt"),
        ("loop.stop", "went on"),
        ("exit in a callback", "went on"),
        ("SIGINT", "KeyboardInterrupt"),
        ("fork", "the one that was called"),
    ],
)
async def test_the_event_loop_cannot_be_left(
    python: PythonRunner, gate: Path, innocent: "asyncio.Task[str]", way: str, outcome: str
) -> None:
    """What ends asyncio's loop (an exit in a task, `loop.stop()`) ends at most one call."""
    try:
        ended = await value(python, "leaves", way)
    except StageError as error:
        ended = error.type
    assert ended == outcome
    assert await let_go(gate, innocent)


@pytest.mark.parametrize(
    ("way", "said"),
    [("exit", "exit status 3"), ("crash", "by signal 11"), ("kill", "by signal 9")],
)
async def test_a_process_that_ends_takes_those_with_it_that_share_it(
    python: PythonRunner, innocent: "asyncio.Task[str]", way: str, said: str
) -> None:
    """They say honestly why; each function then runs apart, and the pool goes on."""
    error = await failed(python, "ends", way)
    assert (error.type, error.retryable) == ("WorkerLost", True)
    assert said in error.message
    with pytest.raises(StageError, match=said):
        await innocent
    assert (await failed(python, "ends", way)).type == "WorkerDied"


@pytest.mark.parametrize("way", ["swallows", "swallows all", "in a task", "child", "blocks"])
async def test_a_cancel_ends_the_call_and_not_its_process(
    python: PythonRunner, gate: Path, innocent: "asyncio.Task[str]", way: str
) -> None:
    """After the grace period, if the function does not end by itself."""
    attempt = an_attempt("stays", way, grace=0.3)
    await cancelled(await attempt.begun(python))
    for child in attempt.text.split()[1:]:
        assert not psutil.pid_exists(int(child))
    assert await let_go(gate, innocent)


async def test_a_thread_of_a_cancelled_call_is_ended_with_its_process(
    python: PythonRunner, innocent: "asyncio.Task[str]"
) -> None:
    """CANCELLED means that nothing is left: those that shared the process are told who it was."""
    attempt = an_attempt("stays", "thread", grace=0.3)
    await cancelled(await attempt.begun(python))
    assert group_of(int(attempt.text)) == []
    with pytest.raises(StageError, match="exec_1 was cancelled and did not stop"):
        await innocent


@pytest.mark.parametrize("way", ["swallows all", "thread", "swallows"])
async def test_force_does_not_wait_for_the_grace_period(python: PythonRunner, way: str) -> None:
    """Not for async functions either."""
    attempt = an_attempt("stays", way, grace=600)
    attempt.stop.force.set()
    async with asyncio.timeout(20):
        await cancelled(await attempt.begun(python))


@pytest.mark.parametrize(
    "way",
    [
        *("environment", "working directory", "stdout", "stderr", "signal", "timer", "path"),
        *("mask", "thread", "child"),
    ],
)
async def test_what_a_sync_function_changes_does_not_reach_the_next_call(
    python: PythonRunner, way: str
) -> None:
    """A process that is not as it was is not used again."""
    before = await value(python, "counts")
    changed = await value(python, "changes", way)
    assert await value(python, "counts") == before
    assert await value(python, "changes", "nothing") != changed
    await until(lambda: group_of(changed) == [])


async def test_a_process_that_is_as_it_was_is_used_again(python: PythonRunner) -> None:
    """What was compared is not different by itself."""
    pids = {await value(python, "changes", "nothing") for _ in range(3)}
    assert len(pids) == 1


async def test_the_answer_of_a_fork_is_nobody_s(python: PythonRunner) -> None:
    """Neither this call nor the next one gets it."""
    for _ in range(3):
        assert await value(python, "forks") == "the one that was called"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import time; time.sleep(600)", "takes longer than"),
        ("import os; os._exit(5)", "exit status 5"),
        ("import ctypes; ctypes.string_at(0)", "by signal 11"),
        ("raise SystemExit(4)", "cannot be imported: 4"),
        ("raise KeyboardInterrupt", "cannot be imported: KeyboardInterrupt"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "cannot be imported"),
        ("while True: pass", "takes longer than"),
    ],
)
async def test_an_import_harms_nobody(
    python: PythonRunner,
    pool: WorkerPool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    said: str,
) -> None:
    """One that does not end, exits or crashes fails the stage, in its own words."""
    (tmp_path / "bad_at_import.py").write_text(f"{code}\ndef run(text): pass\n")
    stage = a_function("bad_at_import:run")
    with monkeypatch.context() as patched:
        if said == "takes longer than":
            patched.setattr("runcast.core.running.workers.process.IMPORT_SECONDS", 0.5)
        with pytest.raises(StageError, match=said):
            await Attempt(stage, folder=tmp_path).run(python)
        with pytest.raises(StageError, match=said):
            await pool.find(stage, tmp_path)
    assert await Attempt(a_function("shouts")).run(python) == "HELLO"


async def test_a_patched_library_is_patched_for_its_module_only(
    python: PythonRunner, tmp_path: Path
) -> None:
    """A process runs functions of one module; the worker's own code does not need the library."""
    patch = "import json\njson.dumps = json.loads = None\n"
    (tmp_path / "patching.py").write_text(f"{patch}def run(text): return text\n")
    assert await Attempt(a_function("patching:run"), folder=tmp_path).run(python) == "hello"
    assert await Attempt(a_function("patching:run"), folder=tmp_path).run(python) == "hello"
    assert await Attempt(a_function("shouts")).run(python) == "HELLO"


@pytest.mark.parametrize("keyword", ["def", "async def"])
async def test_a_change_of_what_the_module_imports_is_seen(
    python: PythonRunner, tmp_path: Path, keyword: str
) -> None:
    """Beside it in the folder; also where it is imported late."""
    helper = tmp_path / "its_helper.py"
    module = f"{keyword} run(text):\n    import its_helper\n    return its_helper.WORD\n"
    (tmp_path / "with_helper.py").write_text(module)
    for age, word in enumerate(("one", "two", "three"), 1000):
        helper.write_text(f"WORD = {word!r}\n")
        os.utime(helper, (age, age))
        stage = a_function("with_helper:run")
        assert await Attempt(stage, folder=tmp_path).run(python) == word


async def test_a_hundred_async_calls_run_at_once_in_one_process(
    python: PythonRunner, gate: Path
) -> None:
    """As they would in one program."""
    attempts = [an_attempt("innocent", str(gate)) for _ in range(100)]
    tasks = [asyncio.create_task(each.run(python)) for each in attempts]
    await until(lambda: all(each.text for each in attempts))
    gate.touch()  # noqa: ASYNC240
    ended = await asyncio.gather(*tasks)
    assert len({each.split()[0] for each in ended}) == 1
