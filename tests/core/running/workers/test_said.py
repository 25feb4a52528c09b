"""What a function says, whatever way it does, is in the log of its own attempt."""

import asyncio
import sys
from pathlib import Path

import pytest
from memory_stores import HeardLog
from patience import until
from recorded_log import Recorded, held_threads
from runcast.core.errors import StageError
from runcast.core.execution.log import LogStream
from runcast.core.running.attempt_log import FULL_BYTES
from runcast.core.running.stages.python import PythonRunner
from stage_calls import FOLDER, Attempt, a_function, cancelled

sys.path.append(str(FOLDER))
from saying_steps import ASYNC_WAYS, WAYS

pytestmark = pytest.mark.usefixtures("leaves_no_task", "leaves_no_process")

WORDS = "wörds that are said"


@pytest.fixture
def anyio_backend() -> str:
    """What a function says does not depend on the server's loop."""
    return "asyncio"


def is_stderr(way: str) -> bool:
    return any(word in way for word in ("stderr", "2", "warn", "exc")) and "sys.stdout" not in way


def heard(log: HeardLog, texts: list[str], way: str) -> tuple[str, str]:
    """What was said on the stream that the way is about, and on the other one."""
    out, err = "".join(texts), log.stderr
    return (err, out) if is_stderr(way) else (out, err)


async def check_heard(python: PythonRunner, function: str, way: str) -> None:
    """Three calls, one after the other: all of each, on its stream, and nothing of the others."""
    for number in range(3):
        words = f"{WORDS} {number}"
        attempt = Attempt(a_function(function), {"way": way, "words": words})
        assert await attempt.run(python) == "done"
        said, other = heard(attempt.log, attempt.texts, way)
        assert words in said and other == "", (said, other)
        assert WORDS not in said.replace(words, ""), "nothing of another call"


@pytest.mark.parametrize("way", WAYS)
async def test_a_sync_function_is_heard(python: PythonRunner, way: str) -> None:
    """Whoever says it on its behalf, on the stream that was meant, also at its very end."""
    await check_heard(python, "saying_steps:says", way)


@pytest.mark.parametrize("way", [*WAYS, *ASYNC_WAYS])
async def test_an_async_function_is_heard(python: PythonRunner, way: str) -> None:
    """As a sync one is."""
    await check_heard(python, "saying_steps:says_async", way)


@pytest.mark.parametrize("way", ["print", "os.write", "a child"])
async def test_much_is_heard_in_order(python: PythonRunner, way: str) -> None:
    """Every line of it."""
    given = {"way": way, "lines": 200}
    attempt = Attempt(a_function("saying_steps:says_much"), given)
    assert await attempt.run(python) == "done"
    assert attempt.text == "".join(f"line {number}\n" for number in range(200))


async def test_async_functions_are_told_apart(python: PythonRunner, tmp_path: Path) -> None:
    """Although they take turns in one event loop: print, logging, threads and tasks."""
    names, attempts = ["ann", "bob"], {}
    for me, other in (names, names[::-1]):
        given = {"folder": str(tmp_path), "me": me, "other": other}
        attempts[me] = Attempt(a_function("saying_steps:meets"), given)
    async with asyncio.timeout(60):
        assert await asyncio.gather(*(one.run(python) for one in attempts.values())) == names
    for me, attempt in attempts.items():
        said = [
            f"{me} {how} {number}\n"
            for number in range(20)
            for how in ("prints", "in a thread", "in a task")
        ]
        assert attempt.text == "".join(said)
        assert attempt.log.stderr == "".join(
            f"INFO meeting: {me} logs {number}\n" for number in range(20)
        )


@pytest.mark.parametrize("name", ["raises", "raises_async"])
async def test_the_traceback_of_an_error_is_in_the_log(python: PythonRunner, name: str) -> None:
    """On stderr, as a program's would be; it begins in the function's own file."""
    attempt = Attempt(a_function(f"saying_steps:{name}"), WORDS)
    with pytest.raises(StageError):
        await attempt.run(python)
    said = attempt.log.stderr
    assert said.startswith("Traceback (most recent call last):\n")
    assert f", in {name}\n" in said and said.endswith(f"ValueError: {WORDS}\n")
    assert said.count('File "') == 1 and "saying_steps.py" in said
    assert attempt.text == ""


