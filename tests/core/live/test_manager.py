"""The one holder of all executions."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from memory_stores import AtOnce, MemoryStores
from past import Memory
from patience import turns, until
from runcast.core.engines.embedded import EmbeddedEngine
from runcast.core.errors import (
    CapacityReached,
    Conflict,
    IllegalMove,
    InvalidInput,
    NotFound,
    Stopping,
    Unavailable,
)
from runcast.core.execution.change import Change
from runcast.core.execution.events import (
    Began,
    ChangeKind,
    Ended,
    StageCompleted,
    StageProgressed,
    StageStarted,
    Submitted,
)
from runcast.core.execution.model import EndReason, Execution, StageStatus, Status, Usage
from runcast.core.live.listing import ExecutionsChange
from runcast.core.live.manager import (
    LONGEST_SLEEP_SECONDS,
    RETENTION_SECONDS,
    ExecutionManager,
)
from runcast.core.running.executor import PipelineExecutor
from runcast.core.running.stages import StageCall
from samples import ScriptedEngine, a_pipeline, a_request, said
from scripted_stages import Gate, ScriptedRunner
from virtual_clock import VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")

PIPELINE = a_pipeline("one", "two")


@pytest.fixture
def engine() -> ScriptedEngine:
    """One that does what the test says."""
    return ScriptedEngine()


@pytest.fixture
async def manager(
    engine: ScriptedEngine, clock: VirtualClock, leaves_no_task: None
) -> AsyncIterator[ExecutionManager]:
    """A manager on that engine."""
    async with ExecutionManager(engine, clock) as manager:
        yield manager


async def start(manager: ExecutionManager, **values: Any) -> Execution:
    return (await manager.start(a_request(**values), PIPELINE)).execution


def end(id: str, status: Status = Status.COMPLETED) -> Ended:
    return Ended(id, 3000, status, EndReason.FINISHED)


async def test_a_started_execution_is_visible_at_once(manager: ExecutionManager) -> None:
    """By its id and first in the list."""
    older = await start(manager)
    newer = await start(manager, labels=[("team", "a")], timeout_ms=5)
    assert manager.get(newer.id) is newer
    assert manager.list() == [newer, older]
    assert manager.list(limit=1) == [newer]
    assert (newer.status, newer.sequence, newer.labels) == ("QUEUED", 1, (("team", "a"),))
    assert [stage.status for stage in newer.stages] == ["PENDING", "PENDING"]
    assert newer.options.timeout_ms == 5


async def test_a_key_starts_once(manager: ExecutionManager) -> None:
    """The second start finds the first one's execution as it is now."""
    first = await start(manager, idempotency_key="k")
    manager.apply(Began(first.id, 1))
    again = await manager.start(a_request(idempotency_key="k"), PIPELINE)
    assert again.existing and again.execution.status is Status.RUNNING
    with pytest.raises(Conflict):
        await start(manager, input="other", idempotency_key="k")
    assert len(manager.list()) == 1


