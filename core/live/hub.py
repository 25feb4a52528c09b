"""Passes changes on to bounded watchers of one execution each."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ..execution.change import Change
from ..execution.events import ChangeKind
from ..fairness import LoopBudget
from .deliveries import Deliveries, Taker, is_taken

WATCHER_LIMIT = 256


class Watcher:
    """One reader's queue. When it is full it is emptied, and the reader gets a RESET.

    While the reader waits for the next change, a taker, if it has one, takes changes in its place:
    so its task is not woken for each of them. It reads what the taker leaves, and every change that
    ends the execution.
    """

    __slots__ = (
        "_changes",
        "_closed",
        "_deliveries",
        "_latest",
        "_limit",
        "_missed",
        "_sleep",
        "_taker",
        "_waits",
    )

    def __init__(
        self, limit: int, deliveries: Deliveries, taker: Taker[Change] | None = None
    ) -> None:
        # There are thousands of them: a deque and an event would take a kilobyte more.
        self._changes: list[Change] = []
        self._latest: Change | None = None
        self._limit = limit
        self._missed = 0
        self._sleep: asyncio.Future[None] | None = None
        """While the reader waits."""
        self._closed = False
        self._deliveries = deliveries
        self._taker = taker
        self._waits = False
        """Whether the taker is to be asked, because the reader waits and nothing is unread."""

    def push(self, change: Change) -> None:
        """Never waits: a slow reader costs `limit` changes at most and slows nobody."""
        if self._missed or len(self._changes) == self._limit:
            self._missed += len(self._changes) + 1
            self._changes.clear()
        else:
            self._changes.append(change)
        self._latest = change
        if not self._waits:
            self._wake()
        elif len(self._changes) == 1:
            self._deliveries.add(self)

    def deliver(self) -> bool:
        """Lets the taker take one change; whether there is another one for it."""
        if not self._waits:
            return False
        if not self._is_taken():
            self._wake()
            return False
        del self._changes[0]
        return bool(self._changes)

    def _is_taken(self) -> bool:
        if self._missed or self._changes[0].terminal:
            return False
        return is_taken(self._changes[0], self._taker)

    def close(self) -> None:
        """What is queued is still read, then `next` returns None."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._waits = False
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)

    async def next(self) -> Change | None:
        """The oldest change that was not read yet, or the RESET that stands for the lost ones."""
        while not (self._changes or self._missed):
            if self._closed:
                return None
            self._sleep = asyncio.get_running_loop().create_future()
            self._waits = self._taker is not None
            try:
                await self._sleep
            finally:
                self._waits, self._sleep = False, None
        if self._changes:
            return self._changes.pop(0)
        return self._reset()

    def _reset(self) -> Change:
        assert self._latest is not None
        missed, self._missed = self._missed, 0
        return replace(self._latest, kind=ChangeKind.RESET, stage=None, piece=None, missed=missed)


class Hub:
    """Passes each change on to those who watch its execution."""

    def __init__(
        self, watcher_limit: int = WATCHER_LIMIT, budget: LoopBudget | None = None
    ) -> None:
        """`budget` is for what takers do."""
        self._watchers: dict[str, dict[Watcher, None]] = {}
        self._limit = watcher_limit
        self._deliveries = Deliveries(budget or LoopBudget())
        self._closed = False

    def __len__(self) -> int:
        return sum(map(len, self._watchers.values()))

    @contextmanager
    def watching(
        self, execution_id: str, limit: int | None = None, taker: Taker[Change] | None = None
    ) -> Iterator[Watcher]:
        """Everything that is published from now on reaches the watcher, until the block is left."""
        watcher = Watcher(limit or self._limit, self._deliveries, taker)
        if self._closed:
            watcher.close()
        watchers = self._watchers.setdefault(execution_id, {})
        watchers[watcher] = None
        try:
            yield watcher
        finally:
            del watchers[watcher]
            if not watchers:
                self._watchers.pop(execution_id, None)

    def publish(self, change: Change) -> None:
        for watcher in self._watchers.get(change.execution.id, ()):
            watcher.push(change)

    def close(self) -> None:
        """Every watcher, also one that comes later, ends once it has read what it has."""
        self._closed = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.close()
