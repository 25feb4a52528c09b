"""Warm worker processes for the sync functions of python stages."""

import asyncio
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from ...errors import StageError
from . import Stop
from .process import ChildProcess, in_spite_of_cancels
from .worker import FLUSH_CHARACTERS, MAX_MESSAGE_BYTES

SCRIPT = Path(__file__).with_name("worker.py")
MAX_CALLS = 200
TAIL_BYTES = 4096
DYING_SECONDS = 2.0


class Stale(Exception):
    """The worker has imported code that has changed since; another one is needed."""


class Worker:
    """One process, one call at a time; what a function starts belongs to it and ends with it."""

    def __init__(
        self,
        child: ChildProcess,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        said: bytearray,
    ) -> None:
        self.calls = 0
        self._reusable = True
        self._closed = False
        # A fork of the worker may hold the socket open: that the worker has ended is the sign.
        self._ending = asyncio.create_task(child.ended())
        self._child = child
        self._reader = reader
        self._writer = writer
        self._said = said

    @classmethod
    async def start(cls, environ: Mapping[str, str]) -> "Worker":
        said = bytearray()

        def keep_tail(data: bytes) -> None:
            said.extend(data)
            del said[:-TAIL_BYTES]

        ours, theirs = socket.socketpair()
        with theirs:
            # -P: what lies in the working directory is not for it to import.
            argv = [sys.executable, "-P", str(SCRIPT), str(theirs.fileno())]
            try:
                child = await ChildProcess.start(
                    argv,
                    keep_tail,
                    stdin=subprocess.DEVNULL,
                    env=environ,
                    pass_fds=(theirs.fileno(),),
                )
            except BaseException:
                ours.close()
                raise
        return cls(child, *await asyncio.open_connection(sock=ours), said)

    async def call(self, message: Mapping[str, object], emit: Callable[[str], None]) -> object:
        """What the function has returned; what it has put out goes to `emit`.

        Raises:
            StageError: the function raised, or the process ended.
            Stale: ask another worker.
        """
        self.calls += 1
        self._reusable = False
        self._send(message)
        while True:
            answer = await self._receive()
            match answer["type"]:
                case "emit":
                    emit(answer["text"])
                case "stale":
                    raise Stale
            if "left" in answer:
                self._reusable = not answer["left"]
                return _value(answer)

    @property
    def reusable(self) -> bool:
        """Whether it can take another call: its last one is over and has left nothing behind."""
        return self._reusable and not self._child.exited

    def _send(self, message: Mapping[str, object]) -> None:
        encoded = orjson.dumps(message)
        self._writer.write(struct.pack(">I", len(encoded)) + encoded)

    async def stop(self, stop: Stop) -> None:
        """Interrupts the function, and ends the process and all that the function has started."""
        # What the function prints while it cleans up must not block it.
        draining = asyncio.create_task(self._drain())
        self._send({"stop": True})
        await self._child.terminate(stop)
        await self._close()
        await draining

    async def close(self) -> None:
        """Ends the process, which does nothing at the moment; at once if it has ended."""
        if not self._closed:
            await self._child.kill()
            await self._close()

    async def _drain(self) -> None:
        with suppress(OSError):
            while await self._reader.read(FLUSH_CHARACTERS):
                pass

    async def _close(self) -> None:
        self._closed = True
        self._ending.cancel()
        await asyncio.wait([self._ending])
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _receive(self) -> dict[str, Any]:
        try:
            await self._writer.drain()
            (size,) = struct.unpack(">I", await self._reader.readexactly(4))
            if size > MAX_MESSAGE_BYTES:
                raise StageError("the worker process has said too much", type="WorkerBroken")
            answer: dict[str, Any] = orjson.loads(await self._reader.readexactly(size))
        except orjson.JSONDecodeError:
            unread = "what the worker process has said cannot be read"
            raise StageError(unread, type="WorkerBroken") from None
        except (asyncio.IncompleteReadError, OSError):
            await asyncio.wait([self._ending], timeout=DYING_SECONDS)
            if not self._child.exited:
                await self._child.kill()
            status = await asyncio.shield(self._ending)
            said = bytes(self._said) + bytes(self._child.stderr)
            raise StageError(_last_words(status, said), type="WorkerDied") from None
        return answer


class WorkerPool:
    """Hands out workers, idle ones first; at most `max_idle` are kept warm.

    How many run at a time is not its business: the engine's limit bounds them.
    """

    def __init__(self, max_idle: int, environ: Mapping[str, str] | None = None) -> None:
        self._max_idle = max_idle
        self._environ = dict(os.environ if environ is None else environ)
        self._idle: list[Worker] = []
        self._closing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        while self._idle:
            await self._idle.pop().close()

    async def take(self) -> Worker:
        """A worker for one call; to be given back, or stopped."""
        while self._idle:
            worker = self._idle.pop()
            if worker.reusable:
                return worker
            await in_spite_of_cancels(worker.close())
        starting = asyncio.create_task(Worker.start(self._environ))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await (await starting).close()
            raise

    async def give_back(self, worker: Worker) -> None:
        """Keeps the worker warm, unless it has served long enough or there are enough."""
        room = len(self._idle) < self._max_idle and not self._closing
        if room and worker.reusable and worker.calls < MAX_CALLS:
            self._idle.append(worker)
        else:
            await worker.close()


def _value(answer: Mapping[str, Any]) -> object:
    if answer["type"] == "value":
        return answer["value"]
    missing = answer["name"] in ("LookupError", "NotJSON")
    raise StageError(
        answer["message"],
        type=answer["name"],
        traceback=answer["traceback"],
        retryable=not missing,
    )


def _last_words(status: int, said: bytes) -> str:
    how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
    end = said.decode("utf-8", "replace").strip()
    return f"the worker process ended {how}" + (f": {end}" if end else "")