class SlowFiles:
    """Implements `OwnFiles`: each start has its files once the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.ready = asyncio.Event()

    async def own(self, execution: Execution) -> Execution:
        self.asked += 1
        await self.ready.wait()
        return execution


async def test_two_starts_at_once_with_one_key_start_once(
    engine: ScriptedEngine, clock: VirtualClock
) -> None:
    """However long the first one takes; another key does not wait, and another request is told."""
    files = SlowFiles()
    async with ExecutionManager(engine, clock, files=files, past=Memory()) as manager:
        keys = ["k", "k", "l", None]
        starts = [
            asyncio.create_task(manager.start(a_request(idempotency_key=key), PIPELINE))
            for key in keys
        ]
        other = asyncio.create_task(
            manager.start(a_request("other", idempotency_key="k"), PIPELINE)
        )
        await turns()
        assert files.asked == 3
        files.ready.set()
        first, second, another, without = await asyncio.gather(*starts)
        assert (first.existing, second.existing) == (False, True)
        assert first.execution == second.execution
        assert len({one.execution.id for one in (first, another, without)}) == 3
        with pytest.raises(Conflict):
            await other
        assert len(manager.list()) == 3


async def test_the_next_process_finds_what_a_key_has_started(
    engine: ScriptedEngine, clock: VirtualClock
) -> None:
    """What the history has is enough; it is not live, and is not made so."""
    async with ExecutionManager(engine, clock) as manager:
        started = await start(manager, idempotency_key="k")
    async with ExecutionManager(engine, clock, past=Memory(started)) as manager:
        again = await manager.start(a_request(idempotency_key="k"), PIPELINE)
        assert (again.execution, again.existing) == (started, True)
        with pytest.raises(Conflict):
            await start(manager, input="other", idempotency_key="k")
        assert manager.list() == []
        assert not (await manager.start(a_request(idempotency_key="l"), PIPELINE)).existing


async def test_no_start_by_a_key_while_the_history_cannot_be_read(
    engine: ScriptedEngine, clock: VirtualClock
) -> None:
    """It may be there already; without a key, and by one that is live, all goes on."""
    past = Memory()
    async with ExecutionManager(engine, clock, past=past) as manager:
        live = await start(manager, idempotency_key="k")
        past.problem = Unavailable("no disk")
        with pytest.raises(Unavailable):
            await start(manager, idempotency_key="l")
        await start(manager)
        assert await start(manager, idempotency_key="k") == live
        assert len(manager.list()) == 2


async def test_a_retry_by_a_key_happens_once(manager: ExecutionManager) -> None:
    """Of the same execution, from the same stage; also when the pipeline has changed since."""
    old = await start(manager)
    for event in (
        Began(old.id, 1),
        StageStarted(old.id, 1, 0),
        StageCompleted(old.id, 2, 0, "one"),
        end(old.id),
    ):
        manager.apply(event)
    old = manager.get(old.id)
    first = await manager.retry(old, PIPELINE, "two", "k")
    again = await manager.retry(old, a_pipeline("others"), "two", "k")
    assert (first.existing, again.existing) == (False, True)
    assert again.execution == first.execution
    for conflicting in (None, "one"):
        with pytest.raises(Conflict) as refused:
            await manager.retry(old, PIPELINE, conflicting, "k")
        assert refused.value.path == ("idempotencyKey",)
    with pytest.raises(Conflict):
        await start(manager, idempotency_key="k")
    with pytest.raises(InvalidInput) as invalid:
        await manager.retry(old, PIPELINE, None, " ")
    assert invalid.value.path == ("idempotencyKey",)
    assert len(manager.list()) == 2


class Disk:
    """Implements `Follower`: what was noted is on disk once the test says so."""

    def __init__(self) -> None:
        self.noted: list[Execution] = []
        self.asked: list[str] = []
        self.written = asyncio.Event()

    def note(self, execution: Execution) -> None:
        self.noted.append(execution)

    async def committed(self, execution_id: str) -> None:
        self.asked.append(execution_id)
        await self.written.wait()


async def test_no_start_is_acknowledged_before_it_is_on_every_disk(
    engine: ScriptedEngine, clock: VirtualClock
) -> None:
    """Neither the first one, nor one that finds it by its key, nor a retry."""
    disks = [Disk(), Disk(), Disk()]
    async with ExecutionManager(engine, clock, followers=disks) as manager:
        request = a_request(idempotency_key="k")
        starts = [asyncio.create_task(manager.start(request, PIPELINE)) for _ in range(2)]
        await turns()
        [execution] = manager.list()
        starts.append(asyncio.create_task(manager.retry(execution, PIPELINE)))
        manager.apply(Began(execution.id, 1))
        for disk in disks:
            await turns()
            assert not any(start.done() for start in starts)
            disk.written.set()
        first, second, retry = await asyncio.gather(*starts)
        assert first.execution == second.execution == manager.get(execution.id)
        assert (first.existing, second.existing, retry.existing) == (False, True, False)
        ids = sorted([execution.id, execution.id, retry.execution.id])
        assert [sorted(disk.asked) for disk in disks] == [ids] * 3


async def test_a_start_that_has_left_before_it_is_on_disk_is_acknowledged_too(
    engine: ScriptedEngine, clock: VirtualClock
) -> None:
    """As it was when it began: with no retention nothing else is there to be told."""
    disk = Disk()
    async with ExecutionManager(engine, clock, retention=0, followers=[disk]) as manager:
        starting = asyncio.create_task(manager.start(a_request(), PIPELINE))
        await turns()
        [execution] = manager.list()
        manager.apply(end(execution.id, Status.FAILED))
        await turns()
        assert manager.list() == []
        disk.written.set()
        assert (await starting).execution == execution


async def test_what_is_to_be_kept_is_noted_at_once(
    engine: ScriptedEngine, clock: VirtualClock
) -> None:
    """Each change but output and progress, by every follower, in order, as it is then."""
    disks = [Disk(), Disk()]
    for disk in disks:
        disk.written.set()
    async with ExecutionManager(engine, clock, followers=disks) as manager:
        id = (await start(manager)).id
        passing = said(id, 1, 0, "x"), StageProgressed(id, 1, 0, 0.5)
        for event in (Began(id, 1), StageStarted(id, 1, 0), *passing, end(id)):
            manager.apply(event)
            if event not in passing:
                assert [disk.noted[-1] for disk in disks] == [manager.get(id)] * 2
        assert [one.sequence for one in disks[0].noted] == [1, 2, 3, 6]
        assert disks[0].noted == disks[1].noted


async def test_a_refused_start_leaves_nothing(
    manager: ExecutionManager, engine: ScriptedEngine
) -> None:
    """Neither an execution nor a key."""
    engine.refusal = CapacityReached("full")
    with pytest.raises(CapacityReached):
        await start(manager, idempotency_key="k")
    assert manager.list() == [] and len(manager._keys) == 0
    engine.refusal = None
    await start(manager, input="other", idempotency_key="k")


async def test_a_retry_is_a_new_execution_of_the_same_request(manager: ExecutionManager) -> None:
    """Also of one that still runs; it says of which one it is."""
    old = await start(manager, labels=[("team", "a")], timeout_ms=5)
    new = (await manager.retry(old, PIPELINE)).execution
    assert new.id != old.id and new.retry_of == old.id
    assert (new.input, new.labels, new.options) == (old.input, old.labels, old.options)


async def test_a_retry_takes_over_what_was_completed(
    manager: ExecutionManager, engine: ScriptedEngine
) -> None:
    """Up to the stage that it begins with, which must exist and be reachable."""
    old = await start(manager)
    with pytest.raises(Conflict):
        await manager.retry(old, PIPELINE, "two")
    with pytest.raises(NotFound):
        await manager.retry(old, PIPELINE, "three")
    done = (Began(old.id, 1), StageStarted(old.id, 1, 0), StageCompleted(old.id, 2, 0, "value"))
    await engine.say(*done)
    new = (await manager.retry(manager.get(old.id), PIPELINE, "two")).execution
    assert [stage.status for stage in new.stages] == ["COMPLETED", "PENDING"]
    assert new.stages[0].value == "value"


@pytest.mark.parametrize("reason", ["\ud83d", "x" * 1001])
async def test_a_reason_that_cannot_be_shown_cancels_nothing(
    manager: ExecutionManager, reason: str
) -> None:
    """Half a character, or a text without end."""
    started = await start(manager)
    with pytest.raises(InvalidInput):
        await manager.cancel(started.id, reason)
    assert manager.get(started.id).status is Status.QUEUED


async def test_what_was_not_kept_cannot_be_taken_over(manager: ExecutionManager) -> None:
    """A value that was too large for the history is not handed on as nothing."""
    old = await start(manager)
    done = replace(old.stages[0], status=StageStatus.COMPLETED, value_dropped=True)
    with pytest.raises(Conflict, match="too large"):
        await manager.retry(old.with_stage(0, done), PIPELINE, "two")


async def test_what_is_taken_over_was_paid_for_once(manager: ExecutionManager) -> None:
    """A skipped stage is taken over as well; what a completed one has used counts there only."""
    old = await start(manager)
    used = replace(old.stages[0], status=StageStatus.COMPLETED, value=1, usage=Usage(5, 6, 0.5))
    completed = (await manager.retry(old.with_stage(0, used), PIPELINE, "two")).execution
    assert completed.stages[0] == replace(used, usage=Usage())
    assert completed.usage == Usage()
    skipped = replace(old.stages[0], status=StageStatus.SKIPPED, skip_reason="no need")
    again = (await manager.retry(old.with_stage(0, skipped), PIPELINE, "two")).execution
    assert again.stages == (skipped, old.stages[1])


@pytest.mark.parametrize("reason", ["ä" * 500, "x" * 1000, "", None])
async def test_a_reason_is_told_as_it_was_given(
    manager: ExecutionManager, reason: str | None
) -> None:
    """Up to 1000 bytes."""
    started = await start(manager)
    cancelled = await manager.cancel(started.id, reason)
    assert cancelled.cancellation is not None and cancelled.cancellation.reason == reason


async def test_apply_counts_and_refuses(manager: ExecutionManager) -> None:
    """A refused event changes nothing, not even the sequence."""
    execution = await start(manager)
    assert manager.apply(Began(execution.id, 1)).sequence == 2
    before = manager.get(execution.id)
    for event in (Began(execution.id, 1), Submitted(execution.id, 1, execution)):
        with pytest.raises(IllegalMove):
            manager.apply(event)
    assert manager.get(execution.id) is before
    with pytest.raises(NotFound):
        manager.apply(Began("exec_none", 1))


async def test_unknown_executions_and_cursors_are_refused_at_once(
    manager: ExecutionManager,
) -> None:
    """Before anything is read."""
    execution = await start(manager)
    with pytest.raises(NotFound):
        manager.get("exec_none")
    with pytest.raises(NotFound):
        manager.watch("exec_none")
    with pytest.raises(NotFound):
        await manager.cancel("exec_none")
    with pytest.raises(InvalidInput):
        manager.watch(execution.id, "?")
    with pytest.raises(InvalidInput):
        manager.watch_list(after="?")
    assert manager.subscribers == 0


async def test_ended_executions_leave_when_the_retention_is_over(
    manager: ExecutionManager, clock: VirtualClock
) -> None:
    """Not before; then neither listed nor found, and nothing of them is left in memory."""
    first = await start(manager, idempotency_key="k")
    manager.apply(end(first.id, Status.FAILED))
    assert manager.expires_at(manager.get(first.id)) == 3000 + 300_000
    assert manager.expires_at(first) is None
    clock.advance(100)
    second = await start(manager)
    manager.apply(end(second.id, Status.FAILED))
    running = await start(manager)
    clock.advance(RETENTION_SECONDS - 100.125)
    await turns()
    assert len(manager.list()) == 3
    clock.advance(0.125)
    await until(lambda: len(manager.list()) < 3)
    await turns()
    assert [one.id for one in manager.list()] == [running.id, second.id]
    with pytest.raises(NotFound):
        manager.get(first.id)
    assert len(manager._keys) == 0
    clock.advance(100)
    await until(lambda: len(manager.list()) < 2)
    await turns()
    assert [one.id for one in manager.list()] == [running.id]
    assert len(manager._leaving) == 0
    assert clock.sleepers == 0


async def test_all_that_is_due_leaves_in_one_sweep(
    engine: ScriptedEngine, clock: VirtualClock
) -> None:
    """And what is not due stays."""
    async with ExecutionManager(engine, clock, retention=10) as manager:
        ids = [(await start(manager)).id for _ in range(5)]
        for id in ids[:3]:
            manager.apply(end(id, Status.FAILED))
        clock.advance(5)
        manager.apply(end(ids[3], Status.FAILED))
        clock.advance(5)
        manager.sweep()
        assert [one.id for one in manager.list()] == [ids[4], ids[3]]


async def test_time_in_which_the_machine_was_suspended_counts(
    engine: ScriptedEngine, leaves_no_task: None
) -> None:
    """A sleep does not notice it: what is due is gone ten seconds after the machine woke up."""
    clock = Suspended()
    async with ExecutionManager(engine, clock) as manager:
        execution = await start(manager)
        manager.apply(end(execution.id, Status.FAILED))
        await turns()
        clock.suspended = RETENTION_SECONDS
        await turns()
        assert manager.list() != []
        clock.advance(LONGEST_SLEEP_SECONDS)
        await turns()
        assert manager.list() == []


class Suspended(VirtualClock):
    """A machine that was suspended for so many seconds, which no sleep counts."""

    suspended = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.suspended


async def test_no_two_servers_have_the_same_epoch(clock: VirtualClock) -> None:
    """Though the wall clock said the same when they were started."""
    first, second = (ExecutionManager(ScriptedEngine(), clock) for _ in range(2))
    assert first.epoch != second.epoch


async def test_the_sweeper_outlives_a_sweep_by_hand(
    engine: ScriptedEngine, clock: VirtualClock
) -> None:
    """One that comes between its waking and its look finds nobody left to leave."""
    async with ExecutionManager(engine, clock, retention=0) as manager:
        await turns()
        for _ in range(2):
            execution = await start(manager)
            manager.apply(end(execution.id, Status.FAILED))
            manager.sweep()
            await turns()
        assert manager.list() == []
        assert not manager._sweeper.done()


async def test_a_watch_of_what_has_left_meanwhile_is_refused(
    engine: ScriptedEngine, clock: VirtualClock
) -> None:
    """It does not wait for what can never come."""
    async with ExecutionManager(engine, clock, retention=1) as manager:
        execution = await start(manager)
        streams = [manager.watch(execution.id), manager.watch(execution.id, f"{manager.epoch}:1")]
        manager.apply(end(execution.id, Status.FAILED))
        clock.advance(1)
        manager.sweep()
        for stream in streams:
            with pytest.raises(NotFound):
                await anext(stream)
        assert manager.subscribers == 0


async def test_closing_interrupts_every_watch_and_refuses_every_start(
    manager: ExecutionManager, engine: ScriptedEngine
) -> None:
    """Those that are open, and those that come afterwards, which still get their snapshot."""
    execution = await start(manager)

    async def read(changes: AsyncIterator[Change] | AsyncIterator[ExecutionsChange]) -> list[str]:
        kinds: list[str] = []
        with pytest.raises(Stopping):
            async for change in changes:
                kinds.append(change.kind)
        return kinds

    async def read_both() -> list[list[str]]:
        both = read(manager.watch(execution.id)), read(manager.watch_list())
        return await asyncio.gather(*both)

    async with asyncio.timeout(30):
        early = asyncio.create_task(read_both())
        await until(lambda: manager.subscribers == 2)
        await manager.close(grace=7)
        for kinds in (await early, await read_both()):
            assert kinds == [["SNAPSHOT"], ["ENTERED", "CAUGHT_UP"]]
    assert engine.graces == [7]
    with pytest.raises(Unavailable):
        await start(manager)


async def test_whoever_leaves_has_closed_everything(
    engine: ScriptedEngine, clock: VirtualClock
) -> None:
    """The engine at once, and every reader."""
    async with ExecutionManager(engine, clock) as manager:
        streams = [manager.watch((await start(manager)).id), manager.watch_list()]
        for stream in streams:
            await anext(stream)
        assert engine.graces == []
    assert engine.graces == [0]
    async with asyncio.timeout(30):
        for stream in streams:
            with pytest.raises(Stopping):
                while await anext(stream):
                    pass


async def test_readers_end_though_the_engine_fails_to(
    manager: ExecutionManager, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for what cannot come any more."""

    async def fail(grace: float) -> None:
        raise LookupError("a bug")

    streams = [manager.watch((await start(manager)).id), manager.watch_list()]
    for stream in streams:
        await anext(stream)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "close", fail)
        with pytest.raises(LookupError):
            await manager.close(grace=0)
    async with asyncio.timeout(30):
        for stream in streams:
            with pytest.raises(Stopping):
                while await anext(stream):
                    pass


