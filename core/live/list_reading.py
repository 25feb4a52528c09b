"""How a reader of the list gets what is new to it."""

from collections.abc import AsyncGenerator, Mapping

from ..execution.model import Status
from ..fairness import LoopBudget
from ..rate_limit import TokenBucket
from .deliveries import Taker, is_taken
from .list_hub import Dirty, ListWatcher, News
from .listing import ExecutionsChange, ListChange, Listing
from .store import Store

FEW = 20
"""To look at so many changes takes too little time to be worth a pause."""


class Audience:
    """Those who follow the same list.

    All of them who have read everything know the same. So what a change is to them is found out by
    the first one who reads of it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._number = 0
        """That of the news that are known. The news themselves would hold all that follow."""
        self._change: ExecutionsChange | None = None
        self._counts: Mapping[Status, int] = {}

    def told(self, news: News, listing: Listing) -> ExecutionsChange | None:
        """What is new to a reader who knew everything but these news, if anything is."""
        if self._number != news.number:
            before = listing.counts
            change = _change(news, listing, self._store, news.version)
            is_new = change.execution is not None or change.counts != before
            self._change = change if is_new else None
            self._number, self._counts = news.number, listing.counts
        listing.counts = self._counts
        return self._change


class ListReading:
    """From a list on that its reader has: what changes, no faster than the throttle allows.

    While the reader waits for something new, a taker, if it has one, takes changes in its place; it
    reads what the taker leaves, and what is too much, or too fast, to be taken at once.
    """

    def __init__(
        self,
        watcher: ListWatcher,
        listing: Listing,
        audience: Audience,
        store: Store,
        throttle: TokenBucket,
        taker: Taker[ExecutionsChange] | None,
    ) -> None:
        self._watcher = watcher
        self._listing = listing
        self._audience = audience
        self._store = store
        self._throttle = throttle
        self._taker = taker
        self._counts = listing.counts
        """Those that the reader was told."""
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
        if (change := self._next()) is not None:
            if not is_taken(change, self._taker):
                self._left = change
                watcher.wake_reader()
                return False
            self._throttle.take()
            if not self._throttle.available:
                watcher.wake_reader()
                return False
        if watcher.has_more:
            return True
        watcher.sleep()
        return False

    def _next(self) -> ExecutionsChange | None:
        """The next change that is new to the reader, if there is one now."""
        news = self._watcher.only_news()
        change = self._own() if news is None else self._audience.told(news, self._listing)
        if change is not None:
            self._counts = change.counts
        return change

    def _own(self) -> ExecutionsChange | None:
        """The same for a reader who has more to read."""
        watcher, store = self._watcher, self._store
        while dirty := watcher.next():
            change = _change(dirty, self._listing, store, watcher.seen(store.version))
            if change.execution is not None or (watcher.idle and change.counts != self._counts):
                return change
        return None


def _change(news: News | Dirty, listing: Listing, store: Store, version: int) -> ExecutionsChange:
    """What has become of an execution; CAUGHT_UP if that is new to the counts at most."""
    execution = news.left or store.get(news.execution_id)
    assert execution is not None, "who leaves is news, too"
    kind = listing.take(execution, news.was, None if news.left else execution.status)
    if kind is None:
        return ExecutionsChange(ListChange.CAUGHT_UP, None, listing.counts, version)
    return ExecutionsChange(kind, execution, listing.counts, version)
