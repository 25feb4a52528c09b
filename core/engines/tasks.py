"""Tasks of which nothing is to be left."""

import asyncio
from typing import Any

PAUSE_SECONDS = 0.1


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """Returns when they are over.

    They may have to be cancelled twice: the client swallows it now and then, and so does
    `asyncio.wait_for` before Python 3.12, if what it waits for comes at the same moment.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=PAUSE_SECONDS)
