"""Changes that are handed to their takers, without a task for each of them."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

from ..fairness import LoopBudget

PIECE = 25
"""So many changes are taken in about half a millisecond."""

Item = TypeVar("Item")
Taker: TypeAlias = Callable[[Item], bool]
"""Takes an item at once, or returns False: it has to be read. Never waits."""


def is_taken(item: Item, taker: Taker[Item] | None) -> bool:
    """Whether there is a taker, and it takes the item. Never raises."""
    try:
        return taker is not None and taker(item)
    except Exception:
        # The reader meets it too, and nobody else is to suffer from it.
        return False


class Recipient(Protocol):
    """Somebody for whom there are changes."""

    def deliver(self) -> bool:
        """Takes one change; whether there is another one. Never waits, never raises."""
        ...


class Deliveries:
    """Lets recipients take their changes, one each in turn, soon after these were published.

    It waits for the `budget` of the event loop as everybody does who has many things to do. Whoever
    publishes goes on first, and what several have to take is taken by all before the next change:
    so the work on a change that they share is there for the last one, too.
    """

    def __init__(self, budget: LoopBudget) -> None:
        self._budget = budget
        self._waiting: deque[Recipient] = deque()
        self._going_on = False

    def add(self, recipient: Recipient) -> None:
        """There is a change for somebody for whom there was none before."""
        self._waiting.append(recipient)
        if not self._going_on:
            self._going_on = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        if self._budget.is_free:
            self._go_on()
        else:
            self._budget.call(self._go_on)

    def _go_on(self) -> None:
        self._deliver_some()
        while self._waiting:
            if not self._budget.is_free:
                self._budget.call(self._go_on)
                return
            self._deliver_some()
        self._going_on = False

    def _deliver_some(self) -> None:
        for _ in range(min(PIECE, len(self._waiting))):
            recipient = self._waiting.popleft()
            if recipient.deliver():
                self._waiting.append(recipient)
