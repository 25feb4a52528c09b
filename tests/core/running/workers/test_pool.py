"""Workers are kept warm, survive what a stage does, and never outlive the server."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from event_loops import UVLOOP_FIRST
from patience import turns, until
from runcast.core.errors import StageError
from runcast.core.execution.stored import StoredValue
from runcast.core.running.stages.python import PythonRunner
from runcast.core.running.worker.frames import Head, packed
from runcast.core.running.workers.pool import MAX_CALLS, WorkerPool
from runcast.core.running.workers.process import ARGUMENTS, WorkerProcess
from stage_calls import FOLDER, STORES, Attempt, a_function, cancelled, group_of

pytestmark = pytest.mark.usefixtures("leaves_no_task", "leaves_no_process")


@pytest.fixture(params=UVLOOP_FIRST)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Children are looked after by each event loop in its own way."""
    return request.param


async def pid(runner: PythonRunner) -> int:
    found = await Attempt(a_function("pid")).run(runner)
    assert isinstance(found, int)
    return found


async def test_a_worker_is_used_again(python: PythonRunner) -> None:
    """The second call meets the same process, also after one that has failed."""
    first = await pid(python)
    assert await pid(python) == first
    with pytest.raises(StageError):
        await Attempt(a_function("breaks"), "SystemExit").run(python)
    assert await pid(python) == first


async def test_one_call_at_a_time(python: PythonRunner) -> None:
    """Two calls at once are two processes, and one of them is kept."""
    both = await asyncio.gather(pid(python), pid(python))
    assert len(set(both)) == 2
    await until(lambda: sum(bool(group_of(each)) for each in both) == 1)


