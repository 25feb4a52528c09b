"""States of executions that the history has not written yet."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice

from ..execution.model import Execution


class Backlog:
    """The latest state of each execution that is to be written, the longest waiting one first."""

    def __init__(self) -> None:
        self._waiting: dict[str, Execution] = {}
        self._running: set[str] = set()
        self._confirmations: list[tuple[Execution, asyncio.Future[bool]]] = []
        self.lost = 0
        """How many ended executions were dropped since the last recovery: too many waited."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting(self) -> Mapping[str, Execution]:
        return self._waiting

    def awaited(self) -> set[str]:
        """What runs, or is to be written: if the file has no end of it, then it is to come."""
        return self._running | self._waiting.keys()

    def put(self, execution: Execution) -> None:
        """Takes the place of an earlier state."""
        self._waiting[execution.id] = execution
        if execution.status.terminal:
            self._running.discard(execution.id)
        else:
            self._running.add(execution.id)

    def batch(self, size: int) -> Sequence[Execution]:
        """What is to be written next. It stays here until it is `written`."""
        return list(islice(self._waiting.values(), size))

    def written(self, batch: Sequence[Execution]) -> None:
        """Forgets what was written, and confirms it to those who wait for it."""
        for execution in batch:
            if self._waiting.get(execution.id) is execution:
                del self._waiting[execution.id]
        sequences = {execution.id: execution.sequence for execution in batch}
        unconfirmed = []
        for wanted, future in self._confirmations:
            if sequences.get(wanted.id, 0) < wanted.sequence:
                unconfirmed.append((wanted, future))
            elif not future.done():
                future.set_result(True)
        self._confirmations = unconfirmed

    def confirmation(self, execution_id: str) -> asyncio.Future[bool]:
        """Done when what waits of the execution now has been written, or it is given up."""
        future = asyncio.get_running_loop().create_future()
        wanted = self._waiting.get(execution_id)
        if wanted is None:
            future.set_result(True)
        else:
            self._confirmations.append((wanted, future))
        return future

    def give_up(self) -> None:
        """Answers those who wait for a confirmation that none will come."""
        for _, future in self._confirmations:
            if not future.done():
                future.set_result(False)
        self._confirmations.clear()

    def trim(self, limit: int) -> None:
        """Drops what has ended, the oldest first, until no more than `limit` wait.

        What still runs stays: how much that can be is bounded elsewhere.
        """
        excess = len(self._waiting) - limit
        if excess <= 0:
            return
        ended = (one.id for one in self._waiting.values() if one.status.terminal)
        dropped = list(islice(ended, excess))
        for execution_id in dropped:
            del self._waiting[execution_id]
        self.lost += len(dropped)
