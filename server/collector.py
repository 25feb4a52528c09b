"""What Python's garbage collector looks at, and when."""

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

THRESHOLDS = (700, 10, 5)
"""A full collection comes after some 35,000 more objects, and takes about 5 ms for these."""
FEWEST = 100_000
"""So many objects are frozen, at least, before all are looked through: some 1,500 executions."""
GROWTH = 1.5
"""How much more there must be than after the last time."""


@contextmanager
def uncollected() -> Iterator[None]:
    """What is made in the block stays for as long as the process, and is never looked through.

    Modules and what they define are hardly ever garbage: to look through them again and again takes
    a sixth of the time of a start, and 80 ms of the event loop each time later on.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Collector:
    """Keeps full collections short, however many executions are in memory. A context manager.

    An execution is dozens of objects that live for minutes, none of which is garbage
    before its references have gone. Python looks through all of them whenever there are a quarter
    more, and everybody waits. Here what a full collection has left is frozen, and later ones look
    at what has come since. What has become a cycle after it was frozen stays until there is half
    as much again: then all of it is looked through. So it takes at most half as much memory, and
    the pauses that find it become rarer as they become longer.
    """

    def __init__(self, fewest: int = FEWEST) -> None:
        self._most = self._fewest = fewest
        self._frozen = self._blocks = 0
        """How many objects were frozen when they were counted, and how many blocks of memory there
        were then. To count a million takes 12 to 70 ms."""

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thresholds = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
        # The little that the start has left is garbage or stays.
        gc.collect()
        gc.freeze()
        self._count()
        gc.callbacks.append(self._after)
        return self

    def __exit__(self, *error: object) -> None:
        gc.callbacks.remove(self._after)
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def _after(self, phase: str, found: dict[str, int]) -> None:
        """Called by the collector, in the thread that it happens to run in."""
        if phase == "stop" and found["generation"] == 2:
            gc.freeze()
            # No object is taken hold of here: `gc.get_objects` has tuples that others are still
            # making, which then fail with a SystemError.
            if self._frozen_at_most > self._most:
                self._count()
            if self._frozen > self._most:
                # The collector cannot be called from here.
                self._loop.call_soon_threadsafe(self._look_through_all)

    @property
    def _frozen_at_most(self) -> int:
        """An object has a block of its own, and not every block is an object that can be in a
        cycle."""
        return self._frozen + max(0, sys.getallocatedblocks() - self._blocks)

    def _count(self) -> None:
        self._frozen, self._blocks = gc.get_freeze_count(), sys.getallocatedblocks()

    def _look_through_all(self) -> None:
        # What is left is frozen by `_after`, which need not ask for more.
        self._most = sys.maxsize
        gc.unfreeze()
        gc.collect()
        self._count()
        self._most = max(int(GROWTH * self._frozen), self._fewest)
