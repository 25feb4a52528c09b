"""The engine of a process that starts, shows and cancels what workers run, wherever they are."""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from ...clock import Clock
from ...errors import (
    AlreadyEnded,
    CapacityReached,
    EventsMissing,
    IllegalMove,
    NotFound,
    Unavailable,
)
from ...execution.events import CancelRequested, Submitted
from ...execution.model import Execution, Status
from ...execution.transition import applied
from ...live.engine import Receiver
from ...live.idempotency import belongs_to_another
from ...live.request import key_path
from ...pipelines.pipeline import Pipeline
from ..tasks import ended
from .broker import PATIENCE_SECONDS, Broker, CancelFlag, Claim, Entry, Record, Superseded
from .sightings import Sightings

PAUSE_SECONDS = 0.1
CLAIM_SECONDS = 1.0
"""Whoever has claimed an idempotency key has created the execution by then, or has gone."""
QUEUE = 1000
STORED_SECONDS = 10.0
"""How often it is looked whether an end is in the history by now."""
WITHDRAWN = "its start was refused, as the broker did not answer in time"

Value = TypeVar("Value")

logger = logging.getLogger("runcast.engine")


class ClusterEngine:
    """Writes records for workers, and reads the log of all for the manager of this process.

    Implements `Engine`, for the broker `LogReader`, and `Follower`: the record of an execution
    goes when that has left the lists.
    """

    name = "cluster"

    def __init__(
        self, broker: Broker, clock: Clock, *, queue: int = QUEUE, has_history: bool = False
    ) -> None:
        """At most `queue` executions of the cluster wait, as far as this process knows. With a
        history, records go only when their end is in there."""
        self._broker = broker
        self._clock = clock
        self._queue = queue
        self._has_history = has_history
        self._has_read = False
        self._terms: dict[str, int] = {}
        """Of those that run, the latest term that is known: what an older one says is void."""
        self._missing: set[str] = set()
        """Of which there are events that the latest read may not have had."""
        self._sightings = Sightings()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def epoch(self) -> str:
        return self._broker.epoch

    @property
    def stale(self) -> bool:
        return not (self._has_read and self._broker.available)

    @property
    def problem(self) -> str | None:
        """Why what is shown may be old; None while all is well."""
        return "the broker is away, or not all of it is read yet" if self.stale else None

    async def open(self, receiver: Receiver) -> None:
        """Returns at once; it is stale until the broker has been there."""
        self._receiver = receiver
        self._spawn("follow", self._broker.follow(self))

    async def close(self, grace: float) -> None:
        """What runs goes on, elsewhere."""
        await ended(*self._tasks.values())

    def note(self, execution: Execution) -> None:
        """The broker has it already."""

    async def committed(self, execution_id: str) -> None:
        """Nothing is waited for: what is known here is stored."""

    def departed(self, execution_id: str) -> None:
        """Its record goes."""
        self._spawn(f"remove {execution_id}", self._remove(execution_id))

    async def _remove(self, execution_id: str) -> None:
        # Each replica tries, and one that starts later.
        with suppress(Unavailable):
            while self._has_history and not await self._is_stored(execution_id):
                await self._clock.sleep(STORED_SECONDS)
            await self._broker.remove(execution_id)

    async def _is_stored(self, execution_id: str) -> bool:
        """Whether its end is in the history, or its record is gone already."""
        stored = await self._broker.read(execution_id)
        return stored is None or stored.record.stored

    # Starting

    async def submit(self, execution: Execution, pipeline: Pipeline) -> str:
        queued = self._receiver.counts[Status.QUEUED]
        if queued >= self._queue:
            raise CapacityReached(
                f"{queued} executions wait, which is the limit (--queue); try again "
                "when some have begun"
            )
        try:
            return await _in_time(self._begun_once(execution))
        except Unavailable:
            self._spawn(f"withdraw {execution.id}", self._withdraw(execution.id))
            raise

    async def _begun_once(self, execution: Execution) -> str:
        """The id of the execution that has the idempotency key: this, unless another was first."""
        key = execution.start_key
        if key is not None:
            claim = await self._claimed(key.key, Claim(execution.id, key.digest))
            if claim.digest != key.digest:
                raise belongs_to_another(claim.execution_id, key_path(execution.retry_of))
            if claim.execution_id != execution.id:
                return claim.execution_id
        await self._begin(execution)
        return execution.id

    async def _claimed(self, key: str, ours: Claim) -> Claim:
        """Who has the key; if not we, that execution is known here by now."""
        until = self._clock.monotonic() + CLAIM_SECONDS
        while (claim := await self._broker.claim(key, ours)) != ours:
            stored = await self._broker.read(claim.execution_id)
            if stored is not None:
                self._restore(stored.record)
                return claim
            if self._clock.monotonic() > until:
                await self._broker.unclaim(key, claim)
            await self._clock.sleep(PAUSE_SECONDS)
        return claim

    async def _begin(self, execution: Execution) -> None:
        event = Submitted(execution.id, execution.started_at, execution)
        with self._sightings.expected(execution.id, lambda now: True) as sighting:
            # It is there from its record on: nobody runs what was offered and has none.
            await self._broker.offer(execution.id)
            await self._broker.create(Record(execution))
            await self._broker.append([Entry(event, execution.sequence, 0)])
            await sighting.wait()

    async def _withdraw(self, execution_id: str) -> None:
        """What was refused does not run later, if its record was stored after all."""
        while True:
            try:
                await self._ask(execution_id, CancelFlag(WITHDRAWN, forced=True))
            except Unavailable:
                await self._clock.sleep(PAUSE_SECONDS)
            except (NotFound, AlreadyEnded):
                return
            else:
                return

    # Cancelling

    async def cancel(self, execution_id: str, reason: str | None, *, forced: bool) -> None:
        await _in_time(self._cancelled(execution_id, CancelFlag(reason, forced)))

    async def _cancelled(self, execution_id: str, flag: CancelFlag) -> None:
        def is_cancelled(now: Execution) -> bool:
            asked = now.cancellation
            return now.status.terminal or (asked is not None and asked.forced >= flag.forced)

        with self._sightings.expected(execution_id, is_cancelled) as sighting:
            await self._ask(execution_id, flag)
            await sighting.wait()

    async def _ask(self, execution_id: str, flag: CancelFlag) -> None:
        """Writes the flag into the record, for whoever runs it; what nobody runs ends here.

        Raises:
            NotFound: there is no record of it.
            AlreadyEnded: it has its final status.
        """
        while True:
            stored = await self._broker.read(execution_id)
            if stored is None:
                raise NotFound("Execution not found", path=["id"])
            now = stored.record.execution
            if now.status.terminal:
                raise AlreadyEnded(f"the execution has already ended as {now.status}", path=["id"])
            with suppress(Superseded):
                if stored.record.term:
                    await self._broker.write(replace(stored.record, cancel=flag), stored.revision)
                    await self._broker.signal(execution_id)
                else:
                    event = CancelRequested(now.id, self._clock.now(), flag.reason, flag.forced)
                    after = applied(event, now)
                    await self._broker.write(
                        replace(stored.record, execution=after), stored.revision
                    )
                    await self._broker.append([Entry(event, after.sequence, 0)])
                return

    # What the broker tells

    def restore(self, records: Sequence[Record]) -> None:
        for record in sorted(records, key=lambda one: one.execution.started_at):
            self._restore(record)
        self._has_read = True

    def take(self, entry: Entry) -> None:
        id = entry.event.execution_id
        if entry.term < self._terms.get(id, 0):
            return
        self._terms[id] = entry.term
        try:
            now = self._receiver.apply(entry.event, entry.sequence)
        except (EventsMissing, IllegalMove, NotFound):
            self._missing.add(id)
            self._spawn(id, self._reload(id))
        else:
            self._sighted(now)

    async def _reload(self, execution_id: str) -> None:
        while execution_id in self._missing:
            self._missing.discard(execution_id)
            try:
                stored = await self._broker.read(execution_id)
            except Unavailable:
                self._missing.add(execution_id)
                await self._clock.sleep(PAUSE_SECONDS)
            else:
                if stored is not None:
                    self._restore(stored.record)

    def _restore(self, record: Record) -> None:
        self._terms[record.execution.id] = record.term
        self._receiver.restore(record.execution)
        self._sighted(record.execution)

    def _sighted(self, now: Execution) -> None:
        self._sightings.note(now)
        if now.status.terminal:
            self._terms.pop(now.id, None)

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """In the background, unless work of that name is being done already."""
        if name in self._tasks:
            work.close()
            return
        self._tasks[name] = asyncio.create_task(work, name=name)
        self._tasks[name].add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task.get_name()]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s has failed", task.get_name(), exc_info=error)


async def _in_time(work: Awaitable[Value]) -> Value:
    """
    Raises:
        Unavailable: the broker has not answered in time.
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await work
    except TimeoutError:
        raise Unavailable("the broker does not answer; try again later") from None