async def test_200_executions_at_once_with_three_readers_each(clock: VirtualClock) -> None:
    """Snapshot first, no gap, exactly one terminal message, which is the last, then the end."""

    async def talk(call: StageCall[Any]) -> object:
        for number in range(5):
            call.emit(f"{number}\n")
            await asyncio.sleep(0)
        return "done"

    runner = ScriptedRunner(one=talk, two=talk)
    executor = PipelineExecutor({"python": runner}, clock, MemoryStores(), AtOnce())
    engine = EmbeddedEngine(executor, clock, limit=50, queue=1000)
    async with ExecutionManager(engine, clock) as manager, asyncio.timeout(60):
        ids = [(await start(manager)).id for _ in range(200)]

        async def read(id: str) -> list[Change]:
            return [change async for change in manager.watch(id)]

        told = await asyncio.gather(*(read(id) for id in ids for _ in range(3)))
        for changes in told:
            first = changes[0].execution.sequence
            assert [change.kind == "SNAPSHOT" for change in changes] == [True] + [False] * (
                len(changes) - 1
            )
            sequences = [change.execution.sequence for change in changes]
            assert sequences == list(range(first, first + len(changes)))
            assert [change.terminal for change in changes] == [False] * (len(changes) - 1) + [True]
            assert changes[-1].execution.status is Status.COMPLETED
            pieces = [one.piece.text for one in changes if one.piece is not None]
            assert "".join(pieces) == "0\n1\n2\n3\n4\n" * 2
        assert runner.most_active == 50
        assert manager.subscribers == 0 and manager._feed._hub._watchers == {}
        clock.advance(RETENTION_SECONDS)
        await until(lambda: not manager.list())
        assert len(manager._leaving) == 0 and len(manager._store) == 0


