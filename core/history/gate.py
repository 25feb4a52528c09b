"""Who reads a database at the moment, so that nobody does while its files change."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Interruptible(Protocol):
    """A connection."""

    def interrupt(self) -> None:
        """Ends the statement that another thread waits for, with an error."""


class Read:
    """One read. `end` may be called in any thread, before, during and after it."""

    def __init__(self) -> None:
        self.ended = False
        self._connection: Interruptible | None = None
        self._lock = threading.Lock()

    @contextmanager
    def using(self, connection: Interruptible) -> Iterator[None]:
        """
        Raises:
            InterruptedError: it was ended before it began.
        """
        with self._lock:
            self.check()
            self._connection = connection
        try:
            yield
        finally:
            # Another read may use the connection next: that one is not to be interrupted.
            with self._lock:
                self._connection = None

    def check(self) -> None:
        """For work between two statements."""
        if self.ended:
            raise InterruptedError("the read was ended")

    def end(self) -> None:
        """Nobody waits for it any more, or it has to make way; the database stops where it is."""
        with self._lock:
            self.ended = True
            if self._connection is not None:
                self._connection.interrupt()


class Gate:
    """Lets many read at a time, or nobody."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reads: set[Read] = set()
        self._shut = False

    @contextmanager
    def passed(self, read: Read) -> Iterator[None]:
        """Waits until the gate is open."""
        with self._changed:
            self._changed.wait_for(lambda: not self._shut)
            self._reads.add(read)
        try:
            yield
        finally:
            with self._changed:
                self._reads.discard(read)
                self._changed.notify_all()

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Ends what is being read, and lets nobody read until the block is left."""
        with self._changed:
            self._shut = True
            for read in self._reads:
                read.end()
            self._changed.wait_for(lambda: not self._reads)
        try:
            yield
        finally:
            with self._changed:
                self._shut = False
                self._changed.notify_all()