@pytest.mark.parametrize("name", ["shouts", "shouts_async"])
async def test_a_cancel_that_comes_with_the_answer(
    python: PythonRunner, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The call is cancelled as any other one is, and the next call gets its own answer."""
    assert await Attempt(a_function(name)).run(python) == "HELLO"
    task = asyncio.create_task(Attempt(a_function(name)).run(python))
    receive = WorkerProcess._receive

    def and_cancel(worker: WorkerProcess, head: Head, body: bytes) -> None:
        receive(worker, head, body)
        if not worker.busy:
            task.cancel()

    with monkeypatch.context() as patched:
        patched.setattr(WorkerProcess, "_receive", and_cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await Attempt(a_function(name), "again").run(python) == "AGAIN"


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_changed_module_is_imported_before_it_is_called(
    pool: WorkerPool, python: PythonRunner, tmp_path: Path, kind: str
) -> None:
    """By whoever sees the change and looks for the function; no call has to wait for it then."""
    stage = a_function("changing:answer")
    for text in ("one", "the other", "the third one"):
        (tmp_path / "changing.py").write_text(
            f"import os\n\n{kind} answer(_):\n    return ['{text}', os.getpid()]\n"
        )
        await pool.find(stage, tmp_path)
        ready = {child.pid for child in psutil.Process().children()}
        answer, pid = await Attempt(stage, folder=tmp_path).run(python)
        assert (answer, pid in ready) == (text, True)


async def test_a_worker_is_replaced_after_many_calls(python: PythonRunner) -> None:
    """What a library leaks is not leaked for ever."""
    pids = [await pid(python) for _ in range(MAX_CALLS + 1)]
    assert len(set(pids[:MAX_CALLS])) == 1
    assert pids[-1] != pids[0]


async def test_what_is_printed_is_put_out(python: PythonRunner) -> None:
    """By `print` and by `sys.stdout`."""
    attempt = Attempt(a_function("prints"))
    assert await attempt.run(python) is None
    assert attempt.text == "print hello\nwrite\n"


async def test_much_text_comes_in_pieces(python: PythonRunner) -> None:
    """All of it, and no message is large."""
    attempt = Attempt(a_function("prints_a_lot"), 8)
    assert await attempt.run(python) == "done"
    assert len(attempt.text) == 8 << 20
    assert max(map(len, attempt.texts)) <= 65_536


@pytest.mark.parametrize(
    ("kind", "outcome"), [("surrogate", "done"), ("number", "TypeError"), ("much", "done")]
)
async def test_no_text_can_spoil_a_worker_for_others(
    python: PythonRunner, kind: str, outcome: str
) -> None:
    """Half a surrogate pair, something that is no text, 70 MB at once: the next call is fine."""
    before = await pid(python)
    try:
        ended = await Attempt(a_function("emits"), kind).run(python)
    except StageError as error:
        ended = error.type
    assert ended == outcome
    assert await pid(python) == before


@pytest.mark.parametrize("name", ["measures", "measures_async", "measures_outputs"])
async def test_what_a_function_is_given_has_no_bound(python: PythonRunner, name: str) -> None:
    """90 MB of text, as a template may make; the next call is fine, and no file is left."""
    text = "ä" * 45_000_000
    attempt = Attempt(a_function(f"large_steps:{name}"), text)
    if name == "measures_outputs":
        object.__setattr__(attempt.call, "outputs", {"big": text})
    measured = await attempt.run(python)
    assert (measured["size"], measured["is"]) == (90_000_000, "str")
    assert not left_in_memory_stores()
    assert await pid(python)


@pytest.mark.parametrize("name", ["shouts", "shouts_async"])
async def test_what_cannot_be_read_fails_its_stage_only(python: PythonRunner, name: str) -> None:
    """With what the system says, and another attempt may help."""
    with pytest.raises(StageError) as caught:
        await Attempt(a_function(name), StoredValue("gone", 10**6, "0")).run(python)
    assert (caught.value.type, caught.value.retryable) == ("FileNotFoundError", True)
    assert await Attempt(a_function(name)).run(python) == "HELLO"


@pytest.mark.parametrize(
    ("name", "input"), [("returns_much_and_leaves", 300_000), ("returns_much_later", 300_000)]
)
async def test_a_value_that_nobody_takes_leaves_no_file(
    python: PythonRunner, name: str, input: int
) -> None:
    """Of a call that was cancelled, or whose process has ended."""
    attempt = Attempt(a_function(name), input, grace=0.5)
    task = await attempt.begun(python)
    await cancelled(task)
    assert not left_in_memory_stores()


async def test_a_worker_that_exits_fails_its_stage_with_its_last_words(
    python: PythonRunner,
) -> None:
    """The next stage gets another worker."""
    with pytest.raises(StageError) as caught:
        await Attempt(a_function("exits"), 3).run(python)
    assert caught.value.type == "WorkerDied"
    assert caught.value.message == "the worker process ended with exit status 3: the last words"
    assert await pid(python)


async def test_a_worker_that_crashes_says_where(python: PythonRunner) -> None:
    """A segmentation fault comes with the Python frames."""
    with pytest.raises(StageError) as caught:
        await Attempt(a_function("segfaults")).run(python)
    assert f"by signal {signal.SIGSEGV.value}" in caught.value.message
    assert "in segfaults" in caught.value.message


async def test_a_fork_that_holds_the_socket_does_not_hide_that_the_worker_died(
    python: PythonRunner,
) -> None:
    """The fork is ended as well."""
    async with asyncio.timeout(25):
        with pytest.raises(StageError) as caught:
            await Attempt(a_function("exits_with_a_fork")).run(python)
    assert caught.value.type == "WorkerDied"


async def test_an_idle_worker_that_has_died_is_not_handed_out(
    python: PythonRunner, pool: WorkerPool
) -> None:
    """Whoever comes next does not suffer for it."""
    first = await pid(python)
    os.kill(first, signal.SIGKILL)
    # Some time after it is gone, the loop is told of its exit by a thread or a signal.
    await until(lambda: not any(worker.usable for worker in pool._idle))
    assert await pid(python) != first


async def test_what_a_function_leaves_behind_ends_with_its_worker(python: PythonRunner) -> None:
    """A child or a thread would go on beside the calls of others."""
    child = await Attempt(a_function("leaves_a_child")).run(python)
    await until(lambda: child not in _pids())
    worker = await Attempt(a_function("leaves_a_thread")).run(python)
    assert group_of(worker) == []


async def test_the_end_of_the_pool_ends_the_idle_workers() -> None:
    """They are reaped when the block is left."""
    async with WorkerPool(max_idle=1) as pool:
        worker = await pid(PythonRunner(pool))
        assert group_of(worker)
    assert group_of(worker) == []


async def test_none_is_kept_where_none_may_be_idle() -> None:
    """`max_idle` is the bound."""
    async with WorkerPool(max_idle=0) as pool:
        worker = await pid(PythonRunner(pool))
        await until(lambda: group_of(worker) == [])


@pytest.mark.parametrize("begun", [1, 2, 3, 5, 20, 100])
async def test_a_start_that_is_cancelled_leaves_no_worker(begun: int) -> None:
    """However far it was: the cancel lasts until the process has ended."""
    before = psutil.Process().children()
    async with WorkerPool(max_idle=0) as pool:
        task = asyncio.create_task(pid(PythonRunner(pool)))
        await turns(begun)
        await cancelled(task)
        assert psutil.Process().children() == before


async def test_a_worker_ends_when_the_server_is_gone(leaves_no_process: None) -> None:
    """Its socket closes, as after kill -9; it ends at once although its function sleeps."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, *ARGUMENTS, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
        theirs.close()
        ours.settimeout(20)
        ours.sendall(_call("sleeps_on"))
        _until_it_emits(ours)
    assert process.wait(timeout=20) == -signal.SIGKILL


async def test_a_worker_imports_the_standard_library_only() -> None:
    """And of runcast only what the worker itself is: a user's code meets nothing else of it."""
    code = (
        "import sys; before = set(sys.modules); import runcast.core.running.worker.worker; "
        "names = {name for name in set(sys.modules) - before}; "
        "print(sorted({n.partition('.')[0] for n in names} - sys.stdlib_module_names), "
        "sorted(n for n in names if n.startswith('runcast.') and 'running.worker' not in n))"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-P", "-c", code], capture_output=True, text=True
    )
    assert (
        done.stdout
        == "['runcast'] ['runcast.core', 'runcast.core.json_text', 'runcast.core.running']\n"
    ), done.stderr


def left_in_memory_stores() -> list[str]:
    """Files that were made for a call, or by one."""
    place = STORES.new_file().parent
    return [path.name for path in place.iterdir() if path.is_file()]


def _call(name: str) -> bytes:
    module = {"module": "stage_functions_of_tests", "folder": str(FOLDER), "path": name}
    load = packed({"type": "load", "id": 1, "nonce": "a", **module})
    of_stage = {"executionId": "exec_1", "stageId": "think", "attempt": 1}
    call = {"async": False, "path": name, "workdir": "/nowhere", "limit": 1000, "file": "/nowhere"}
    given = json.dumps({"input": [""], "pipelineInput": [""], "outputs": {}}).encode()
    return load + packed({"type": "call", "id": 2, "nonce": "b", **of_stage, **call}, given)


def _until_it_emits(connection: socket.socket) -> None:
    said = b""
    while b"emit" not in said:
        received = connection.recv(1000)
        assert received, said
        said += received


def _pids() -> set[int]:
    return set(psutil.pids())
