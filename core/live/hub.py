"""Passes changes on to bounded watchers of one execution each."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ..execution.change import Change
from ..execution.events import ChangeKind

WATCHER_LIMIT = 256


class Watcher:
    """One reader's queue. When it is full it is emptied, and the reader gets a RESET."""

    __slots__ = ("_changes", "_closed", "_latest", "_limit", "_missed", "_ready")

    def __init__(self, limit: int) -> None:
        self._changes: deque[Change] = deque()
        self._latest: Change | None = None
        self._limit = limit
        self._missed = 0
        self._ready = asyncio.Event()
        self._closed = False

    def push(self, change: Change) -> None:
        """Never waits: a slow reader costs `limit` changes at most and slows nobody."""
        if self._missed or len(self._changes) == self._limit:
            self._missed += len(self._changes) + 1
            self._changes.clear()
        else:
            self._changes.append(change)
        self._latest = change
        self._ready.set()

    def close(self) -> None:
        """What is queued is still read, then `next` returns None."""
        self._closed = True
        self._ready.set()

    async def next(self) -> Change | None:
        """The oldest change that was not read yet, or the RESET that stands for the lost ones."""
        while not (self._changes or self._missed):
            if self._closed:
                return None
            self._ready.clear()
            await self._ready.wait()
        if self._changes:
            return self._changes.popleft()
        return self._reset()

    def _reset(self) -> Change:
        assert self._latest is not None
        missed, self._missed = self._missed, 0
        return replace(self._latest, kind=ChangeKind.RESET, stage=None, piece=None, missed=missed)


class Hub:
    """Passes each change on to those who watch its execution."""

    def __init__(self, watcher_limit: int = WATCHER_LIMIT) -> None:
        self._watchers: dict[str, set[Watcher]] = {}
        self._limit = watcher_limit
        self._closed = False

    def __len__(self) -> int:
        return sum(map(len, self._watchers.values()))

    @contextmanager
    def watching(self, execution_id: str, limit: int | None = None) -> Iterator[Watcher]:
        """Everything that is published from now on reaches the watcher, until the block is left."""
        watcher = Watcher(limit or self._limit)
        if self._closed:
            watcher.close()
        watchers = self._watchers.setdefault(execution_id, set())
        watchers.add(watcher)
        try:
            yield watcher
        finally:
            watchers.discard(watcher)
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