async def test_the_leaving_of_every_client_cancels_nothing(clock: VirtualClock) -> None:
    """A new client sees everything as it is, and sees it through."""
    gate = Gate()
    executor = PipelineExecutor(
        {"python": ScriptedRunner(one=gate)}, clock, MemoryStores(), AtOnce()
    )
    engine = EmbeddedEngine(executor, clock, limit=10, queue=0)
    async with ExecutionManager(engine, clock) as manager, asyncio.timeout(60):
        ids = [(await start(manager)).id for _ in range(5)]

        async def read(id: str) -> list[Change]:
            return [change async for change in manager.watch(id)]

        clients = [asyncio.create_task(read(id)) for id in ids]
        await until(lambda: manager.subscribers == 5 and gate.entered.is_set())
        for client in clients:
            client.cancel()
        await asyncio.wait(clients)
        assert manager.subscribers == 0
        assert [one.status for one in manager.list()] == ["RUNNING"] * 5
        back = asyncio.gather(*(read(id) for id in ids))
        await until(lambda: manager.subscribers == 5)
        gate.opened.set()
        for changes in await back:
            assert changes[0].kind is ChangeKind.SNAPSHOT
            assert changes[0].execution.stages[0].status == "RUNNING"
            assert changes[-1].execution.status is Status.COMPLETED
        assert gate.cancels == 0


