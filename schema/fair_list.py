"""Lists that let others have their turn while they are answered."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, TypeVar, cast

from ..core.fairness import Turns
from .context import Info

Item = TypeVar("Item")
Shown = TypeVar("Shown")

FEW = 20
"""So many items take too little time to be worth a pause between them."""


class FairList(Generic[Item, Shown]):
    """Items for graphql-core, which completes each as it comes: no list holds up the event loop.

    May be read more than once: a client can ask for the same field under two names.
    """

    def __init__(self, turns: Turns, items: Sequence[Item], shown: Callable[[Item], Shown]) -> None:
        self._turns = turns
        self._items = items
        self._shown = shown

    async def __aiter__(self) -> AsyncIterator[Shown]:
        for item in self._items:
            await self._turns.take()
            yield self._shown(item)


def fair_list(info: Info, items: Sequence[Item], shown: Callable[[Item], Shown]) -> list[Shown]:
    """What a resolver returns for the items; to the schema's types it is a list like any."""
    if len(items) <= FEW:
        return [shown(item) for item in items]
    return cast("list[Shown]", FairList(info.context.ctx.turns, items, shown))
