"""A child and all that it starts: told apart, watched and ended together."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from event_loops import EVENT_LOOPS
from patience import until
from runcast.core.running.stages import Stop
from runcast.core.running.stages.process import (
    AFTER_KILL_SECONDS,
    STDERR_BYTES,
    STDOUT,
    ChildProcess,
)
from stage_attempts import left_of

SUPPORT = Path(__file__).parents[3] / "support"
MANY_SECONDS = 60.0
LISTS_OPEN_FILES = """
import os
for number in range(1024):
    try:
        os.fstat(number)
    except OSError:
        continue
    print(number)
"""

pytestmark = pytest.mark.usefixtures("leaves_no_task")


@pytest.fixture(scope="module", params=EVENT_LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Both loops treat children in their own way."""
    return request.param


class Script:
    """What `sh -c` runs as a child, and what is there of it."""

    def __init__(self) -> None:
        self.id = uuid4().hex
        self.written = bytearray()
        self.complained = bytearray()

    def receive(self, fd: int, data: bytes) -> None:
        (self.written if fd == STDOUT else self.complained).extend(data)

    async def start(self, script: str) -> ChildProcess:
        return await self.start_program("sh", "-c", script)

    async def start_program(self, *argv: str) -> ChildProcess:
        return await ChildProcess.start(
            argv,
            self.receive,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "RUNCAST_EXECUTION_ID": self.id},
        )

    def running(self, name: str = "") -> Sequence[psutil.Process]:
        return [process for process in left_of(self.id) if _name(process).startswith(name)]


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return "gone"


async def timed(work: Callable[[], object]) -> float:
    """How long an await takes, in seconds."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await work()  # type: ignore[misc]
    return loop.time() - begin


async def test_it_ends_with_its_status_and_its_last_words() -> None:
    """The exit status is the child's own; stdout and stderr are read to their end before."""
    script = Script()
    child = await script.start("echo out; echo err >&2; exit 7")
    assert await child.ended() == 7
    assert (bytes(script.written), bytes(child.stderr)) == (b"out\n", b"err\n")
    assert script.complained == b"err\n"


async def test_a_signal_is_a_negative_status() -> None:
    """As `subprocess` has it."""
    child = await Script().start("kill -KILL $$")
    assert await child.ended() == -9


async def test_closed_pipes_are_not_the_end() -> None:
    """A child that closes its stdout and stderr still runs; its exit is what ends it."""
    child = await Script().start("exec >&- 2>&-; sleep 0.3; exit 5")
    assert await child.ended() == 5


async def test_the_end_of_stderr_is_kept() -> None:
    """Of 300 kB the last STDERR_BYTES, for an error's message; all of it was passed on."""
    script = Script()
    child = await script.start("yes complaint | head -c 300000 >&2; echo the end >&2")
    assert await child.ended() == 0
    assert len(script.complained) == 300_008
    assert len(child.stderr) == STDERR_BYTES
    assert child.stderr.endswith(b"complaint\nthe end\n")


async def test_what_is_left_behind_ends_with_the_child() -> None:
    """A process in the background holds the pipe open; it is not waited for, it is ended."""
    script = Script()
    child = await script.start("sleep 600 & echo hi")
    async with asyncio.timeout(MANY_SECONDS):
        assert await child.ended() == 0
    assert script.written == b"hi\n"
    assert not script.running()


async def test_terminate_ends_the_whole_group() -> None:
    """A shell that is asked to stop does not tell what it has started; the group is told."""
    script = Script()
    child = await script.start("sleep 600 & sleep 600")
    await until(lambda: len(script.running("sleep")) == 2)
    await child.terminate(Stop(grace=MANY_SECONDS))
    assert not script.running()


async def test_a_polite_child_has_the_time_it_needs() -> None:
    """Its handler runs to its end; it is not waited for any longer than that."""
    script = Script()
    polite = "trap 'sleep 0.3; echo cleaned; exit 0' TERM"
    child = await script.start(f"{polite}; echo on; while :; do sleep 0.05; done")
    await until(lambda: script.written)
    took = await timed(lambda: child.terminate(Stop(grace=MANY_SECONDS)))
    assert 0.3 <= took < MANY_SECONDS / 2
    assert script.written == b"on\ncleaned\n"


