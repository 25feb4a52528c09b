"""The one owner of all live executions: starts, cancels, lists and watches them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Self

from ..clock import Clock
from ..errors import (
    AlreadyEnded,
    CapacityReached,
    Conflict,
    EventsMissing,
    NotFound,
    RuncastError,
    Unavailable,
)
from ..execution.change import Change
from ..execution.cursor import Cursor
from ..execution.events import ChangeKind, Event
from ..execution.filter import EVERYTHING, ExecutionFilter
from ..execution.model import Execution, Status
from ..execution.transition import applied
from ..fairness import LoopBudget
from ..pipelines.pipeline import Pipeline
from .deliveries import Taker
from .derived import Derived
from .engine import Engine
from .feed import Feed
from .follower import Follower, OwnFiles
from .hub import WATCHER_LIMIT
from .idempotency import IdempotencyKeys, Past
from .launch import launched, pending, taken_over
from .listing import ExecutionsChange
from .request import RETRY_KEY_PATH, StartRequest, checked_key, checked_reason
from .ring import RING_SIZE
from .store import Store

RETENTION_SECONDS = 300.0
MEMORY_BYTES = 512 << 20
LONGEST_SLEEP_SECONDS = 10.0
"""A sleep does not count the time in which the machine is suspended, and the retention does."""


@dataclass(frozen=True, slots=True)
class Started:
    """Result of a start; `existing`: an earlier one with the same idempotency key started it.

    `stored` is false where the start could not be stored: it would be lost with this process.
    """

    execution: Execution
    existing: bool = False
    stored: bool = True


class ExecutionManager:
    """Owns every execution that runs, waits or has ended within the retention.

    `apply` is the only place where an execution changes. An async context manager: inside of it the
    engine runs and ended executions leave on time.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        retention: float = RETENTION_SECONDS,
        followers: Sequence[Follower] = (),
        watcher_limit: int = WATCHER_LIMIT,
        ring_size: int = RING_SIZE,
        memory: int = MEMORY_BYTES,
        files: OwnFiles | None = None,
        past: Past | None = None,
    ) -> None:
        """`memory` is how many bytes the executions may take together when another one starts."""
        self.engine = engine
        self.clock = clock
        self.retention = retention
        self.closing = False
        self._followers = followers
        self._store = Store(ring_size)
        self._memory = memory
        self._files = files
        self.loop_budget = LoopBudget()
        self._feed = Feed(self._store, clock, lambda: self.epoch, watcher_limit, self.loop_budget)
        self._keys = IdempotencyKeys(self._store, past)
        self._leaving: list[tuple[float, str]] = []
        """Ended executions and when they are to leave (monotonic seconds): a heap."""
        self._someone_leaves = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.engine.open(self)
        self._sweeper = asyncio.create_task(self._sweeping(), name="runcast sweeper")
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close(grace=0)
        self._sweeper.cancel()
        await asyncio.wait([self._sweeper])

    async def close(self, grace: float) -> None:
        """Starts nothing more, gives what runs `grace` seconds, then ends it and every watch.

        Without any grace, stages that are cancelled have none of their own either.

        A further call, with less grace, hastens the end; each returns when it has come.
        """
        self.closing = True
        try:
            await self.engine.close(grace)
        finally:
            self._feed.close()

    # Reading

    @property
    def epoch(self) -> str:
        """Names the log that cursors of an execution are of."""
        return self.engine.epoch

    def get(self, execution_id: str) -> Execution:
        """The execution as it is now.

        Raises:
            NotFound: it never was, or has left.
        """
        execution = self._store.get(execution_id)
        if execution is None:
            raise NotFound("Execution not found", path=["id"])
        return execution

    def list(
        self, filter: ExecutionFilter = EVERYTHING, limit: int | None = None
    ) -> Sequence[Execution]:
        """What runs, waits or has ended within the retention, newest first."""
        found = filter.matching(self._store.newest_first(filter.statuses))
        return found if limit is None else found[:limit]

    @property
    def counts(self) -> Mapping[Status, int]:
        """How many executions have each status."""
        return self._store.counts

    def cursor(self, execution: Execution) -> Cursor:
        """Where to resume watching an execution from, having seen it as it is here."""
        return Cursor(self.epoch, execution.sequence)

    @property
    def stale(self) -> bool:
        """Whether something may have happened that is not known here yet."""
        return self.engine.stale

    def list_cursor(self, version: int | None = None) -> Cursor:
        """Where to resume watching the list from, having seen it as it is now, or at `version`."""
        return Cursor(self._store.epoch, self._store.version if version is None else version)

    def expires_at(self, execution: Execution) -> int | None:
        """When an ended execution leaves, in epoch ms; None while it runs."""
        if execution.ended_at is None:
            return None
        return execution.ended_at + int(self.retention * 1000)

    @property
    def subscribers(self) -> int:
        """How many watches there are now, of single executions and of the list."""
        return len(self._feed)

    @property
    def derived(self) -> Derived:
        """What readers have made of the executions."""
        return self._store.derived

    # Acting

    async def start(self, request: StartRequest, pipeline: Pipeline) -> Started:
        """A new execution, visible to every reader before this returns.

        Raises:
            CapacityReached: too many run and wait already.
            Unavailable: the server is stopping, or whether the idempotency key belongs to an
                execution cannot be found out now.
            Conflict: the idempotency key belongs to another request.
        """
        return await self._start(request, pipeline)

    async def retry(
        self,
        old: Execution,
        pipeline: Pipeline,
        from_stage: str | None = None,
        idempotency_key: str | None = None,
    ) -> Started:
        """A new execution with the same input, labels and options.

        With `from_stage`, the results of the stages before it are reused.

        Raises:
            NotFound: the pipeline has no such stage.
            Conflict: a stage before `from_stage` was not completed, or is another one now; or the
                idempotency key belongs to another request.
            InvalidInput: the idempotency key is invalid.
            CapacityReached, Unavailable: as in `start`.
        """
        request = StartRequest(
            pipeline.id,
            old.input,
            old.labels,
            old.options,
            checked_key(idempotency_key, RETRY_KEY_PATH),
            retry_of=old.id,
            from_stage=from_stage,
            input_preview=old.input_preview,
        )
        return await self._start(request, pipeline, old)

    async def cancel(
        self, execution_id: str, reason: str | None = None, *, forced: bool = False
    ) -> Execution:
        """Stops the running stage. `forced` skips the grace period, also of an earlier cancel.

        Raises:
            NotFound: no such execution.
            AlreadyEnded: it has its final status.
            Conflict: it is being cancelled already, and this is no harder than before.
            InvalidInput: the reason is too long, or not valid text.
        """
        now = self.get(execution_id)
        if now.status.terminal:
            raise AlreadyEnded(f"the execution has already ended as {now.status}", path=["id"])
        if now.status is Status.CANCELLING and (_is_forced(now) or not forced):
            hint = "" if _is_forced(now) else "; use force to skip the grace period"
            raise Conflict(f"the execution is being cancelled already{hint}", path=["id"])
        await self.engine.cancel(execution_id, checked_reason(reason), forced=forced)
        return self.get(execution_id)

    def apply(self, event: Event, sequence: int | None = None) -> Execution:
        """Applies an event: the one place where an execution changes.

        `sequence` is the number that the event has in its execution, from a log that may repeat
        itself: what was applied already changes nothing. None: it is the next one.

        Raises:
            NotFound: the execution of the event is not live.
            IllegalMove: it cannot happen to that execution; nothing was changed.
            EventsMissing: there are events before it that never came; nothing was changed.
        """
        before = self._store.get(event.execution_id)
        if sequence is not None:
            known = 0 if before is None else before.sequence
            if before is not None and sequence <= known:
                return before
            if sequence > known + 1:
                missing = f"{known + 1} to {sequence - 1}"
                raise EventsMissing(f"events {missing} of {event.execution_id} are missing")
        after = applied(event, before)
        self._store.put(event, after)
        self._keys.note(after)
        self._feed.publish(Change.of(event, after), None if before is None else before.status)
        if event.is_kept:
            for follower in self._followers:
                follower.note(after)
        self._let_leave(after, self.retention if sequence is None else self._retention_left(after))
        return after

    def restore(self, execution: Execution) -> None:
        """Takes an execution in as it is, without its events: one from before this process, or of
        which some are missing. Who watches it gets a RESET.

        What is known already changes nothing, and what should have left departs. Lists have
        executions in the order in which they came: the oldest is to come first.
        """
        before = self._store.get(execution.id)
        if before is not None and execution.sequence <= before.sequence:
            return
        if before is None and self._retention_left(execution) <= 0:
            for follower in self._followers:
                follower.departed(execution.id)
            return
        self._store.restore(execution)
        self._keys.note(execution)
        reset = Change(ChangeKind.RESET, execution, self.clock.now())
        self._feed.publish(reset, None if before is None else before.status)
        for follower in self._followers:
            follower.note(execution)
        self._let_leave(execution, self._retention_left(execution))

    def _let_leave(self, execution: Execution, seconds: float) -> None:
        """So many seconds from now, if it has ended."""
        if execution.status.terminal:
            heappush(self._leaving, (self.clock.monotonic() + seconds, execution.id))
            self._someone_leaves.set()

    def _retention_left(self, execution: Execution) -> float:
        """Seconds from now on; those who say when it has ended may have another clock."""
        if execution.ended_at is None:
            return self.retention
        since = (self.clock.now() - execution.ended_at) / 1000
        return self.retention - max(0.0, since)

    async def persisted(self, execution_id: str) -> bool:
        """Whether every follower has stored its latest state of an execution, or had no need to.

        Returns once they have, or have given up.
        """
        stored = [await follower.committed(execution_id) for follower in self._followers]
        return False not in stored

    # Watching

    def watch(
        self,
        execution_id: str,
        after: str | None = None,
        *,
        limit: int | None = None,
        taker: Taker[Change] | None = None,
    ) -> AsyncGenerator[Change, None]:
        """The state, then every change in order, until the execution has ended.

        The first change is a SNAPSHOT. With `after`, the cursor of an earlier change, the changes
        that followed it come instead, or a RESET with the state if they are no longer known: this
        process knows the latest RING_SIZE changes of an execution. At most `limit` changes wait
        for a slow reader; for one that needs only the latest state, 1 is enough. Changes that the
        `taker` takes, when there is nothing to be read before them, do not come.

        Raises:
            NotFound: no such execution.
            InvalidInput: `after` is not a cursor.
            Stopping: from the generator; the server stops, and the execution has not ended.
        """
        self.get(execution_id)
        cursor = None if after is None else Cursor.parse(after)
        return self._feed.watch(execution_id, cursor, limit, taker)

    def watch_list(
        self,
        filter: ExecutionFilter = EVERYTHING,
        after: str | None = None,
        taker: Taker[ExecutionsChange] | None = None,
    ) -> AsyncGenerator[ExecutionsChange, None]:
        """ENTERED for each that matches, CAUGHT_UP, then what happens to the list.

        At most `feed.MESSAGES_PER_SECOND` changes a second are sent, after a burst: of an
        execution that changes faster the latest state, once. Those that enter, leave or change
        their status go before mere progress. CAUGHT_UP is sent again, when there is nothing else
        to send, if only the counts have changed.

        With `after`, the cursor of an earlier change, only what is new since then is sent before
        CAUGHT_UP, or RESET and everything if that is no longer known. What is new may be ENTERED
        for an execution that is in the reader's list, UPDATED or LEFT for one that is not. Changes
        that the `taker` takes, when there is nothing to be read before them, do not come.

        Raises:
            InvalidInput: `after` is not a cursor.
            Stopping: from the generator, whose one end this is.
        """
        cursor = None if after is None else Cursor.parse(after)
        return self._feed.watch_list(filter, cursor, taker)

    # Behind the scenes

    async def _start(
        self, request: StartRequest, pipeline: Pipeline, old: Execution | None = None
    ) -> Started:
        if self.closing:
            raise Unavailable("the server is stopping and accepts no new executions")
        async with self._keys.turn(request.idempotency_key):
            existing = await self._keys.find(request)
            if existing is not None:
                return await self._acknowledged(existing, existing=True)
            execution = self._launched(request, pipeline, old)
            started = await self._submitted(execution, pipeline)
        return await self._acknowledged(started, existing=started.id != execution.id)

    def _launched(
        self, request: StartRequest, pipeline: Pipeline, old: Execution | None
    ) -> Execution:
        stages = pending(pipeline)
        if old is not None and request.from_stage is not None:
            stages = taken_over(old, stages, request.from_stage)
        self._check_memory()
        return launched(request, pipeline, stages, self.clock.now())

    async def _submitted(self, execution: Execution, pipeline: Pipeline) -> Execution:
        """The execution that the engine has begun: this, or an earlier one with the same key."""
        if self._files is not None:
            execution = await self._files.own(execution)
        try:
            started = await self.engine.submit(execution, pipeline)
        except RuncastError:
            await self._disown(execution.id)
            raise
        if started == execution.id:
            return execution
        await self._disown(execution.id)
        found = self._store.get(started)
        if found is None:
            raise Unavailable("the execution with that idempotency key has just left; try again")
        return found

    async def _disown(self, execution_id: str) -> None:
        if self._files is not None:
            await self._files.disown(execution_id)

    def _check_memory(self) -> None:
        if self._store.weight >= self._memory:
            raise CapacityReached(
                f"the executions in memory take {self._store.weight >> 20} MiB, and "
                f"{self._memory >> 20} MiB is the limit (--memory); try again when some have "
                "left the lists"
            )

    async def _acknowledged(self, execution: Execution, *, existing: bool) -> Started:
        # A client that has the id finds the execution again, whatever happens to this process.
        stored = await self.persisted(execution.id)
        # With a short retention it may have left by now.
        return Started(self._store.get(execution.id) or execution, existing, stored)

    def sweep(self) -> None:
        """Forgets what ended longer than the retention ago."""
        while self._leaving and self._leaving[0][0] <= self.clock.monotonic():
            _, execution_id = heappop(self._leaving)
            execution = self._store.remove(execution_id)
            self._keys.forget(execution)
            self._feed.publish_departure(execution)
            for follower in self._followers:
                follower.departed(execution_id)

    async def _sweeping(self) -> None:
        while True:
            while not self._leaving:
                self._someone_leaves.clear()
                await self._someone_leaves.wait()
            due_in = self._leaving[0][0] - self.clock.monotonic()
            await self.clock.sleep(min(due_in, LONGEST_SLEEP_SECONDS))
            self.sweep()


def _is_forced(execution: Execution) -> bool:
    return execution.cancellation is not None and execution.cancellation.forced