@pytest.mark.parametrize("code", ["print('at import')", "import os; os.write(1, b'at import\\n')"])
async def test_what_is_said_at_import_is_in_no_execution(
    python: PythonRunner, tmp_path: Path, code: str
) -> None:
    """It is said once, and belongs to no call more than to another."""
    (tmp_path / "talks_at_import.py").write_text(f"{code}\ndef run(text): print(text)\n")
    for _ in range(2):
        attempt = Attempt(a_function("talks_at_import:run"), "mine", folder=tmp_path)
        await attempt.run(python)
        assert attempt.text == "mine\n"


# Where the log is a real one, and its disk is slow


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def slow_loop(request: pytest.FixtureRequest) -> object:
    return ("asyncio", {"use_uvloop": request.param})


class TestOfBothLoops:
    """Each loop makes a connection wait in its own way."""

    @pytest.fixture
    def anyio_backend(self, slow_loop: object) -> object:
        return slow_loop

    @pytest.mark.parametrize("name", ["floods", "floods_async"])
    async def test_a_flood_that_is_cancelled_lets_go(
        self, python: PythonRunner, tmp_path: Path, name: str
    ) -> None:
        """While more was said than could be stored: all of that is in the log then."""
        told, begun = Recorded(forgetful=True), tmp_path / "begun"
        with held_threads() as (threads, gate):

            async def stage() -> object:
                attempt = Attempt(a_function(f"saying_steps:{name}"), str(begun), grace=0.5)
                async with told.log(threads) as log:
                    object.__setattr__(attempt.call, "log", log)
                    return await attempt.run(python)

            task = asyncio.create_task(stage())
            await until(begun.exists)
            await until(lambda: told.writer.entered)
            await asyncio.sleep(0.5)
            task.cancel()
            await asyncio.sleep(0.1)
            gate.set()
            await cancelled(task)
        assert set(told.stored()) in ({"y"}, {"\n"}, {"y", "\n"})
        assert told.writer.closed
        assert await Attempt(a_function("shouts")).run(python) == "HELLO"
        other = Attempt(a_function("saying_steps:says_async"), {"way": "print", "words": WORDS})
        assert await other.run(python) == "done" and other.text == WORDS + "\n"

    async def test_two_floods_in_one_process_let_go_of_it(
        self, python: PythonRunner, tmp_path: Path
    ) -> None:
        """Nothing is read of it until both logs can take more; then the others are heard again."""

        async def stage(name: str, threads: object) -> object:
            attempt = Attempt(
                a_function("saying_steps:floods_async"), str(tmp_path / name), grace=0.5
            )
            async with Recorded(forgetful=True).log(threads) as log:
                object.__setattr__(attempt.call, "log", log)
                return await attempt.run(python)

        with held_threads() as (first, one), held_threads() as (second, two):
            tasks = [
                asyncio.create_task(stage("a", first)),
                asyncio.create_task(stage("b", second)),
            ]
            await until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
            await asyncio.sleep(0.5)
            one.set()
            two.set()
            for task in tasks:
                await cancelled(task)
        other = Attempt(a_function("saying_steps:says_async"), {"way": "print", "words": WORDS})
        assert await other.run(python) == "done" and other.text == WORDS + "\n"

    async def test_what_a_pipe_says_waits_for_a_slow_disk(self, python: PythonRunner) -> None:
        """Of 30 MB little more is read than can be stored; then all of it comes."""
        told, most = Recorded(), 0
        attempt = Attempt(a_function("saying_steps:floods_its_pipe"), 30)
        with held_threads() as (threads, gate):

            async def stage() -> object:
                async with told.log(threads) as log:
                    object.__setattr__(attempt.call, "log", log)
                    return await attempt.run(python)

            task = asyncio.create_task(stage())
            await until(lambda: told.writer.entered)
            await asyncio.sleep(0.5)
            log = attempt.call.log
            most = log._unstored_bytes
            gate.set()
            assert await task == "done"
        assert most < 2 * FULL_BYTES
        assert len(told.stored(LogStream.STDOUT)) == 30_000_000
