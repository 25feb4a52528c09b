"""Lists that leave time for others while they are answered."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, TypeVar, cast

from ..core.fairness import LoopBudget
from .context import Info

Item = TypeVar("Item")
Shown = TypeVar("Shown")

FEW = 20
"""So many items take too little time to be worth a pause between them."""


class FairList(Generic[Item, Shown]):
    """Items for graphql-core, which completes each as it comes: no list holds up the event loop.

    May be read more than once: a client can ask for the same field under two names.
    """

    def __init__(
        self, budget: LoopBudget, items: Sequence[Item], shown: Callable[[Item], Shown]
    ) -> None:
        self._budget = budget
        self._items = items
        self._shown = shown

    async def __aiter__(self) -> AsyncIterator[Shown]:
        for item in self._items:
            await self._budget.checkpoint()
            yield self._shown(item)


def fair_list(info: Info, items: Sequence[Item], shown: Callable[[Item], Shown]) -> list[Shown]:
    """What a resolver returns for the items; to the schema's types it is a list like any."""
    if len(items) <= FEW:
        return [shown(item) for item in items]
    return cast("list[Shown]", FairList(info.context.ctx.loop_budget, items, shown))
