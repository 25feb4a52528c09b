"""Work that a cancel must not cut short."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

Outcome = TypeVar("Outcome")


async def in_spite_of_cancels(
    work: "Coroutine[Any, Any, Outcome] | asyncio.Task[Outcome]",
) -> Outcome:
    """What `work` comes to, although this task is cancelled meanwhile.

    The cancel is not lost: it takes effect at the `await` that follows.
    """
    this = cast("asyncio.Task[object]", asyncio.current_task())
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            # `asyncio.timeout` counts the cancels: each of them may be counted once only.
            this.uncancel()
            cancelled = True
    if cancelled:
        this.cancel()
    return task.result()
