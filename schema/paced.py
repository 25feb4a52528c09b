"""Lists that let others have their turn while they are answered."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Generic, TypeVar, cast

Item = TypeVar("Item")

TURN_SECONDS = 0.01


class Paced(Generic[Item]):
    """Items for graphql-core, which completes each as it comes: no list holds up the event loop.

    May be read more than once: a client can ask for the same field under two names.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = tuple(items)

    async def __aiter__(self) -> AsyncIterator[Item]:
        began = time.perf_counter()
        for item in self._items:
            yield item
            if time.perf_counter() - began > TURN_SECONDS:
                await asyncio.sleep(0)
                began = time.perf_counter()


def paced(items: Iterable[Item]) -> list[Item]:
    """The items, to be returned by a resolver; to the schema's types it is a list like any."""
    return cast("list[Item]", Paced(items))
