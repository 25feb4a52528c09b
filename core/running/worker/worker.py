"""A worker process: the sync functions of one module one at a time, or its async ones together."""

import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

from .call import Call
from .channel import Channel
from .frames import Head, Message
from .module import StageModule
from .output import OUTPUT, CallStream, Flusher, inherit_in_threads
from .state import ProcessState
from .values import described

if TYPE_CHECKING:
    from .loop import CallLoop

NUDGE_SECONDS = 0.02
MORE_LIKELY_KILLED = "500"
"""oom_score_adj: when memory runs out, Linux ends the worker that eats it, and not the server."""


class Stopped(BaseException):
    """Raised in a function whose stage was cancelled; `finally` blocks have the grace period."""


class Worker:
    """Does what the server asks for until the server is gone.

    The main thread runs the functions, another one listens. With the first call of an async
    function it becomes a loop of async calls, and stays one.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._flusher = Flusher()
        self._requests: SimpleQueue[Message] = SimpleQueue()
        self._loop: CallLoop | None = None
        self._choosing = threading.Lock()
        """Held while a message goes to the queue or to the loop, and while the loop is made."""
        self._ended = threading.Event()
        """Set when a sync call was stopped: nothing can be called after that."""

    def run(self) -> None:
        """Returns when a sync call was stopped."""
        signal.signal(signal.SIGTERM, self._stop)
        threading.Thread(target=self._listen, name="runcast listener", daemon=True).start()
        for name in ("stdout", "stderr"):
            setattr(sys, name, CallStream(name, getattr(sys, name)))
        inherit_in_threads()
        os.register_at_fork(after_in_child=_print_as_usual)
        with suppress(Stopped):
            while not self._ended.is_set():
                self._perform(*self._requests.get())

    def _listen(self) -> None:
        try:
            for head, body in self._channel.messages():
                if head["type"] == "stop":
                    threading.Thread(target=self._nudge, name="runcast nudge", daemon=True).start()
                else:
                    with self._choosing:
                        self._deliver(head, body)
        except Exception:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            # The server is gone, or nothing can be heard of it: end, with everything that a
            # function has started.
            os.killpg(os.getpgrp(), signal.SIGKILL)

    def _deliver(self, head: Head, body: bytes) -> None:
        if self._loop is None:
            self._requests.put((head, body))
        else:
            self._loop.receive(head, body)

    def _perform(self, head: Head, body: bytes) -> None:
        if head["type"] == "warm up":
            from . import loop  # noqa: F401
        elif head["type"] == "load":
            self._load(head)
        elif head["async"]:
            self._become_a_loop(head, body)
        else:
            self._call(Call(head, body, self._channel, self._flusher, self._ended))

    def _load(self, head: Head) -> None:
        """Imports the module, and answers whether the function that is asked for is async."""
        answer = {"id": head["id"], "nonce": head["nonce"]}
        try:
            if not hasattr(self, "_module"):
                self._module = StageModule(head["module"], head["folder"])
                self._state = ProcessState()
        except LookupError as error:
            self._channel.send({**answer, "type": "missing", **described(error)})
            return
        about = self._module.about(head["path"])
        if about.get("async"):
            from . import loop  # noqa: F401  # the first call need not wait for asyncio then
        self._channel.send({**answer, **about})

    def _call(self, call: Call) -> None:
        if not self._module.still_has(call.path, is_async=False):
            call.answer_stale()
            return
        token = OUTPUT.set(call.output)
        try:
            function = self._module.function(call.path)
            value = function(*call.arguments(function))
        except BaseException as error:
            call.answer_error(error, clean=self._is_clean)
        else:
            call.answer_value(value, clean=self._is_clean)
        finally:
            OUTPUT.reset(token)

    def _is_clean(self) -> bool:
        self._module.note_files()
        return not self._state.changed()

    def _become_a_loop(self, head: Head, body: bytes) -> None:
        # Imported here: asyncio takes as long, and as much memory, as all the rest of a worker.
        from .loop import CallLoop

        loop = CallLoop(self._module, self._state, self._channel, self._flusher)
        with self._choosing:
            loop.receive(head, body)
            with suppress(Empty):
                while True:
                    loop.receive(*self._requests.get_nowait())
            self._loop = loop
        loop.run()

    def _nudge(self) -> None:
        """Sends SIGTERM to the main thread until it has noticed.

        One that another thread takes, or that comes just before a call that blocks, interrupts
        nothing: `time.sleep` would go on to its end.
        """
        main = threading.main_thread().ident
        while main is not None and not self._ended.wait(NUDGE_SECONDS):
            signal.pthread_kill(main, signal.SIGTERM)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.interrupt(frame)
        elif not self._ended.is_set() and not self._channel.is_sending(frame):
            self._ended.set()
            raise Stopped


def _print_as_usual() -> None:
    """A fork of the worker has no thread that sends, and no connection."""
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def protect_the_server() -> None:
    """Makes this process the one that goes first when the machine runs out of memory."""
    with suppress(OSError):  # Only Linux has it.
        Path("/proc/self/oom_score_adj").write_text(MORE_LIKELY_KILLED)
