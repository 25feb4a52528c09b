"""One worker process: what it is asked, what it answers, and that it never outlives its use."""

import asyncio
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

from ...errors import StageError
from ...execution.log import LogStream
from ...json_value import JSON
from ...pipelines.pipeline import PythonStage
from ..attempt_log import AttemptLog
from ..cancels import in_spite_of_cancels
from ..keeper import Keeper
from ..stages import StageCall, Stop
from ..stages.process import STDOUT, ChildProcess
from ..worker.frames import Head, Unpacker, packed
from .function import Function, Module
from .heartbeat import Heartbeat
from .messages import FileValue, Stale, answered, call_head, remove

ARGUMENTS = ("-P", "-u", "-m", f"{__package__.rpartition('.')[0]}.worker")
"""-P: what lies in the working directory is not for it to import. -u: what does not go through the
calls' streams is not held back."""
TAIL_BYTES = 4096
STREAMS = {"stdout": LogStream.STDOUT, "stderr": LogStream.STDERR}
DYING_SECONDS = 2.0
IMPORT_SECONDS = 30.0
"""How long the import of a module may take."""
END_SECONDS = 1.0
"""How long a call that is ended without mercy may take to be gone."""


@dataclass(slots=True, eq=False)
class _Request:
    """What the worker is asked, and where its answer will be."""

    id: int
    nonce: str
    answer: "asyncio.Future[tuple[Head, bytes]]"
    log: AttemptLog | None = None
    """None: it says nothing of its own."""


