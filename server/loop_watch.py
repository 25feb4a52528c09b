"""Notices that the event loop stands still, and says what holds it."""

import asyncio
import logging
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Self

LOOK_SECONDS = 0.1
HELD_SECONDS = 0.2
FRAMES = 6
"""The innermost, of the stack that is logged."""

logger = logging.getLogger("runcast.loop")


class LoopWatch:
    """A thread that has the event loop beat ten times a second.

    When a beat takes longer than HELD_SECONDS, it logs for how long the loop was held, once that
    is over, and where it was then. Entered in the thread of the loop.
    """

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._run, name="runcast loop watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            beat, begun = threading.Event(), time.monotonic()
            try:
                self._loop.call_soon_threadsafe(beat.set)
            except RuntimeError:
                return  # The loop is closed.
            if beat.wait(HELD_SECONDS):
                continue
            where = _in_words(sys._current_frames().get(self._loop_thread))
            while not (beat.wait(LOOK_SECONDS) or self._stopped.is_set()):
                pass
            held = (time.monotonic() - begun) * 1000
            logger.warning("the event loop was held for %d ms, in %s", held, where)


def _in_words(frame: FrameType | None) -> str:
    """The innermost calls, the caller first, on one line."""
    stack = traceback.extract_stack(frame, FRAMES) if frame else []
    calls = (f"{call.name} ({call.filename}:{call.lineno})" for call in stack)
    return " > ".join(calls) or "a thread that has gone"
