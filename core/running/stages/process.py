"""A child process with everything that it has started: one group, watched and ended as one."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, cast

from ..cancels import in_spite_of_cancels
from . import Stop
from .output_pipe import OutputPipe

STDOUT, STDERR = 1, 2
STDERR_BYTES = 4096
POLL_SECONDS = 0.02
DRAIN_SECONDS = 0.5
AFTER_KILL_SECONDS = 2.0
TURNS = 3
"""After so many an event loop has looked at every pipe, and one look takes all that is in it."""
HAS_PROC = Path("/proc/self/stat").exists()


class ChildProcess(asyncio.SubprocessProtocol):
    """A child in a session of its own; what it starts belongs to its group, unless it leaves it.

    asyncio's `Process.wait()` waits for the pipes as well in some versions, and a grandchild may
    hold them open for ever; hence a protocol, which is told of the exit itself.
    """

    def __init__(self, receive: Callable[[int, bytes], None]) -> None:
        self.stderr = b""
        """The end of what it has written to stderr."""
        self._pipes = tuple(OutputPipe(partial(self._hear, receive, fd)) for fd in (STDOUT, STDERR))
        self._exited = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        receive: Callable[[int, bytes], None],
        *,
        stdin: IO[bytes] | int,
        env: Mapping[str, str],
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> "ChildProcess":
        """Starts `argv`; `receive` is called with STDOUT or STDERR and what it writes, as it comes.

        Raises:
            OSError: the program or the folder cannot be used.
        """
        child = cls(receive)
        stdout, stderr = (pipe.write_end for pipe in child._pipes)
        starting = asyncio.get_running_loop().subprocess_exec(
            lambda: child,
            *argv,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        # A start that was cancelled half-way would leave what the child has started by then.
        await in_spite_of_cancels(child._connected(starting))
        return child

    async def _connected(self, starting: Awaitable[object]) -> None:
        try:
            await starting
            for pipe in self._pipes:
                await pipe.connect()
        except BaseException:
            self._close_pipes()
            raise

    @property
    def exited(self) -> bool:
        """Whether the child itself has ended; some of its group may be left."""
        return self._exited.is_set()

    async def ended(self) -> int:
        """Its exit status, negative for a signal; nothing of its group is left then.

        What it has left behind (`sleep 600 &`) would hold its stdout open and is ended with it.
        """
        await self._exited.wait()
        # What it has written is read to its end, however long it had to wait for that.
        await self._reading.wait()
        await self._drained()
        await self.kill()
        return self._transport.get_returncode() or 0

    async def ended_or_stopped(self, stop: Stop, doomed: asyncio.Event) -> int:
        """As `ended`; the group is killed as soon as `doomed` is set.

        Cancelled, it terminates the group before CancelledError leaves.
        """
        killing = asyncio.create_task(self._killed_when(doomed))
        try:
            return await self.ended()
        except asyncio.CancelledError:
            await in_spite_of_cancels(self.terminate(stop))
            raise
        finally:
            killing.cancel()
            await in_spite_of_cancels(_over(killing))

    async def _killed_when(self, doomed: asyncio.Event) -> None:
        await doomed.wait()
        await self.kill()

    async def caught_up(self) -> None:
        """Returns when all has been received that it had written by now."""
        await self._reading.wait()
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def terminate(self, stop: Stop) -> None:
        """TERM, then KILL after `stop.grace` seconds or as soon as `stop.force` is set."""
        self._signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(stop.grace):
                while self._alive and not stop.force.is_set():
                    await self._wait_for(stop.force, POLL_SECONDS)
        await self.kill()

    async def kill(self) -> None:
        """Ends what is left of the group, and lets go of its pipes."""
        self._signal(signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(AFTER_KILL_SECONDS):
                while self._alive:  # noqa: ASYNC110  # a group tells nobody that it is empty
                    await asyncio.sleep(POLL_SECONDS)
        await self._drained()
        self._close_pipes()
        self._transport.close()

    @property
    def _alive(self) -> bool:
        """Whether anything of the group still runs."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        if not (HAS_PROC and self._exited.is_set()):
            return True
        return any(_runs(stat, self.pid) for stat in _processes())

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def _drained(self) -> None:
        """Waits a moment for what is on its way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                for pipe in self._pipes:
                    await pipe.drained.wait()

    def _close_pipes(self) -> None:
        for pipe in self._pipes:
            pipe.close()

    def _hear(self, receive: Callable[[int, bytes], None], fd: int, data: bytes) -> None:
        if fd == STDERR:
            self.stderr = (self.stderr + data[-STDERR_BYTES:])[-STDERR_BYTES:]
        receive(fd, data)

    async def _wait_for(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self.pid = self._transport.get_pid()

    def make_wait(self, wait: bool) -> None:
        """Whether it has to wait, when it writes more, until somebody reads it."""
        self._reading.clear() if wait else self._reading.set()
        for pipe in self._pipes:
            pipe.make_wait(wait)

    def process_exited(self) -> None:
        self._exited.set()


async def _over(task: "asyncio.Task[None]") -> None:
    await asyncio.wait([task])


def _processes() -> Iterator[str]:
    """What `/proc/<pid>/stat` says of every process: proc(5)."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            yield entry.read_text(errors="replace")


def _runs(stat: str, group: int) -> bool:
    """Whether a process is of the group and no zombie.

    A zombie runs no more, but stays in its group until its parent reaps it, which the first process
    of a container may never do.
    """
    state, _, of_group = stat.rpartition(")")[2].split()[:3]
    return int(of_group) == group and state not in "ZX"
