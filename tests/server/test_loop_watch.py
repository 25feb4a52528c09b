"""Somebody notices that the event loop stands still, and says where."""

import asyncio
import logging
import threading
import time

import pytest
from event_loops import EVENT_LOOPS
from patience import until
from runcast.server import loop_watch
from runcast.server.loop_watch import LoopWatch

pytestmark = pytest.mark.parametrize("anyio_backend", EVENT_LOOPS)


def holds_everybody_up(seconds: float) -> None:
    time.sleep(seconds)


async def test_what_holds_the_loop_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """For how long, and where it was: on one line."""
    caplog.set_level(logging.WARNING, "runcast.loop")
    with LoopWatch():
        holds_everybody_up(4 * loop_watch.HELD_SECONDS)
        await until(lambda: caplog.records)
    message = caplog.records[0].getMessage()
    assert "holds_everybody_up (" in message and "test_loop_watch.py:" in message
    assert "\n" not in message
    assert int(message.split("held for ")[1].split(" ms")[0]) >= 1000 * loop_watch.HELD_SECONDS


async def test_its_thread_goes_with_it() -> None:
    """As soon as it is left, or when nobody has left it and the loop is closed."""
    before = set(threading.enumerate())
    with LoopWatch():
        [thread] = set(threading.enumerate()) - before
        await asyncio.sleep(0)
    await until(lambda: not thread.is_alive())
