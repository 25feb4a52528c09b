"""Executions that change while a server is under load."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .contestants import Running

CHANGES_A_SECOND = 100


class Changes:
    """Has executions report progress, one after the other."""

    def __init__(self, server: Running, ids: list[str]) -> None:
        self._server, self._ids = server, itertools.cycle(ids)
        self._stopped = threading.Event()
        self.number = 0

    @contextmanager
    def happening(self) -> Iterator[None]:
        """A hundred a second, from a thread."""
        self._stopped.clear()
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()

    def _run(self) -> None:
        due = time.perf_counter()
        while not self._stopped.wait(max(0, due - time.perf_counter())):
            self.number += 1
            share = self.number / (self.number + 1000)
            self._server.change(f"progress {next(self._ids)} {share}")
            due += 1 / CHANGES_A_SECOND
