"""What the resolver of a subscription returns: something that any number of clients may follow."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..core.live.deliveries import Taker

Item = TypeVar("Item")


def all_items(item: object) -> bool:
    return True


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Following(Generic[Item]):
    """Items, and how the schema shows each of them.

    To graphql-core it is the source event stream of one client, as the specification has it.
    `schema/shared.py` begins it once for each client, and shows each item once for all.
    """

    begin: Callable[[Taker[Item] | None], Awaitable[AsyncGenerator[Item, None]]]
    """Follows them from now on. What the taker takes while nothing is unread is not read."""
    shown: Callable[[Item], object]
    wanted: Callable[[Item], bool] = all_items
    """Whether the client is to be sent an item."""
    key: Callable[[Item], Hashable] = id
    """The same for two items that are shown alike, as long as both are held."""

    async def __aiter__(self) -> AsyncIterator[object]:
        async with aclosing(await self.begin(None)) as items:
            async for item in items:
                if self.wanted(item):
                    yield self.shown(item)
