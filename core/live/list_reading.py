"""How a reader of the list gets what is new to it."""

from collections.abc import AsyncGenerator

from ..fairness import LoopBudget
from ..rate_limit import TokenBucket
from .deliveries import Taker, is_taken
from .list_hub import ListWatcher
from .listing import ExecutionsChange, ListChange, Mirror
from .store import Store

FEW = 20
"""To look at so many changes takes too little time to be worth a pause."""


class ListReading:
    """From a mirror on that has caught up: what changes, no faster than the throttle allows.

    While the reader waits for something new, a taker, if it has one, takes changes in its place; it
    reads what the taker leaves, and what is too much, or too fast, to be taken at once.
    """

    def __init__(
        self,
        watcher: ListWatcher,
        mirror: Mirror,
        store: Store,
        throttle: TokenBucket,
        taker: Taker[ExecutionsChange] | None,
    ) -> None:
        self._watcher = watcher
        self._mirror = mirror
        self._store = store
        self._throttle = throttle
        self._taker = taker
        self._counts = mirror.counts
        self._left: ExecutionsChange | None = None
        """What the taker has not taken."""
        if taker is not None:
            watcher.recipient = self

    async def changes(self, budget: LoopBudget) -> AsyncGenerator[ExecutionsChange, None]:
        """Ends once the feed is closed and all is read."""
        watcher = self._watcher
        while True:
            # When the feed closes, a reader gets the rest at once: there is no more to come.
            if not watcher.closed:
                await self._throttle.refilled()
            change, self._left = self._left or self._next(), None
            if change is not None:
                yield change
                self._throttle.take()
            elif watcher.closed:
                return
            else:
                await watcher.ready()
                if watcher.unread > FEW:
                    await budget.checkpoint()

    def deliver(self) -> bool:
        """See `deliveries.Recipient`. The throttle has room for one while the reader waits."""
        watcher = self._watcher
        if not watcher.waits:
            return False
        if watcher.closed or watcher.unread > FEW:
            watcher.wake_reader()
            return False
        change = self._next()
        if change is None:
            watcher.sleep()
            return False
        if not is_taken(change, self._taker):
            self._left = change
            watcher.wake_reader()
            return False
        self._throttle.take()
        if not self._throttle.available:
            watcher.wake_reader()
            return False
        return True

    def _next(self) -> ExecutionsChange | None:
        """The next change that is new to the reader, if there is one now."""
        watcher, mirror = self._watcher, self._mirror
        while dirty := watcher.next():
            kind = mirror.take(dirty.execution, present=dirty.present)
            if kind is None and not (watcher.idle and mirror.counts != self._counts):
                continue
            self._counts, seen = mirror.counts, watcher.seen(self._store.version)
            about = None if kind is None else dirty.execution
            return ExecutionsChange(kind or ListChange.CAUGHT_UP, about, self._counts, seen)
        return None
