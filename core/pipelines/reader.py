"""Reads pipeline files in processes of their own, with deadlines for each file."""

import asyncio
import pickle
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import Popen

from ..child_exit import ChildExit
from .own_thread import in_own_thread
from .reading import OPENED, READY, SIZE, Reading, main

OPEN_SECONDS = 10.0
PARSE_SECONDS = 60.0
"""Beside others that keep the processors busy, the second that a large file takes can be many."""
READY_SECONDS = 60.0
IDLE_SECONDS = 5.0
END_SECONDS = 1.0
MAX_PROCESSES = 4
ATTEMPTS = 2
BIG_BYTES = 1 << 14
"""Unpickling an answer of this size takes about 0.3 ms."""

# Not `multiprocessing` and not `anyio.to_process`: both run the main module of the program that
# runcast is embedded in once more. The priority is low, because a server that answers comes first.
SCRIPT = f"""\
import os, sys
os.nice(5)
sys.path[:] = sys.argv[1:]
from {main.__module__} import main
main()
"""


class NotRead(Exception):
    """A file could not be read for a reason that may pass, and need not be the file's."""


class ProcessEnded(Exception):
    """A reading process has ended by itself, or was killed."""


@dataclass(frozen=True, slots=True)
class StartedProcess:
    """A process that gets ready to read, and our end of the connection to it."""

    process: "Popen[bytes]"
    connection: socket.socket

    @classmethod
    def start(cls) -> "StartedProcess":
        """Takes less time than to have a thread do it.

        Raises:
            NotRead: it cannot be started.
        """
        path = [entry for entry in sys.path if isinstance(entry, str)]
        argv = (sys.executable or "", "-c", SCRIPT, *path)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                # A session of its own: Ctrl+C in a terminal is meant for the server.
                process = Popen(
                    argv, stdin=theirs.fileno(), stdout=theirs.fileno(), start_new_session=True
                )
        except OSError as error:
            ours.close()
            raise NotRead(f"no process can be started to read files: {error.strerror}") from error
        return cls(process, ours)

    def end(self) -> None:
        """Ends it; nobody has needed it."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


class ReadingProcess:
    """One process, which reads one file at a time."""

    def __init__(
        self,
        process: "Popen[bytes]",
        exit: ChildExit,
        output: asyncio.StreamReader,
        input: asyncio.StreamWriter,
    ) -> None:
        self._process, self._exit = process, exit
        self._output, self._input = output, input

    @classmethod
    async def of(cls, started: "StartedProcess") -> "ReadingProcess":
        """Returns the process, now that there is an event loop; it will be ready to read."""
        exit = ChildExit(started.process)
        streams = await asyncio.open_unix_connection(sock=started.connection)
        return cls(started.process, exit, *streams)

    async def ready(self) -> None:
        """Returns when it can read.

        Raises:
            NotRead: it has ended, or does not get ready in time.
        """
        with suppress(ProcessEnded, NotRead):
            if await self._receive_within(READY_SECONDS) == READY:
                return
        raise NotRead("the process that should read files does not start")

    async def read(self, path: Path) -> Reading:
        """Returns what a file says. Cancelled, the process is of no use any more.

        Raises:
            ProcessEnded: it has not said so.
            NotRead: it takes too long.
        """
        request = bytes(path)
        self._input.write(SIZE.pack(len(request)) + request)
        answer = await self._receive_within(OPEN_SECONDS)
        if answer == OPENED:
            answer = await self._receive_within(PARSE_SECONDS)
        unpickle: partial[Reading] = partial(pickle.loads, answer)
        return await in_own_thread(unpickle) if len(answer) >= BIG_BYTES else unpickle()

    def kill(self) -> None:
        """Ends it whatever it does, without waiting for that."""
        if self.alive:
            self._process.kill()
        self._input.close()

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet, as far as is known."""
        return not self._exit.has_come

    async def ended(self) -> None:
        """Returns when it has ended."""
        await self._exit.status()

    async def _receive_within(self, seconds: float) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                return await self._receive()
        except TimeoutError:
            raise NotRead(f"it could not be read within {seconds:g} s") from None

    async def _receive(self) -> bytes:
        try:
            (size,) = SIZE.unpack(await self._output.readexactly(SIZE.size))
            return await self._output.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ProcessEnded from None


class FileReader:
    """Reads files in a process that starts when it is needed, and ends when it no longer is.

    Several files can be read at a time, each in a process of its own, so that one that blocks
    does not hold up the others.
    """

    def __init__(self) -> None:
        self._first: StartedProcess | None = None
        self._busy = 0
        self._processes: set[ReadingProcess] = set()
        self._idle: list[ReadingProcess] = []
        self._used_at = 0.0

    @classmethod
    @contextmanager
    def started_early(cls) -> "Iterator[FileReader]":
        """One that has started its first process, though there may be no event loop yet."""
        reader = cls()
        with suppress(NotRead):  # `begin` tries again, and says why.
            reader._first = StartedProcess.start()
        try:
            yield reader
        finally:
            reader._end_first()

    @property
    def full(self) -> bool:
        """Whether as many files are being read as can be at a time."""
        return self._busy >= MAX_PROCESSES

    async def begin(self, path: Path) -> "asyncio.Task[Reading]":
        """Returns as soon as a process reads the file: the task of what it says.

        The task raises NotRead if the file cannot be read in time. A process that ends over a file
        is replaced once. Not for use while `full`.

        Raises:
            NotRead: there is no process to read it.
        """
        process = self._idle.pop() if self._idle else await self._started()
        self._busy += 1
        return asyncio.create_task(self._read(process, path))

    def end_idle(self) -> None:
        """Ends the processes that have not been needed for a while."""
        if asyncio.get_running_loop().time() - self._used_at >= IDLE_SECONDS:
            while self._idle:
                self._idle.pop().kill()

    async def close(self) -> None:
        """Ends all processes. Every task of `begin` must be over or cancelled by then."""
        self._end_first()
        self._idle.clear()
        for process in self._processes:
            process.kill()
        # One that hangs in the kernel is not waited for.
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                for process in self._processes:
                    await process.ended()

    def _end_first(self) -> None:
        if self._first:
            self._first.end()
            self._first = None

    async def _started(self) -> ReadingProcess:
        self._processes = {process for process in self._processes if process.alive}
        first, self._first = self._first, None
        process = await ReadingProcess.of(first or StartedProcess.start())
        self._processes.add(process)
        try:
            await process.ready()
        except BaseException:
            process.kill()
            raise
        return process

    async def _read(self, process: ReadingProcess, path: Path) -> Reading:
        try:
            for _ in range(ATTEMPTS - 1):
                with suppress(ProcessEnded):
                    return await self._read_by(process, path)
                process = await self._started()
            return await self._read_by(process, path)
        except ProcessEnded:
            raise NotRead("the process that reads it ends each time") from None
        finally:
            self._busy -= 1

    async def _read_by(self, process: ReadingProcess, path: Path) -> Reading:
        try:
            reading = await process.read(path)
        except BaseException:
            process.kill()
            raise
        self._idle.append(process)
        self._used_at = asyncio.get_running_loop().time()
        return reading
