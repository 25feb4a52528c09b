"""Writes states of executions in a task of its own, and tries again when it cannot."""

import asyncio
import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple

from ..execution.model import Execution
from .backlog import Backlog
from .identity import Replaced
from .store import AT_ONCE, HistoryStore, reason_of

logger = logging.getLogger("runcast.history")

PATIENCE_SECONDS = 2.0
GATHERING_SECONDS = 0.025
"""How long after a write a state may wait for the next one to take its place, if nobody waits for
it: an execution of many short stages is not written once for each of their moves."""
CLOSE_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
LOOK_SECONDS = 1.0
"""How often it is made sure that the database is there, when nothing is to be written."""
PRUNING_SECONDS = 60.0
PRUNING_ENDS = 100
"""When the bounds are looked at: after so long, after so many ends, or sooner in a quiet moment."""
SWEEPING_SECONDS = 3600.0
"""How often files are looked for of which others have removed the record."""
SWEPT_AT_ONCE = 50
"""To remove the files of so many takes no longer than others can wait."""
BACKLOG_LIMIT = 1000
"""How many executions may wait while nothing can be written.

While it can there is no limit of its own: what waits has only just ended, and is in memory
with or without the history.
"""

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is stored: the executions that ended last, and none that ended too long ago.

    `max_bytes` is how large the database may be.
    """

    max_records: int
    max_age_seconds: float
    max_bytes: int | None = None


class HistoryWriter:
    """One task decides what is written, one thread writes it.

    `problem` says why nothing can be written at the moment. Until it can, the task tries again and
    again, and the latest states wait in the backlog. If the file was removed or replaced, those of
    all executions that have not `departed` are written anew.
    """

    def __init__(self, store: HistoryStore, bounds: Bounds) -> None:
        self.backlog = Backlog()
        self._store = store
        self._bounds = bounds
        self._held: dict[str, Execution] = {}
        """The latest states of those that are in memory with or without the history."""
        self._lost: set[str] = set()
        """Those of them that were in a file that has gone, and are not in the new one yet."""
        self._rewriting = False
        self._damage: str | None = None
        self._reason: str | None = None
        self._thread = ThreadPoolExecutor(1, "runcast-history-writer")
        self._wake = asyncio.Event()
        self._wake_timer: asyncio.TimerHandle | None = None
        self._gathers_until = 0.0
        self._closing = asyncio.Event()
        self._unsettled = True
        self._unswept: list[str] = []
        """Executions of which there are files and perhaps no record."""
        self._next_sweeping = math.inf
        self._unpruned = 0
        self._next_pruning = 0.0

    @property
    def problem(self) -> str | None:
        """What is wrong, for people; None while all is well."""
        if self._reason is None or not self.backlog.lost:
            return self._reason
        return f"{self._reason}; {self.backlog.lost} ended executions were dropped"

    async def open(self) -> None:
        """Returns when the file is in order, or once it is known not to be."""
        if not await self._succeeds() and await self._in_thread(self._store.is_new):
            await self._succeeds()
        while self._unsettled and await self._succeeds():
            pass
        await self._find_unswept()
        self._task = asyncio.create_task(self._writing(), name="runcast history")

    def note(self, execution: Execution) -> None:
        """See `History.note`."""
        self._held[execution.id] = execution
        self.backlog.put(execution)
        self._trim()
        loop = asyncio.get_running_loop()
        if execution.status.terminal or loop.time() >= self._gathers_until:
            self._wake.set()
        elif self._wake_timer is None:
            self._wake_timer = loop.call_at(self._gathers_until, self._wake.set)

    def departed(self, execution_id: str) -> None:
        """See `History.departed`."""
        self._held.pop(execution_id, None)
        self._trim()

    def look(self) -> None:
        """Makes sure soon that the file is there."""
        self._wake.set()

    def rebuild(self, damage: str) -> None:
        """Has the file rebuilt soon: what is damaged in it is more than a record."""
        self._damage = damage
        self._wake.set()

    async def committed(self, execution_id: str) -> bool:
        """See `History.committed`."""
        if execution_id not in self.backlog.waiting:
            return True
        if self._reason is not None and not self._rewriting:
            return False
        confirmation = self.backlog.confirmation(execution_id)
        self._wake.set()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await confirmation
        except TimeoutError:
            self._degrade(f"nothing could be written within {PATIENCE_SECONDS} s")
            return False

    async def close(self) -> None:
        """Writes what waits, for `CLOSE_SECONDS` at most, and ends the task and the thread."""
        self._closing.set()
        self._wake.set()
        await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
        self._task.cancel()
        self._store.interrupt()
        await asyncio.wait([self._task])
        self.backlog.give_up()
        if missing := len(self.backlog) + self.backlog.lost:
            logger.error("the end of %d executions is missing in the history", missing)
        await self._in_thread(self._store.close)
        self._thread.shutdown()

    async def _writing(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while self.backlog or not self._closing.is_set():
            if await self._succeeds():
                pause = FIRST_PAUSE_SECONDS
                await self._something_to_do()
            else:
                await self._rest(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _succeeds(self) -> bool:
        try:
            await self._work()
        except Replaced as error:
            self._begin_anew(str(error))
            return False
        except Exception as error:
            # Whatever it is: the history must come back, and the executions go on without it.
            self._degrade(reason_of(error))
            return False
        self._recover()
        return True

    async def _work(self) -> None:
        """A transaction's worth of what there is to do."""
        self._sleep_again()
        if self._damage is not None:
            await self._in_thread(self._store.rebuild, self._damage)
        if batch := self.backlog.batch(AT_ONCE):
            await self._in_thread(self._store.write, batch)
            self.backlog.written(batch)
            self._lost.difference_update(one.id for one in batch)
            self._gathers_until = asyncio.get_running_loop().time() + GATHERING_SECONDS
            self._unpruned += sum(one.status.terminal for one in batch)
            if len(batch) == AT_ONCE:
                self._wake.set()
        else:
            await self._in_thread(self._store.look)
        if self._unsettled:
            self._unsettled = await self._in_thread(self._store.settle, self.backlog.awaited())
        if self._pruning_is_due():
            await self._prune()
        if asyncio.get_running_loop().time() >= self._next_sweeping:
            await self._find_unswept()
        if self._unswept:
            await self._in_thread(self._store.sweep, self._unswept[:SWEPT_AT_ONCE])
            del self._unswept[:SWEPT_AT_ONCE]

    async def _find_unswept(self) -> None:
        owners = await self._in_thread(self._store.owners)
        # Of what runs, the files may be there before the record.
        self._unswept = [
            id for id in owners if id not in self._held and id not in self.backlog.waiting
        ]
        if self._store.shared:
            self._next_sweeping = asyncio.get_running_loop().time() + SWEEPING_SECONDS

    async def _prune(self) -> None:
        bounds = self._bounds
        more = await self._in_thread(
            self._store.prune, bounds.max_records, bounds.max_age_seconds, bounds.max_bytes
        )
        self._unpruned = PRUNING_ENDS if more else 0
        self._next_pruning = asyncio.get_running_loop().time() + PRUNING_SECONDS

    def _pruning_is_due(self) -> bool:
        late = asyncio.get_running_loop().time() >= self._next_pruning
        return late or self._unpruned >= (PRUNING_ENDS if self.backlog else 1)

    def _sleep_again(self) -> None:
        """To be called before anything is taken of the backlog: what comes then wakes anew."""
        self._wake.clear()
        if self._wake_timer is not None:
            self._wake_timer.cancel()
            self._wake_timer = None

    async def _something_to_do(self) -> None:
        if self._unsettled or self._unswept or self._pruning_is_due() or self._closing.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._wake.wait()

    async def _rest(self, seconds: float) -> None:
        if self._closing.is_set():
            await asyncio.sleep(FIRST_PAUSE_SECONDS)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    def _degrade(self, reason: str) -> None:
        if reason != self._reason:
            logger.warning("the history at %s cannot be written: %s", self._store.place, reason)
        self._reason, self._rewriting = reason, False
        self.backlog.give_up()
        self._trim()

    def _begin_anew(self, reason: str) -> None:
        """Whoever waits for a confirmation goes on to wait: it comes with the next file."""
        logger.error("%s: the %d executions in the lists are written anew", reason, len(self._held))
        self._reason, self._rewriting, self._damage = reason, True, None
        self._lost = set(self._held)
        for execution in self._held.values():
            self.backlog.put(execution)
        # Of what is open in another file nothing runs but what is in the backlog.
        self._unsettled = True

    def _trim(self) -> None:
        """What is in memory in any case need not be dropped to bound what waits."""
        if self._reason is not None:
            self.backlog.trim(BACKLOG_LIMIT + (len(self._held) if self._lost else 0))

    def _recover(self) -> None:
        if self._reason is None or not self._lost.isdisjoint(self.backlog.waiting):
            return
        self._lost, self._rewriting = set(), False
        lost, self.backlog.lost = self.backlog.lost, 0
        missing = f"; {lost} ended executions are missing in it" if lost else ""
        logger.warning("the history is written again%s", missing)
        self._reason = None
        # Of those that were dropped, the start may be there without its end.
        self._unsettled = self._unsettled or lost > 0

    async def _in_thread(
        self, act: Callable[[*Arguments], Result], *arguments: *Arguments
    ) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, act, *arguments)
