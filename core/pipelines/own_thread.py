"""Work that may hang, in a thread that nobody has to wait for."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


async def in_own_thread(work: Callable[[], Result]) -> Result:
    """Result of `work`, run in a new daemon thread.

    A pool's threads are few, and the interpreter waits for them when it exits. This one can hang
    for ever and harms nobody; cancelling the call leaves it behind.
    """
    outcome: Future[Result] = Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    Thread(target=run, name="runcast-pipelines", daemon=True).start()
    return await asyncio.wrap_future(outcome)
