"""The events of one run: numbered, kept, and said to all."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from ...clock import Clock
from ...errors import InvalidInput, Unavailable
from ...execution.events import CancelRequested, Ended, Event
from ...execution.model import EndReason, Execution, Failure, Status
from ...execution.transition import applied
from .broker import Broker, Entry, Record, Stored, Superseded

JUMP = 10_000
"""What a new holder leaves out of the numbers. The one before it may have said more than it kept:
the output of a few seconds. Replicas see the gap, and read the record."""
PAUSE_SECONDS = 0.1
MOST_AT_ONCE = 100


class Ledger:
    """A sink that takes every event at once, and brings it to the broker in order.

    The state is kept before the event is said. While the broker is away, events wait here, and the
    run goes on. Once the record is somebody else's, nothing more is taken.
    """

    def __init__(self, broker: Broker, stored: Stored, clock: Clock) -> None:
        """`stored` is the record with our term in it."""
        self._broker = broker
        self._clock = clock
        self._record, self._revision = stored
        self.execution = stored.record.execution
        self._unsaid: deque[tuple[Event, int]] = deque()
        self._something = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self.is_lost = False
        """Whether somebody else has taken the execution over."""
        self.is_closed = False
        """Whether nothing is taken any more."""
        self.changed = asyncio.Event()
        """Set when it is lost or closed, or when a user wants the execution stopped."""
        self.stopped = asyncio.Event()
        """Set when the run has been told to stop."""
        self._keeping = asyncio.Lock()
        self._ended_before = _ended_stages(self.execution)
        self._kept = self.execution.sequence
        """The number of the latest event in the state that is kept."""
        self._ours_until = self._in_a_lease()

    async def __call__(self, event: Event) -> None:
        """Raises IllegalMove as the state machine does; after the end, nothing is taken.

        Where nothing was kept for as long as a lease lasts, it is looked first whether the
        execution is still ours: this process may have stood still. If it is not, the run waits
        here, where it is stopped, and does nothing more.
        """
        if event.is_kept and self._clock.monotonic() > self._ours_until:
            await self.check()
        if self.is_lost:
            await self.stopped.wait()
        self._take(event)

    def _take(self, event: Event) -> None:
        if self.is_closed or self.execution.status.terminal:
            return
        self.execution = applied(event, self.execution)
        self._unsaid.append((event, self.execution.sequence))
        self._settled.clear()
        self._something.set()

    def fail(self, reason: EndReason, error: Failure) -> None:
        """Ends the execution; CANCELLED, if a user wanted that."""
        now = self._clock.now()
        self._take(Ended(self.execution.id, now, Status.FAILED, reason, error=error))

    def close(self) -> None:
        """Takes nothing more: what the run does from now on is nobody's business."""
        self.is_closed = True
        self.changed.set()

    @property
    def stored(self) -> Stored:
        """The record as it was kept last."""
        return Stored(self._record, self._revision)

    @property
    def lost_workers(self) -> int:
        """How many workers in a row have gone without a word while it ran."""
        return self._record.lost

    async def settled(self) -> None:
        """Returns once everything is said, or nothing can be any more."""
        await self._settled.wait()

    async def writing(self) -> None:
        """Brings what waits to the broker, for ever."""
        while not self.is_lost:
            await self._something.wait()
            self._something.clear()
            while self._unsaid and not self.is_lost:
                events = list(islice(self._unsaid, MOST_AT_ONCE))
                await self._until_it_succeeds(events)
                if self._unsaid and self._unsaid[0] is events[0]:
                    for _ in events:
                        self._unsaid.popleft()
            self._settled.set()

    async def hand_over(self) -> None:
        """Lets somebody else go on from what is kept; whoever does it lacks nothing.

        Raises:
            Unavailable: the broker is away; it goes on when the lease has run out.
        """
        self.close()
        async with self._keeping:
            with suppress(Superseded):
                record = replace(self._record, execution=self.execution, leased=False)
                self._revision = await self._broker.write(record, self._revision)

    async def check(self) -> None:
        """Keeps the state as it is, which tells whether it is still ours, or to be cancelled."""
        with suppress(Unavailable, InvalidInput):  # That comes again when it is said.
            await self._keep()

    async def _until_it_succeeds(self, events: Sequence[tuple[Event, int]]) -> None:
        entries = [Entry(event, number, self._record.term) for event, number in events]
        while not self.is_lost:
            try:
                if any(event.is_kept and number > self._kept for event, number in events):
                    await self._keep()
                if not self.is_lost:
                    await self._broker.append(entries)
            except Unavailable:
                await self._clock.sleep(PAUSE_SECONDS)
            except InvalidInput as error:
                self._give_up(error.message)
                return
            else:
                return

    def _in_a_lease(self) -> float:
        """When a lease that is renewed now runs out, in monotonic seconds."""
        return self._clock.monotonic() + self._broker.lease_seconds

    def _give_up(self, reason: str) -> None:
        """The state is larger than the broker takes: it ends as it was kept last."""
        kept = replace(self._record.execution, sequence=self.execution.sequence)
        error = Failure("TooLarge", f"its stages have made too much: {reason}")
        now = self._clock.now()
        event = Ended(kept.id, now, Status.FAILED, EndReason.STAGE_ERROR, error=error)
        self.execution = applied(event, kept)
        self._unsaid = deque([(event, self.execution.sequence)])
        self.close()

    async def _keep(self) -> None:
        """The latest state, whatever is said of it so far: who goes on from there does not do again
        what is done."""
        async with self._keeping:
            while not self.is_lost:
                execution = self.execution
                record, until = replace(self._record, execution=execution), self._in_a_lease()
                if _ended_stages(execution) > self._ended_before:
                    record = replace(record, lost=0)
                try:
                    self._revision = await self._broker.write(record, self._revision)
                except Superseded:
                    await self._look_again()
                else:
                    self._record, self._kept = record, execution.sequence
                    self._ours_until = until
                    return

    async def _look_again(self) -> None:
        """A user has set the flag, the answer to a write was lost, or it is somebody else's."""
        stored = await self._broker.read(self.execution.id)
        if stored is None or stored.record.term != self._record.term:
            self.is_lost = True
            self.close()
            self._settled.set()
            return
        self._record, self._revision = stored
        self.heed()

    def heed(self) -> None:
        """Cancels the execution if the record says so and it is not being cancelled already."""
        flag, now = self._record.cancel, self.execution
        if flag is None or now.status.terminal:
            return
        asked = now.cancellation
        if asked is None or (flag.forced and not asked.forced):
            self._take(CancelRequested(now.id, self._clock.now(), flag.reason, flag.forced))
            self.changed.set()


async def taken(broker: Broker, stored: Stored) -> Stored:
    """The record, ours from now on.

    Raises:
        Superseded: somebody else was quicker.
    """
    before, execution = stored.record, stored.record.execution
    if before.term:
        execution = replace(execution, sequence=execution.sequence + JUMP)
    lost = before.lost + 1 if before.leased else before.lost
    record = replace(before, execution=execution, term=before.term + 1, lost=lost, leased=True)
    return Stored(record, await broker.write(record, stored.revision))


async def say_again(broker: Broker, record: Record) -> None:
    """Says the end of what has ended: whoever kept it may have gone before it was said.

    Who knows it reads the record for nothing; who does not sees the gap, and reads it too.
    """
    ended = record.execution
    if ended.ended_at is not None and ended.end_reason is not None:
        event = Ended(ended.id, ended.ended_at, ended.status, ended.end_reason)
        await broker.append([Entry(event, ended.sequence + JUMP, record.term)])


def _ended_stages(execution: Execution) -> int:
    return sum(stage.status.terminal for stage in execution.stages)