class WorkerProcess(asyncio.Protocol):
    """What its functions start belongs to it and ends with it."""

    _child: ChildProcess
    _transport: asyncio.Transport
    _ending: "asyncio.Task[None]"
    """Done when the process has ended and whoever waits for it knows."""

    def __init__(self) -> None:
        self.module: Module | None = None
        self.calls = 0
        """How many calls it has been given."""
        self.reusable = True
        """Whether it is as it was when it had imported its module."""
        self._requests: dict[int, _Request] = {}
        self._logs: list[AttemptLog] = []
        """Of the calls in it, until all that they have said has come."""
        self._ids = count(1)
        self._unpacker = Unpacker()
        self._said = bytearray()
        self._reason = ""
        """Why we have ended it."""
        self._closed = False
        self._killing: asyncio.Task[None] | None = None
        self._status = 0
        self._has_loop = False
        self._unread_logs = 0
        self._loop = asyncio.get_running_loop()
        self._heartbeat = Heartbeat(self._ping, self._end_the_silent)

    @classmethod
    async def start(
        cls, environ: Mapping[str, str], keeper: Keeper | None = None
    ) -> "WorkerProcess":
        worker = cls()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                worker._child = await ChildProcess.start(
                    [sys.executable, *ARGUMENTS, str(theirs.fileno())],
                    worker._said_by_process,
                    stdin=subprocess.DEVNULL,
                    env=environ,
                    pass_fds=(theirs.fileno(),),
                    keeper=keeper,
                )
        except BaseException:
            ours.close()
            raise
        # A fork of the worker may hold the socket open: that the worker has ended is the sign.
        worker._ending = asyncio.create_task(worker._until_ended())
        await worker._loop.create_unix_connection(lambda: worker, sock=ours)
        return worker

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def usable(self) -> bool:
        """Whether it can take another call."""
        return self.reusable and not self._closed and not self._child.exited

    @property
    def busy(self) -> bool:
        return bool(self._requests)

    # Asking

    def warm_up(self) -> None:
        """Has it import what the calls of async functions need, before anybody waits for it."""
        self._transport.write(packed({"type": "warm up"}))

    async def load(self, function: Function) -> bool:
        """Has it import the module; whether the function is async.

        Raises:
            StageError: there is no such function, or its module cannot be imported.
            Stale: it has imported the module as it was before.
        """
        module = function.module
        self.module = module
        wanted = {"folder": str(module.folder), "module": module.name, "path": function.path}
        request = self._ask({"type": "load", **wanted})
        try:
            async with asyncio.timeout(IMPORT_SECONDS):
                head, _ = await request.answer
        except TimeoutError:
            raise StageError(
                f"{module.name} cannot be imported: it takes longer than {IMPORT_SECONDS:g} s",
                type="ImportTimeout",
                retryable=False,
            ) from None
        if head["type"] == "stale":
            raise Stale
        if head["type"] == "missing":
            raise StageError(head["message"], type="NoSuchFunction", retryable=False)
        return bool(head["async"])

    async def call(
        self, call: StageCall[PythonStage], function: Function, body: bytes, *, is_async: bool
    ) -> JSON | FileValue:
        """What the function has returned, given `body`; what it says goes to the call's log.

        Cancelled, it ends the call first: an async one in its process, a sync one with it.

        Raises:
            StageError: the function raised, or the process ended.
            Stale: ask another worker.
        """
        self.calls += 1
        file = call.stores.new_file()
        head = call_head(call, function, file, is_async=is_async)
        request = self._ask(head, body, call.log)
        self._logs.append(call.log)
        call.log.make_wait(self._make_wait)
        if is_async:
            self._has_loop = True
            self._heartbeat.begin()
        try:
            await self._answered(call, request, is_async=is_async)
            await self._child.caught_up()
            head, value = request.answer.result()
        except BaseException:
            # It may have left its value there before it came to this.
            await in_spite_of_cancels(asyncio.to_thread(remove, [file]))
            raise
        finally:
            self._logs.remove(call.log)
        self.reusable = self.reusable and head.get("clean", True)
        return answered(head, value, file)

    async def _answered(
        self, call: StageCall[PythonStage], request: _Request, *, is_async: bool
    ) -> None:
        try:
            # Not the future itself: it would be cancelled, too.
            await asyncio.wait([request.answer])
        except asyncio.CancelledError:
            ended = self._end_call(call, request) if is_async else self.stop(call.stop)
            await in_spite_of_cancels(ended)
            raise

    def _ask(self, head: Head, body: bytes = b"", log: AttemptLog | None = None) -> _Request:
        answer = self._loop.create_future()
        request = _Request(next(self._ids), secrets.token_hex(8), answer, log)
        if self._ending.done():
            answer.set_exception(self._death())
            return request
        self._requests[request.id] = request
        self._transport.write(packed({"id": request.id, "nonce": request.nonce, **head}, body))
        return request

    # Ending

    async def _end_call(self, call: StageCall[PythonStage], request: _Request) -> None:
        """Cancels an async call, then ends it, then everything that shares the process with it.

        The answer may come at any moment, also before this begins.
        """
        answer = request.answer
        self._transport.write(packed({"type": "cancel", "id": request.id}))
        force = asyncio.ensure_future(call.stop.force.wait())
        waited: list[asyncio.Future[Any]] = [answer, force]
        await asyncio.wait(waited, timeout=call.stop.grace, return_when=asyncio.FIRST_COMPLETED)
        force.cancel()
        if not answer.done():
            self._transport.write(packed({"type": "end", "id": request.id}))
            await asyncio.wait([answer], timeout=END_SECONDS)
        if not answer.done():
            await self.end(f"{call.execution_id} was cancelled and did not stop")
        answer.exception()  # Seen: the call was cancelled, whatever it says.

    async def stop(self, stop: Stop) -> None:
        """Interrupts a sync function, and ends the process and all that it has started."""
        self.reusable = False
        self._transport.write(packed({"type": "stop"}))
        await self._child.terminate(stop)
        await self.close()

    async def end(self, reason: str) -> None:
        """Ends the process at once; whoever has a call in it is told the reason."""
        self.reusable = False
        self._reason = self._reason or reason
        await self._child.kill()
        await asyncio.wait([self._ending])

    async def close(self) -> None:
        """Ends the process, which does nothing at the moment; at once if it has ended."""
        if self._closed:
            return
        self._closed = True
        await self._child.kill()
        await asyncio.wait([self._ending, *filter(None, [self._killing])])
        self._transport.abort()

    async def _until_ended(self) -> None:
        self._status = await self._child.ended()
        self._heartbeat.end()
        requests, self._requests = self._requests, {}
        death = self._death(shared=len(requests) > 1)
        for request in requests.values():
            if not request.answer.done():
                request.answer.set_exception(death)
                request.answer.exception()  # Who was cancelled does not look at it.

    def _death(self, *, shared: bool = False) -> StageError:
        said = self._said.decode("utf-8", "replace").strip()
        how = self._reason or _in_words(self._status)
        message = f"the worker process {how}" + (f": {said}" if said else "")
        if not shared:
            return StageError(message, type="WorkerDied")
        return StageError(
            f"{message} (other executions ran in it, and which of them is to blame is not known)",
            type="WorkerLost",
        )

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        try:
            for head, body in self._unpacker.feed(data):
                self._receive(head, body)
        except (KeyError, TypeError, ValueError):
            self._break_off("has said what cannot be read, and was ended")

    def connection_lost(self, exc: Exception | None) -> None:
        self._loop.call_later(DYING_SECONDS, self._break_off, "closed its connection and was ended")

    def _break_off(self, reason: str) -> None:
        if not self._child.exited and not self._reason and not self._closed:
            self._killing = self._loop.create_task(self.end(reason))

    def _receive(self, head: Head, body: bytes) -> None:
        if head["type"] == "pong":
            self._heartbeat.answered()
            return
        request = self._requests.get(head["id"])
        if request is None or request.nonce != head["nonce"]:
            return  # A fork, or a function that has found the connection: this is no answer.
        if head["type"] not in ("emit", "progress"):
            del self._requests[head["id"]]
            if not self._requests:
                self._heartbeat.end()
            if not request.answer.done():
                request.answer.set_result((head, body))
        elif request.log is None:
            return
        elif head["type"] == "progress":
            request.log.progress(head["done"])
        else:
            request.log.write(STREAMS[head["stream"]], body.decode())

    def _make_wait(self, wait: bool) -> None:
        """Whether a call says more than can be stored; nothing is read of the process then."""
        self._unread_logs += 1 if wait else -1
        self._child.make_wait(self._unread_logs > 0)
        if self._transport.is_closing():
            return
        if self._unread_logs:
            self._heartbeat.end()
            self._transport.pause_reading()
            return
        self._transport.resume_reading()
        if self._has_loop and self.busy:
            self._heartbeat.begin()

    def _ping(self, limit: float) -> None:
        self._transport.write(packed({"type": "ping", "limit": limit}))

    def _end_the_silent(self) -> None:
        self._break_off(f"did not answer for {self._heartbeat.patience:g} s and was ended")

    def _said_by_process(self, fd: int, data: bytes) -> None:
        """What comes from a library or a child of a function, and not through Python's streams.

        Where several calls share the process, it is not known whose that is.
        """
        if len(self._logs) == 1:
            self._logs[0].receive(LogStream.STDOUT if fd == STDOUT else LogStream.STDERR, data)
        self._said += data
        del self._said[:-TAIL_BYTES]


def _in_words(status: int) -> str:
    how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
    return f"ended {how}"
