"""A child process with everything that it has started: one group, watched and ended as one."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from subprocess import Popen
from typing import IO

from ...child_exit import ChildExit
from ..cancels import in_spite_of_cancels
from ..keeper import Keeper
from . import Stop
from .group import ProcessGroup
from .output_pipe import OutputPipe

STDOUT, STDERR = 1, 2
STDERR_BYTES = 4096
POLL_SECONDS = 0.02
DRAIN_SECONDS = 0.5
AFTER_KILL_SECONDS = 2.0
TURNS = 3
"""After so many an event loop has looked at every pipe, and one look takes all that is in it."""


class ChildProcess:
    """A child in a session of its own; what it starts belongs to its group, unless it leaves it.

    Its exit is not the end of its pipes: a grandchild may hold them open for ever.
    """

    def __init__(
        self,
        process: "Popen[bytes]",
        pipes: Sequence[OutputPipe],
        receive: Callable[[int, bytes], None],
        keeper: Keeper | None,
    ) -> None:
        self.pid = process.pid
        self.stderr = b""
        """The end of what it has written to stderr."""
        self._group = ProcessGroup(process.pid, keeper)
        self._exit = ChildExit(process)
        self._pipes = pipes
        self._receive = receive
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
        keeper: Keeper | None = None,
    ) -> "ChildProcess":
        """Starts `argv`; `receive` is called with STDOUT or STDERR and what it writes, as it comes.

        It inherits descriptors 0, 1, 2 and `pass_fds`. If this process is killed, `keeper` ends the
        group.

        Raises:
            OSError: the program or the folder cannot be used.
        """
        with ExitStack() as opened:
            pipes = []
            for _ in (STDOUT, STDERR):
                pipes.append(OutputPipe())
                opened.callback(pipes[-1].close)
            # Takes less time than to have a thread do it.
            process = Popen(  # noqa: ASYNC220
                argv,
                stdin=stdin,
                stdout=pipes[0].write_end,
                stderr=pipes[1].write_end,
                env=env if keeper is None else {**env, **keeper.mark},
                cwd=cwd,
                pass_fds=pass_fds,
                start_new_session=True,
            )
            opened.pop_all()
        child = cls(process, pipes, receive, keeper)
        for fd, pipe in zip((STDOUT, STDERR), pipes, strict=True):
            pipe.connect(partial(child._hear, fd))
        return child

    @property
    def exited(self) -> bool:
        """Whether the child itself has ended; some of its group may be left."""
        return self._exit.has_come

    async def ended(self) -> int:
        """Its exit status, negative for a signal; nothing of its group is left then.

        What it has left behind (`sleep 600 &`) would hold its stdout open and is ended with it.
        """
        status = await self._exit.status()
        # What it has written is read to its end, however long it had to wait for that.
        await self._reading.wait()
        await self._drained()
        await self.kill()
        return status

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
        self._group.signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(stop.grace):
                while self._alive and not stop.force.is_set():
                    await self._wait_for(stop.force, POLL_SECONDS)
        await self.kill()

    async def kill(self) -> None:
        """Ends what is left of the group, and lets go of its pipes."""
        self._group.signal(signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(AFTER_KILL_SECONDS):
                while self._alive:  # noqa: ASYNC110  # a group tells nobody that it is empty
                    await asyncio.sleep(POLL_SECONDS)
        await self._drained()
        self._close_pipes()

    @property
    def _alive(self) -> bool:
        """Whether anything of the group still runs."""
        return self._group.runs(leader=not self.exited)

    async def _drained(self) -> None:
        """Waits a moment for what is on its way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                for pipe in self._pipes:
                    await pipe.drained.wait()

    def _close_pipes(self) -> None:
        for pipe in self._pipes:
            pipe.close()

    def _hear(self, fd: int, data: bytes) -> None:
        if fd == STDERR:
            self.stderr = (self.stderr + data[-STDERR_BYTES:])[-STDERR_BYTES:]
        self._receive(fd, data)

    async def _wait_for(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    def make_wait(self, wait: bool) -> None:
        """Whether it has to wait, when it writes more, until somebody reads it."""
        self._reading.clear() if wait else self._reading.set()
        for pipe in self._pipes:
            pipe.make_wait(wait)


async def _over(task: "asyncio.Task[None]") -> None:
    await asyncio.wait([task])
