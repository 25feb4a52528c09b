"""A reader of the list in the same process, by a virtual clock."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

from patience import turns
from reference import shown
from runcast.core.errors import Stopping
from runcast.core.execution.events import Began, StageRetrying, StageStarted
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import Failure, Status
from runcast.core.live.listing import ExecutionsChange
from runcast.core.live.manager import ExecutionManager
from runcast.core.rate_limit import PAUSE_SECONDS
from samples import ScriptedEngine, a_pipeline, a_request
from virtual_clock import VirtualClock

FAILURE = Failure("ExitStatus", "it ended with status 1")
PIPELINE = a_pipeline("one")
RETENTION = 10.0


class Reader:
    """Reads a list and builds a mirror of it, as far as it can go without waiting."""

    def __init__(self, manager: ExecutionManager, filter: ExecutionFilter = EVERYTHING) -> None:
        self._manager, self._filter = manager, filter
        self._stream = manager.watch_list(filter)
        self._asked: asyncio.Task[ExecutionsChange] | None = None
        self.interrupted = False
        self.rows: dict[str, tuple[str, ...]] = {}
        self.counts: Mapping[Status, int] = {}
        self.cursor: str | None = None
        self.told: list[ExecutionsChange] = []
        self.times: list[float] = []
        """When each was told, in seconds of the manager's clock."""

    async def read(self, most: int = 100_000) -> list[ExecutionsChange]:
        """What there is to be told now."""
        begun = len(self.told)
        while len(self.told) - begun < most and await self._read_one():
            pass
        return self.told[begun:]

    async def cut_off(self) -> None:
        """The connection is gone."""
        if self._asked is not None:
            self._asked.cancel()
            await asyncio.wait([self._asked])
            self._asked = None
        await self._stream.aclose()

    async def resume(self) -> None:
        await self.cut_off()
        self._stream = self._manager.watch_list(self._filter, self.cursor)

    def is_right(self) -> bool:
        """Whether the mirror is what a query answers."""
        rows = {one.id: shown(one) for one in self._manager.list(self._filter)}
        every = Counter(one.status for one in self._manager.list(self._filter.of_any_status()))
        return self.rows == rows and self.counts == {one: every[one] for one in Status}

    async def _read_one(self) -> bool:
        self._asked = self._asked or asyncio.create_task(_next(self._stream))
        await turns(2)
        if not self._asked.done():
            return False
        asked, self._asked = self._asked, None
        try:
            self._take(asked.result())
        except Stopping:
            self.interrupted = True
        return not self.interrupted

    def _take(self, change: ExecutionsChange) -> None:
        self.told.append(change)
        self.times.append(self._manager.clock.monotonic())
        self.counts = change.counts
        self.cursor = str(self._manager.list_cursor(change.version))
        if change.kind == "RESET":
            self.rows.clear()
        elif change.kind == "LEFT" and change.execution is not None:
            self.rows.pop(change.execution.id, None)
        elif change.execution is not None:
            self.rows[change.execution.id] = shown(change.execution)


async def _next(stream: AsyncGenerator[ExecutionsChange, None]) -> ExecutionsChange:
    return await anext(stream)


@asynccontextmanager
async def managing(clock: VirtualClock) -> AsyncIterator[ExecutionManager]:
    async with ExecutionManager(ScriptedEngine(), clock, retention=RETENTION) as manager:
        yield manager


@asynccontextmanager
async def reading(
    manager: ExecutionManager, filter: ExecutionFilter = EVERYTHING
) -> AsyncIterator[Reader]:
    """A reader that has caught up."""
    reader = Reader(manager, filter)
    await reader.read()
    yield reader
    await reader.cut_off()


async def running(manager: ExecutionManager) -> str:
    id = (await manager.start(a_request(), PIPELINE)).execution.id
    manager.apply(Began(id, 1))
    manager.apply(StageStarted(id, 1, 0))
    return id


def change(manager: ExecutionManager, *ids: str) -> None:
    """A change that is mere progress."""
    for id in ids:
        manager.apply(StageRetrying(id, 1, 0, FAILURE, 2000))


async def settled(reader: Reader, clock: VirtualClock, rounds: int = 200) -> None:
    """Returns when the reader is told of nothing more."""
    for _ in range(rounds):
        clock.advance(PAUSE_SECONDS)
        await reader.read()