async def test_a_reader_that_does_not_read_is_told_what_it_lost(
    engine: ScriptedEngine, clock: VirtualClock
) -> None:
    """A RESET with the fresh state; it costs no more than the limit, and others lose nothing."""
    async with ExecutionManager(engine, clock, watcher_limit=10) as manager:
        id = (await start(manager)).id
        slow, quick = manager.watch(id), manager.watch(id)
        assert (await anext(slow)).execution.sequence == 1
        assert (await anext(quick)).execution.sequence == 1
        pieces = [said(id, 1, 0, str(number)) for number in range(100)]
        for sequence, event in enumerate((Began(id, 1), StageStarted(id, 1, 0), *pieces), 2):
            await engine.say(event)
            assert (await anext(quick)).execution.sequence == sequence
            assert all(len(w._changes) <= 10 for w in manager._feed._hub._watchers[id])
        reset = await anext(slow)
        assert (reset.kind, reset.missed, reset.execution) == ("RESET", 102, manager.get(id))
        await engine.say(end(id))
        assert [one.execution.sequence async for one in slow] == [104]
        await quick.aclose()


@pytest.mark.parametrize("limit", [1, 3, None])
async def test_a_reader_may_say_how_much_waits_for_it(
    manager: ExecutionManager, engine: ScriptedEngine, limit: int | None
) -> None:
    """Beyond that it gets a RESET with the latest state, and goes on from there."""
    id = (await start(manager)).id
    stream = manager.watch(id, limit=limit)
    await anext(stream)
    await engine.say(Began(id, 1), StageStarted(id, 1, 0), said(id, 1, 0, "x"))
    await engine.say(said(id, 1, 0, "y"), end(id))
    told = [(change.kind, change.missed, change.execution.sequence) async for change in stream]
    if limit is None:
        assert [sequence for _, _, sequence in told] == [2, 3, 4, 5, 6]
    else:
        assert told == [("RESET", 5, 6)]


async def test_cursors_lead_back(manager: ExecutionManager) -> None:
    """To the execution as it was seen, and to the list."""
    execution = await start(manager)
    assert str(manager.cursor(execution)) == f"{manager.epoch}:1"
    assert manager.cursor(replace(execution, sequence=9)).sequence == 9
    version = manager.list_cursor().sequence
    assert manager.list_cursor(version) == manager.list_cursor()
    assert [one.kind async for one in first(manager.watch_list(after=str(manager.list_cursor())))]


async def first(stream: Any) -> AsyncIterator[Any]:
    yield await anext(stream)
    await stream.aclose()
