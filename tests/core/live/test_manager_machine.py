"""The manager, driven at random beside a model of what it should do."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from patience import turns
from reference import Lister, Reader, Run, shown
from runcast.core.errors import AlreadyEnded, Conflict, IllegalMove, NotFound
from runcast.core.execution.change import Change
from runcast.core.execution.events import (
    Began,
    Ended,
    Event,
    StageCancelled,
    StageCompleted,
    StageFailed,
    StageRetrying,
    StageSkipped,
    StageStarted,
)
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import EndReason, Failure, Status
from runcast.core.live.listing import ExecutionsChange
from runcast.core.live.manager import ExecutionManager
from samples import ScriptedEngine, a_pipeline, a_request, said
from virtual_clock import VirtualClock

RETENTION, WATCHERS, RING = 10.0, 3, 4
FAILURE = Failure("ExitStatus", "it ended with status 1")
PIPELINE = a_pipeline("one", "two")

# What each event of a stage makes of it, and from where.
STAGE_EVENTS: dict[Callable[[str, int], Event], tuple[set[str], str | None]] = {
    lambda id, stage: StageStarted(id, 1, stage): ({"PENDING", "RUNNING"}, "RUNNING"),
    lambda id, stage: said(id, 1, stage, "text"): ({"RUNNING"}, None),
    lambda id, stage: StageRetrying(id, 1, stage, FAILURE, 2000): ({"RUNNING"}, None),
    lambda id, stage: StageCompleted(id, 1, stage, "value"): ({"RUNNING"}, "COMPLETED"),
    lambda id, stage: StageFailed(id, 1, stage, FAILURE): ({"RUNNING"}, "FAILED"),
    lambda id, stage: StageCancelled(id, 1, stage): ({"RUNNING"}, "CANCELLED"),
    lambda id, stage: StageSkipped(id, 1, stage, "no need"): ({"PENDING"}, "SKIPPED"),
}
NUMBERS = st.integers(0, 30)
FILTERS = st.just(EVERYTHING) | st.builds(
    ExecutionFilter,
    status=st.none() | st.frozensets(st.sampled_from(Status), max_size=3),
    not_status=st.none() | st.frozensets(st.sampled_from(Status), max_size=2),
    text=st.sampled_from([None, "a", "b"]),
)
Message = TypeVar("Message")


@dataclass
class Subscription:
    """A generator that is read only as far as it can go without waiting."""

    stream: AsyncGenerator[Any, None]
    who: Any
    asked: "asyncio.Task[Any] | None" = None
    ended: bool = False

    async def read(self) -> Any | None:
        """The next message; None if there is none now, or none will come."""
        if self.asked is None:
            self.asked = asyncio.create_task(anext(self.stream, None))
        await turns(4)
        if not self.asked.done():
            return None
        message, self.asked = self.asked.result(), None
        self.ended = message is None
        return message

    async def close(self) -> None:
        if self.asked is not None:
            self.asked.cancel()
            await asyncio.wait([self.asked])
        await self.stream.aclose()


class ManagerMachine(RuleBasedStateMachine):
    """Rules act on the manager and on the model alike, invariants compare them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.engine = ScriptedEngine()
        self.manager = ExecutionManager(
            self.engine, self.clock, retention=RETENTION, watcher_limit=WATCHERS, ring_size=RING
        )
        self.runs: list[Run] = []
        self.gone: list[str] = []
        self.subscriptions: list[Subscription] = []
        self.listings: list[Subscription] = []
        self.do(self.manager.__aenter__())

    def do(self, work: Coroutine[Any, Any, Message]) -> Message:
        return self.loop.run_until_complete(asyncio.wait_for(work, 30))

    def say(self, *events: Event) -> None:
        self.do(self.engine.say(*events))

    def one(self, number: int) -> Run:
        return self.runs[number % len(self.runs)]

    # Executions

    @precondition(lambda self: len(self.runs) < 8)
    @rule(input=st.sampled_from(["a", "b"]), key=st.sampled_from([None, None, "k", "l"]))
    def start(self, input: str, key: str | None) -> None:
        request = a_request(input, idempotency_key=key)
        owner = next((run for run in self.runs if key is not None and run.key == key), None)
        if owner is not None and owner.input != input:
            with pytest.raises(Conflict):
                self.do(self.manager.start(request, PIPELINE))
            return
        started = self.do(self.manager.start(request, PIPELINE))
        assert started.existing is (owner is not None)
        if owner is None:
            self.runs.append(Run(started.execution.id, ["PENDING", "PENDING"], key, input))
        else:
            assert started.execution.id == owner.id

    @precondition(lambda self: self.runs)
    @rule(number=NUMBERS)
    def begin(self, number: int) -> None:
        run, event = self.one(number), Began(self.one(number).id, 1)
        if run.can_begin():
            self.say(event)
            run.move("RUNNING")
        else:
            self.refuses(event)

    @precondition(lambda self: self.runs)
    @rule(number=NUMBERS, stage=st.integers(0, 1), make=st.sampled_from(list(STAGE_EVENTS)))
    def move_stage(self, number: int, stage: int, make: Callable[[str, int], Event]) -> None:
        run, (comes_from, becomes) = self.one(number), STAGE_EVENTS[make]
        event = make(run.id, stage)
        if run.can_move_stage(stage, comes_from):
            self.say(event)
            run.stages[stage] = becomes or run.stages[stage]
            run.move()
        else:
            self.refuses(event)

    @precondition(lambda self: any("RUNNING" in run.stages for run in self.runs))
    @rule(number=NUMBERS, pieces=st.integers(1, 7))
    def flood(self, number: int, pieces: int) -> None:
        talking = [run for run in self.runs if "RUNNING" in run.stages]
        run = talking[number % len(talking)]
        index = run.stages.index("RUNNING")
        self.say(*[said(run.id, 1, index, "text")] * pieces)
        for _ in range(pieces):
            run.move()

    @precondition(lambda self: self.runs)
    @rule(number=NUMBERS, status=st.sampled_from([Status.COMPLETED, Status.FAILED]))
    def end(self, number: int, status: Status) -> None:
        run = self.one(number)
        event = Ended(run.id, 1, status, EndReason.FINISHED)
        if run.can_end(status):
            self.say(event)
            run.end(status, self.clock.monotonic())
        else:
            self.refuses(event)

    @precondition(lambda self: self.runs)
    @rule(number=NUMBERS, forced=st.booleans())
    def cancel(self, number: int, forced: bool) -> None:
        run = self.one(number)
        work = self.manager.cancel(run.id, "enough", forced=forced)
        if run.can_be_cancelled(forced):
            after = self.do(work)
            run.cancel(forced, self.clock.monotonic())
            assert after.cancellation is not None and after.cancellation.forced >= run.forced
        else:
            with pytest.raises(AlreadyEnded if run.ended else Conflict):
                self.do(work)

    def refuses(self, event: Event) -> None:
        before = self.manager.get(event.execution_id)
        with pytest.raises(IllegalMove):
            self.manager.apply(event)
        assert self.manager.get(event.execution_id) is before

    # Time

    @rule(eighths=st.integers(1, 60))
    def advance(self, eighths: int) -> None:
        self.clock.advance(eighths / 8)
        self.do(turns())
        self.forget_the_old()

    @rule()
    def sweep(self) -> None:
        self.manager.sweep()

    def forget_the_old(self) -> None:
        now = self.clock.monotonic()
        old = [run for run in self.runs if run.ended_at is not None]
        old = [run for run in old if now - (run.ended_at or 0) >= RETENTION]
        self.gone += [run.id for run in old]
        self.runs = [run for run in self.runs if run not in old]

    # Readers of one execution

    @precondition(lambda self: self.runs and len(self.subscriptions) < 8)
    @rule(number=NUMBERS, back=st.none() | st.integers(0, 12))
    def subscribe(self, number: int, back: int | None) -> None:
        run = self.one(number)
        if back is None:
            reader, after = Reader(run, None), None
        else:
            reader = Reader(run, max(0, run.sequence - back))
            after = f"{self.manager.epoch}:{reader.seen}"
        subscription = Subscription(self.manager.watch(run.id, after), reader)
        self.subscriptions.append(subscription)
        self.read(subscription)

    @precondition(lambda self: self.subscriptions)
    @rule(number=NUMBERS, messages=st.integers(1, 6))
    def read_some(self, number: int, messages: int) -> None:
        for _ in range(messages):
            self.read(self.subscriptions[number % len(self.subscriptions)])

    @precondition(lambda self: self.subscriptions)
    @rule(number=NUMBERS)
    def unsubscribe(self, number: int) -> None:
        self.do(self.subscriptions.pop(number % len(self.subscriptions)).close())

    def read(self, subscription: Subscription) -> bool:
        """Whether there was a message."""
        if subscription.ended:
            return False
        change: Change | None = self.do(subscription.read())
        reader: Reader = subscription.who
        if change is not None:
            reader.take(change)
        elif subscription.ended:
            assert reader.may_end()
        else:
            assert reader.may_wait()
        return change is not None

    # Readers of the list

    @precondition(lambda self: len(self.listings) < 4)
    @rule(filter=FILTERS)
    def watch_list(self, filter: ExecutionFilter) -> None:
        lister = Lister(filter)
        self.listings.append(Subscription(self.manager.watch_list(filter), lister))
        self.read_list(self.listings[-1])

    @precondition(lambda self: self.listings)
    @rule(number=NUMBERS, messages=st.integers(1, 4))
    def read_some_of_list(self, number: int, messages: int) -> None:
        for _ in range(messages):
            self.read_list(self.listings[number % len(self.listings)])

    @precondition(lambda self: self.listings)
    @rule(number=NUMBERS)
    def read_list_to_its_end(self, number: int) -> None:
        subscription = self.listings[number % len(self.listings)]
        while self.read_list(subscription):
            pass
        lister: Lister = subscription.who
        assert lister.caught_up
        found = self.manager.list(lister.filter)
        assert lister.seen == {one.id: shown(one) for one in found}
        counted = Counter(one.status for one in self.manager.list(lister.filter.of_any_status()))
        assert lister.counts == {status: counted[status] for status in Status}

    @precondition(lambda self: self.listings)
    @rule(number=NUMBERS)
    def break_off(self, number: int) -> None:
        """The reader keeps what it has seen, and is away until it resumes."""
        index = number % len(self.listings)
        self.do(self.listings[index].close())
        lister: Lister = self.listings[index].who
        self.listings[index] = Subscription(self.resumed(lister), lister)

    async def resumed(self, lister: Lister) -> AsyncGenerator[ExecutionsChange, None]:
        after = None if lister.version is None else self.manager.list_cursor(lister.version)
        lister.resumed, lister.caught_up = after is not None, False
        stream = self.manager.watch_list(lister.filter, None if after is None else str(after))
        try:
            async for change in stream:
                yield change
        finally:
            await stream.aclose()

    def read_list(self, subscription: Subscription) -> bool:
        change: ExecutionsChange | None = self.do(subscription.read())
        assert not subscription.ended
        if change is not None:
            subscription.who.take(change)
        return change is not None

    # What always holds

    @invariant()
    def executions_are_as_in_the_model(self) -> None:
        listed = self.manager.list()
        assert [one.id for one in listed] == [run.id for run in reversed(self.runs)]
        for one, run in zip(reversed(listed), self.runs, strict=True):
            assert self.manager.get(one.id) is one
            assert (one.status, one.sequence) == (run.status, run.sequence)
            assert [stage.status for stage in one.stages] == run.stages

    @invariant()
    def nothing_is_kept_of_what_has_left(self) -> None:
        for id in self.gone[-3:]:
            with pytest.raises(NotFound):
                self.manager.get(id)
        assert len(self.manager._store) == len(self.runs)
        assert len(self.manager._keys) == sum(run.key is not None for run in self.runs)
        assert len(self.manager._leaving) == sum(run.ended for run in self.runs)

    @invariant()
    def memory_is_bounded(self) -> None:
        for entry in self.manager._store._entries.values():
            assert len(entry.ring) <= RING
        for watchers in self.manager._feed._hub._watchers.values():
            assert watchers
            assert all(len(watcher._changes) <= WATCHERS for watcher in watchers)
        assert self.manager.subscribers <= len(self.subscriptions) + len(self.listings)

    def teardown(self) -> None:
        try:
            self.end_everything()
        finally:
            self.loop.close()

    def end_everything(self) -> None:
        for run in self.runs:
            if not run.ended:
                self.say(Ended(run.id, 1, Status.FAILED, EndReason.SERVER_SHUTDOWN))
                run.end("FAILED", self.clock.monotonic())
        self.advance(int(RETENTION * 8))
        assert (self.manager.list(), self.runs) == ([], [])
        for subscription in self.subscriptions:
            while self.read(subscription):
                pass
            assert subscription.ended
        for number in range(len(self.listings)):
            self.read_list_to_its_end(number)
        for listing in self.listings:
            self.do(listing.close())
        assert self.manager.subscribers == 0
        self.nothing_is_kept_of_what_has_left()
        self.do(self.manager.__aexit__(None, None, None))
        assert asyncio.all_tasks(self.loop) == set()


TestManagerMachine = ManagerMachine.TestCase
TestManagerMachine.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
