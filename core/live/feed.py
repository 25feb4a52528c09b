"""What readers follow: one execution, or the list, from a snapshot or a cursor on."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from weakref import WeakValueDictionary

from ..clock import Clock
from ..errors import NotFound, Stopping
from ..execution.change import Change
from ..execution.cursor import Cursor
from ..execution.events import ChangeKind
from ..execution.filter import ExecutionFilter
from ..execution.model import Execution, Status
from ..fairness import LoopBudget
from ..rate_limit import TokenBucket
from .deliveries import Taker
from .hub import Hub
from .list_hub import ListHub
from .list_reading import Audience, ListReading
from .listing import ExecutionsChange, ListChange, Listing
from .store import Entry, Store

BURST = 100
MESSAGES_PER_SECOND = 100
"""How many changes of the list a reader is sent."""
PIECE = 200
"""Of a list, so many executions are looked at in about half a millisecond."""


class Feed:
    """Sends each change to its readers, once, in order and without a gap.

    Taking the snapshot and beginning to listen are one step: between them nothing is awaited. What
    takes longer waits for the `budget` of the event loop.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        epoch: Callable[[], str],
        watcher_limit: int,
        budget: LoopBudget,
    ) -> None:
        self._store = store
        self._budget = budget
        self._clock = clock
        self._epoch = epoch
        self._hub = Hub(watcher_limit, budget)
        self._list_hub = ListHub(budget)
        self._audiences: WeakValueDictionary[ExecutionFilter, Audience] = WeakValueDictionary()

    def __len__(self) -> int:
        """How many readers there are now."""
        return len(self._hub) + len(self._list_hub)

    def publish(self, change: Change, was: Status | None) -> None:
        """Sends a change that the store has taken in, of an execution that had the status `was`.

        None: it has come with it.
        """
        self._hub.publish(change)
        if change.kind is not ChangeKind.OUTPUT:
            urgent = change.kind is not ChangeKind.STAGE_CHANGED
            self._list_hub.publish(change.execution, self._store.version, was, urgent=urgent)

    def publish_departure(self, execution: Execution) -> None:
        """Sends the departure of an execution that the store has forgotten."""
        was, version = execution.status, self._store.version
        self._list_hub.publish(execution, version, was, present=False, urgent=True)

    def close(self) -> None:
        """Every reader ends once it has read what there is for it."""
        self._hub.close()
        self._list_hub.close()

    async def watch(
        self,
        execution_id: str,
        after: Cursor | None,
        limit: int | None = None,
        taker: Taker[Change] | None = None,
    ) -> AsyncGenerator[Change, None]:
        """See `ExecutionManager.watch`."""
        with self._hub.watching(execution_id, limit, taker) as watcher:
            now = self._store.get(execution_id)
            # It may have left since the reader asked: a generator begins when it is first read.
            if now is None:
                raise NotFound("Execution not found", path=["id"])
            for change in self._so_far(now, after):
                yield change
            while not now.status.terminal:
                following = await watcher.next()
                if following is None:
                    raise Stopping
                yield following
                now = following.execution

    async def watch_list(
        self,
        filter: ExecutionFilter,
        after: Cursor | None,
        taker: Taker[ExecutionsChange] | None = None,
    ) -> AsyncGenerator[ExecutionsChange, None]:
        """See `ExecutionManager.watch_list`."""
        throttle = TokenBucket(self._clock, BURST, MESSAGES_PER_SECOND)
        audience = self._audiences.setdefault(filter, Audience(self._store))
        await self._budget.checkpoint()
        with self._list_hub.watching() as watcher:
            version, now = self._store.version, list(self._store.oldest_first())
            news = self._list_since(after)
            matching, counts = await self._counted(filter, now)
            if after is not None and news is not None:
                for change in _news(filter, counts, news, after.sequence):
                    yield change
            else:
                # A reader that breaks off before CAUGHT_UP has seen a part, and has to begin anew.
                if after is not None:
                    yield ExecutionsChange(ListChange.RESET, None, counts, 0)
                for one in matching:
                    yield ExecutionsChange(ListChange.ENTERED, one, counts, 0)
            yield ExecutionsChange(ListChange.CAUGHT_UP, None, counts, version)
            listing = Listing(filter, counts)
            reading = ListReading(watcher, listing, audience, self._store, throttle, taker)
            async with aclosing(reading.changes(self._budget)) as changes:
                async for change in changes:
                    yield change
        raise Stopping

    def _so_far(self, now: Execution, after: Cursor | None) -> list[Change]:
        if after is None:
            return [self._store.state(ChangeKind.SNAPSHOT, now.id, self._clock.now())]
        if after.epoch != self._epoch():
            return [self._store.state(ChangeKind.RESET, now.id, self._clock.now())]
        changes = self._store.changes_since(now.id, after.sequence)
        if changes is None:
            missed, at = now.sequence - after.sequence, self._clock.now()
            return [Change(ChangeKind.RESET, now, at, missed=missed if missed > 0 else None)]
        return changes

    def _list_since(self, after: Cursor | None) -> list[Entry] | None:
        """What has changed after a cursor; None if it is not known, or there is none."""
        if after is None or after.epoch != self._store.epoch:
            return None
        return self._store.list_since(after.sequence)

    async def _counted(
        self, filter: ExecutionFilter, executions: list[Execution]
    ) -> tuple[list[Execution], Mapping[Status, int]]:
        """As `ExecutionFilter.counted`, in pieces: a long list holds up nobody."""
        matching: list[Execution] = []
        counted: Counter[Status] = Counter()
        for start in range(0, len(executions), PIECE):
            found, of_status = filter.counted(executions[start : start + PIECE])
            matching += found
            counted += of_status
            await self._budget.checkpoint()
        return matching, {status: counted[status] for status in Status}


def _news(
    filter: ExecutionFilter, counts: Mapping[Status, int], changed: list[Entry], version: int
) -> Iterator[ExecutionsChange]:
    """What has changed for a reader that has seen the list as it was at `version`.

    Whether it had seen an execution in it is not known: UPDATED and LEFT may name one that it
    never saw, and ENTERED one that it received before what is older. In the order of the
    changes, so that it can break off after each of them.
    """
    for entry in changed:
        if not filter.matches_constants(entry.execution):
            continue
        if not filter.admits(entry.execution.status):
            kind = ListChange.LEFT
        else:
            kind = ListChange.ENTERED if entry.entered > version else ListChange.UPDATED
        yield ExecutionsChange(kind, entry.execution, counts, entry.changed)