async def test_a_child_that_ignores_it_is_killed_after_the_grace_period() -> None:
    """Not before: the grace period is a promise, too."""
    script = Script()
    child = await script.start("trap '' TERM; echo on; sleep 600")
    await until(lambda: script.written)
    took = await timed(lambda: child.terminate(Stop(grace=0.5)))
    assert 0.5 <= took < MANY_SECONDS / 2
    assert not script.running()
    assert await child.ended() == -9


async def test_force_skips_the_rest_of_the_grace_period() -> None:
    """It may be set at any time while the child is waited for."""
    script, stop = Script(), Stop(grace=MANY_SECONDS)
    child = await script.start("trap '' TERM; echo on; sleep 600")
    await until(lambda: script.written)
    ending = asyncio.create_task(child.terminate(stop))
    done, _ = await asyncio.wait([ending], timeout=0.3)
    assert not done
    assert script.running()
    stop.force.set()
    assert await timed(lambda: ending) < MANY_SECONDS / 2
    assert not script.running()


async def test_a_doomed_child_is_killed_at_once() -> None:
    """With its whole group, and without a grace period; it has ended as one that was killed."""
    script, doomed = Script(), asyncio.Event()
    child = await script.start("trap '' TERM; echo on; sleep 600 & sleep 600")
    ending = asyncio.create_task(child.ended_or_stopped(Stop(grace=MANY_SECONDS), doomed))
    await until(lambda: script.written)
    assert not ending.done()
    doomed.set()
    assert await timed(lambda: ending) < MANY_SECONDS / 2
    assert ending.result() == -9
    assert not script.running()


async def test_a_child_that_is_not_doomed_ends_by_itself() -> None:
    """Nothing is left that waits for its doom."""
    child = await Script().start("exit 3")
    assert await child.ended_or_stopped(Stop(), asyncio.Event()) == 3


async def test_who_is_made_to_wait_goes_on_where_it_was() -> None:
    """Nothing is read meanwhile, and the child waits when its pipe is full; then all of it comes.

    It may end meanwhile: what it has written by then is read all the same.
    """
    script = Script()
    child = await script.start("head -c 30000000 /dev/zero; echo end; echo err >&2")
    await until(lambda: script.written)
    child.make_wait(True)
    ending = asyncio.create_task(child.ended())
    seen = len(script.written)
    done, _ = await asyncio.wait([ending], timeout=0.3)
    assert not done and len(script.written) - seen < 3_000_000
    child.make_wait(False)
    assert await ending == 0
    assert (len(script.written), script.complained) == (30_000_004, b"err\n")

    script = Script()
    child = await script.start("echo before; sleep 0.1; echo after")
    await until(lambda: script.written)
    child.make_wait(True)
    await until(lambda: child.exited)
    child.make_wait(False)
    assert await child.ended() == 0
    assert script.written == b"before\nafter\n"


async def test_making_wait_whoever_has_gone_does_nothing() -> None:
    """A log may let go of it late."""
    child = await Script().start("echo hi")
    await child.ended()
    for wait in (True, False, False):
        child.make_wait(wait)


async def test_a_zombie_in_the_group_is_not_waited_for(tmp_path: Path) -> None:
    """It runs no more, though its parent, which has left the group, never reaps it."""
    script, noted = Script(), tmp_path / "parent"
    child = await script.start_program(
        sys.executable, str(SUPPORT / "zombie_in_the_group.py"), str(noted)
    )
    await until(noted.exists)
    parent = psutil.Process(int(noted.read_text()))
    try:
        assert await timed(child.ended) < AFTER_KILL_SECONDS
        assert [zombie.status() for zombie in parent.children()] == [psutil.STATUS_ZOMBIE]
    finally:
        parent.kill()


async def test_it_inherits_nothing_but_its_streams() -> None:
    """Whatever its parent has open, marked for children or not; nor copies of its own streams."""
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    try:
        script = Script()
        await (await script.start_program(sys.executable, "-c", LISTS_OPEN_FILES)).ended()
    finally:
        os.close(ours)
        os.close(theirs)
    assert script.written.split() == [b"0", b"1", b"2"]


async def test_nothing_stays_open() -> None:
    """After its end, natural or not, no descriptor of the pipes is left."""
    await (await Script().start("true")).ended()  # uvloop opens something for its first child.
    before = _open_files()
    for number in range(6):
        child = await Script().start("sleep 600 & echo hi; sleep 0.01")
        await (child.ended() if number % 2 else child.terminate(Stop()))
    await until(lambda: _open_files() <= before)


def _open_files() -> int:
    return int(psutil.Process().num_fds())
