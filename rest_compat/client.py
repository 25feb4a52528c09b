"""Whoever waits for an answer, and may go before it is there."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

Found = TypeVar("Found")


async def while_connected(request: Request, work: Coroutine[Any, Any, Found]) -> Found:
    """Result of the work, which is cancelled when the client goes: nobody would read it.

    To be used once the body was read, and only for what changes nothing.

    Raises:
        ClientDisconnect: the client has gone.
    """
    found: list[Found] = []

    async def working() -> None:
        found.append(await work)

    await first_of(working(), gone(request.receive))
    if not found:
        raise ClientDisconnect
    return found[0]


async def gone(receive: Receive) -> None:
    """Returns when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Until one of them has ended; the others are ended then, and the error of one is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()
