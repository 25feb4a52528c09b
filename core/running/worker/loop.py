"""Async calls of one module, many at a time in one event loop."""

import asyncio
import os
import signal
import sys
import threading
from asyncio.events import Handle
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from types import FrameType
from typing import Any

from .async_call import CALL, AsyncCall, CallOwningLoop
from .channel import Channel
from .frames import Head
from .module import StageModule
from .output import OUTPUT, Flusher
from .state import ProcessState

LEFTOVER_SECONDS = 1.0
"""How long an answer waits for what the function has left running."""
AGAIN_SECONDS = 0.05
CANCELS = 5
"""How often a function that swallows its cancel is cancelled again before it is closed."""


class Blocked(BaseException):
    """Raised in a function that has blocked the event loop for longer than the server allows."""


class CallLoop:
    """Runs the calls, answers the server's heartbeat, and interrupts who blocks it."""

    def __init__(
        self, module: StageModule, state: ProcessState, channel: Channel, flusher: Flusher
    ) -> None:
        self._module = module
        self._state = state
        self._channel = channel
        self._flusher = flusher
        self._calls: dict[int, AsyncCall] = {}
        self._loop = CallOwningLoop()
        self._unanswered: float | None = None
        """Since when the server waits for an answer to its ping, in monotonic seconds."""
        self._limit = 0.0
        """The seconds for which a function may block the event loop; each ping tells them."""
        self._blocking: Handle | None = None
        """The step of the loop that is to be interrupted."""

    def run(self) -> None:
        """Never returns."""
        asyncio.set_event_loop(self._loop)
        worker = os.getpid()
        os.register_at_fork(after_in_child=self._end_fork)
        while True:
            try:
                # A SystemExit of a task ends it, and so does `loop.stop()`: the calls go on.
                self._loop.run_forever()
            except BaseException as error:
                if os.getpid() != worker:
                    os._exit(1)
                print(f"the event loop was left by {type(error).__name__}", file=sys.stderr)  # noqa: T201

    # What the server sends, in the thread that listens

    def receive(self, head: Head, body: bytes) -> None:
        match head["type"]:
            case "ping":
                self._ping(head["limit"])
            case "call":
                call = AsyncCall(head, body, self._channel, self._flusher)
                self._loop.call_soon_threadsafe(self._begin, call)
            case "cancel":
                if current := self._calls.get(head["id"]):
                    current.stopped.set()
                self._loop.call_soon_threadsafe(self._cancel, head["id"])
            case "end":
                self._loop.call_soon_threadsafe(self._insist, head["id"], CANCELS)
            case "load":
                self._loop.call_soon_threadsafe(self._describe, head)

    def _ping(self, limit: float) -> None:
        now, self._limit = monotonic(), limit
        if self._unanswered is None:
            self._unanswered = now
            self._loop.call_soon_threadsafe(self._pong)
        elif step := _step_of_the_loop():
            call = step._context.get(CALL)  # type: ignore[attr-defined]  # see test_private_names
            was_stopped = call is not None and call.stopped.is_set()
            if was_stopped or now - self._unanswered >= limit:
                self._blocking = step
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    # In the loop

    def _pong(self) -> None:
        self._unanswered = None
        self._channel.send({"type": "pong"})

    def _describe(self, head: Head) -> None:
        answer = {"id": head["id"], "nonce": head["nonce"]}
        self._channel.send({**answer, **self._module.about(head["path"])})

    def _begin(self, call: AsyncCall) -> None:
        if not self._module.still_has(call.path, is_async=call.is_async):
            call.answer_stale()
            return
        function = self._module.function(call.path)
        context = Context()
        context.run(CALL.set, call)
        context.run(OUTPUT.set, call.output)
        self._calls[call.id] = call
        call.main = self._loop.create_task(_called(function, call), context=context)
        call.main.add_done_callback(lambda _: self._wind_up(call))

    def _wind_up(self, call: AsyncCall) -> None:
        call.cancel_rest()
        self._answer_when_over(call, self._loop.time() + LEFTOVER_SECONDS)

    def _answer_when_over(self, call: AsyncCall, deadline: float) -> None:
        # A call that was stopped is over when nothing is left of it, or when the server ends it.
        late = self._loop.time() > deadline and not call.stopped.is_set()
        if call.is_over or late:
            self._answer(call)
        else:
            self._loop.call_later(AGAIN_SECONDS, self._answer_when_over, call, deadline)

    def _answer(self, call: AsyncCall) -> None:
        main = self._calls.pop(call.id).main
        assert main is not None
        if call.blocked is not None:
            call.answer_error(call.blocked, clean=lambda: False)
        elif main.cancelled():
            itself = asyncio.CancelledError("the function cancelled itself")
            call.answer_error(itself, clean=lambda: self._is_clean(call))
        elif (error := main.exception()) is not None:
            call.answer_error(error, clean=lambda: self._is_clean(call))
        else:
            call.answer_value(main.result(), clean=lambda: self._is_clean(call))

    def _is_clean(self, call: AsyncCall) -> bool:
        self._module.note_files()
        # Whose a child is cannot be known while others run.
        return call.is_over and not self._state.changed(children=not self._calls)

    def _cancel(self, call_id: int) -> None:
        if call := self._calls.get(call_id):
            call.stopped.set()
            if call.main is not None:
                call.main.cancel()

    def _insist(self, call_id: int, cancels: int) -> None:
        """Cancels again and again, then closes what has swallowed all of it."""
        if call := self._calls.get(call_id):
            call.cancel_rest() if cancels else call.close_rest()
            if cancels:
                self._loop.call_later(AGAIN_SECONDS, self._insist, call_id, cancels - 1)

    def interrupt(self, frame: FrameType | None) -> None:
        """Raises an exception in the function that blocks the loop, if the signal came there."""
        step, self._blocking = self._blocking, None
        if step is None or step is not _handle(frame) or self._channel.is_sending(frame):
            return
        call = step._context.get(CALL)  # type: ignore[attr-defined]
        if call is None:
            return
        # It may swallow the exception, or the step may be a callback of its.
        self._loop.call_soon(self._end_blocked, call)
        if call.stopped.is_set():
            raise asyncio.CancelledError
        call.blocked = Blocked(
            f"the function has blocked the event loop for {self._limit:g} s, "
            f"{_place(frame, self._module)}; make it a sync function, or await asyncio.to_thread"
        )
        raise call.blocked

    def _end_blocked(self, call: AsyncCall) -> None:
        if call.main is not None and call.id in self._calls:
            self._insist(call.id, CANCELS)

    def _end_fork(self) -> None:
        """A fork of the worker shares the selector; it must do nothing of what waits here."""
        self._loop._ready.clear()  # type: ignore[attr-defined]
        self._loop.call_soon(os._exit, 0)


async def _called(function: Callable[..., Any], call: AsyncCall) -> Any:
    return await function(*call.arguments(function))


def _step_of_the_loop() -> Handle | None:
    """What the main thread runs for the loop at the moment."""
    return _handle(sys._current_frames().get(threading.main_thread().ident or 0))


def _handle(frame: FrameType | None) -> Handle | None:
    while frame is not None:
        if frame.f_code is Handle._run.__code__:
            return frame.f_locals["self"]  # type: ignore[no-any-return]
        frame = frame.f_back
    return None


def _place(frame: FrameType | None, module: StageModule) -> str:
    """Where the function is, in its own file if it is known."""
    innermost = frame
    while frame is not None and not module.contains(frame.f_code.co_filename):
        frame = frame.f_back
    found = frame or innermost
    if found is None:
        return "nobody knows where"
    return f"at {found.f_code.co_filename}:{found.f_lineno} in {found.f_code.co_name}"
