"""The engine that runs executions in this process."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from memory_stores import AtOnce, MemoryStores
from patience import turns, until
from runcast.core.engines import embedded
from runcast.core.engines.embedded import EmbeddedEngine
from runcast.core.errors import AlreadyEnded, CapacityReached, Conflict, Unavailable
from runcast.core.execution.events import Sink
from runcast.core.execution.model import EndReason, Execution, Status
from runcast.core.live.manager import ExecutionManager
from runcast.core.pipelines.pipeline import Pipeline
from runcast.core.running.executor import PipelineExecutor
from runcast.core.running.stages import StageCall, Stop
from samples import a_pipeline, a_request
from scripted_stages import Act, Gate, ScriptedRunner, SlowToStop
from virtual_clock import VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")

ONE = a_pipeline("one")


@asynccontextmanager
async def managed(
    act: Act, *, limit: int = 2, queue: int = 2, grace: float = 20
) -> AsyncIterator[ExecutionManager]:
    """A manager whose every stage is that act."""
    clock = VirtualClock()
    executor = PipelineExecutor(
        {"python": ScriptedRunner(one=act, two=act)}, clock, MemoryStores(), AtOnce()
    )
    engine = EmbeddedEngine(executor, clock, limit=limit, queue=queue, grace=grace)
    async with ExecutionManager(engine, clock) as manager:
        yield manager
    assert (engine._waiting, engine._running) == ({}, {})


async def start(manager: ExecutionManager, pipeline: Pipeline = ONE) -> str:
    return (await manager.start(a_request(), pipeline)).execution.id


def statuses(manager: ExecutionManager) -> list[Status]:
    """Oldest first."""
    return [one.status for one in reversed(manager.list())]


async def ended(manager: ExecutionManager, id: str) -> Execution:
    await until(lambda: manager.get(id).status.terminal)
    return manager.get(id)


async def test_a_limited_number_runs_and_the_rest_waits_in_order() -> None:
    """Whoever has waited longest begins when one ends."""
    gate = Gate()
    async with managed(gate, limit=2, queue=2) as manager:
        ids = [await start(manager) for _ in range(4)]
        await until(lambda: statuses(manager).count("RUNNING") == 2)
        await turns()
        assert statuses(manager) == ["RUNNING", "RUNNING", "QUEUED", "QUEUED"]
        await manager.cancel(ids[1])
        await ended(manager, ids[1])
        await until(lambda: statuses(manager).count("RUNNING") == 2)
        await turns()
        assert statuses(manager) == ["RUNNING", "CANCELLED", "RUNNING", "QUEUED"]
        gate.opened.set()
        for id in ids:
            await ended(manager, id)
        assert [one for one in statuses(manager) if one == "COMPLETED"] == ["COMPLETED"] * 3


async def test_a_full_queue_refuses_and_changes_nothing() -> None:
    """The key of a refused start is free; one that leaves the queue makes room."""
    async with managed(Gate(), limit=1, queue=1) as manager:
        await start(manager)
        waiting = await start(manager)
        with pytest.raises(CapacityReached):
            await manager.start(a_request(idempotency_key="k"), ONE)
        assert len(manager.list()) == 2 and len(manager._keys) == 0
        assert (await manager.cancel(waiting)).status is Status.CANCELLED
        await start(manager)
        await until(lambda: "RUNNING" in statuses(manager))
        await turns()
        assert statuses(manager) == ["RUNNING", "CANCELLED", "QUEUED"]


async def test_a_queue_of_no_length_still_lets_run_what_has_room() -> None:
    """It only lets nobody wait."""
    async with managed(Gate(), limit=1, queue=0) as manager:
        await start(manager)
        with pytest.raises(CapacityReached):
            await start(manager)


async def test_a_pipelines_own_limit_holds_back_only_its_own() -> None:
    """Others overtake, and those that are held back fill the queue, which stays bounded."""
    gate = Gate()
    narrow = a_pipeline("one", id="narrow", settings={"maxConcurrent": 1})
    async with managed(gate, limit=3, queue=2) as manager:
        for _ in range(3):
            await start(manager, narrow)
        with pytest.raises(CapacityReached):
            await start(manager, narrow)
        await start(manager)
        await until(lambda: statuses(manager).count("RUNNING") == 2)
        await turns()
        assert statuses(manager) == ["RUNNING", "QUEUED", "QUEUED", "RUNNING"]
        gate.opened.set()
        await until(lambda: set(statuses(manager)) == {"COMPLETED"})


class Turnstile:
    """An act in which each execution waits until it is let through; `inside` are those that do."""

    def __init__(self) -> None:
        self.inside: dict[str, asyncio.Event] = {}
        self.entered: list[str] = []

    async def __call__(self, call: StageCall[Any]) -> object:
        passed = self.inside[call.execution_id] = asyncio.Event()
        self.entered.append(call.execution_id)
        try:
            await passed.wait()
        finally:
            del self.inside[call.execution_id]
        return "done"


@pytest.mark.parametrize("own_limit", [1, 2, 3])
async def test_an_end_lets_in_no_more_than_the_pipelines_own_limit(own_limit: int) -> None:
    """However many of them wait, and however much room there is otherwise; in their order."""
    turnstile = Turnstile()
    narrow = a_pipeline("one", id="narrow", settings={"maxConcurrent": own_limit})
    async with managed(turnstile, limit=10, queue=10) as manager:
        ids = [await start(manager, narrow) for _ in range(6)]
        for number, id in enumerate(ids):
            running = min(own_limit, len(ids) - number)
            await until(lambda running=running: len(turnstile.inside) >= running)  # type: ignore[misc]
            await turns()
            assert list(turnstile.inside) == ids[number : number + own_limit]
            turnstile.inside[id].set()
            await ended(manager, id)
        assert turnstile.entered == ids


async def test_a_full_engine_lets_in_one_for_each_that_ends() -> None:
    """Never more than its limit, whoever ends."""
    turnstile = Turnstile()
    async with managed(turnstile, limit=3, queue=10) as manager:
        ids = [await start(manager) for _ in range(7)]
        await until(lambda: len(turnstile.inside) == 3)
        for id in (ids[1], ids[0], ids[3]):
            turnstile.inside[id].set()
            await ended(manager, id)
            await until(lambda: len(turnstile.inside) >= 3)
            await turns()
            assert len(turnstile.inside) == 3
        assert turnstile.entered == ids[:6]


async def test_a_cancel_before_the_first_step_keeps_the_stages_from_running() -> None:
    """The task is there, and has not begun."""
    gate = Gate()
    async with managed(gate, limit=1) as manager:
        id = await start(manager)
        assert (await manager.cancel(id)).status is Status.CANCELLED
        other = await start(manager)
        await until(lambda: manager.get(other).status is Status.RUNNING)
        assert manager.get(id).sequence == 2
        with pytest.raises(AlreadyEnded):
            await manager.cancel(id)


async def test_a_cancel_lasts_until_the_stage_has_stopped() -> None:
    """CANCELLING until then; force can follow once, and reaches the runner's Stop."""
    slow, stops = SlowToStop(), list[Stop]()

    async def act(call: StageCall[Any]) -> object:
        stops.append(call.stop)
        return await slow(call)

    async with managed(act) as manager:
        id = await start(manager)
        await until(slow.entered.is_set)
        assert (await manager.cancel(id, "enough")).status is Status.CANCELLING
        await until(slow.stopping.is_set)
        with pytest.raises(Conflict, match="use force"):
            await manager.cancel(id)
        assert not stops[0].force.is_set()
        await manager.cancel(id, forced=True)
        assert stops[0].force.is_set()
        with pytest.raises(Conflict):
            await manager.cancel(id, forced=True)
        assert manager.get(id).status is Status.CANCELLING
        slow.opened.set()
        after = await ended(manager, id)
        assert (after.status, after.stages[0].status) == ("CANCELLED", "CANCELLED")
        assert (slow.cancels, slow.cleaned) == (1, True)


async def test_a_cancel_while_a_time_limit_stops_the_stage_is_not_lost() -> None:
    """There is no other attempt and no next stage."""
    slow = SlowToStop()
    async with managed(slow) as manager:
        id = await start(manager, a_pipeline("one", "two", timeoutMs=20, retryCount=1))
        await until(slow.stopping.is_set)
        assert (await manager.cancel(id)).status is Status.CANCELLING
        await turns()
        slow.opened.set()
        after = await ended(manager, id)
        assert after.status is Status.CANCELLED
        assert [(stage.status, stage.attempt) for stage in after.stages] == [
            ("CANCELLED", 1),
            ("PENDING", 0),
        ]
        assert slow.cancels == 1


async def test_a_cancel_in_the_tick_of_the_end_finds_one_of_both() -> None:
    """Accepted, and then CANCELLED; or refused because it has ended."""
    for after_turns in range(12):
        gate = Gate()
        async with managed(gate) as manager:
            id = await start(manager)
            await until(gate.entered.is_set)
            gate.opened.set()
            await turns(after_turns)
            try:
                await manager.cancel(id)
                expected = Status.CANCELLED
            except AlreadyEnded:
                expected = Status.COMPLETED
            assert (await ended(manager, id)).status is expected


async def test_closing_ends_everything_as_a_shutdown() -> None:
    """What waits, what has not begun and what runs; a cancel that was accepted stays one."""
    gate = Gate()
    async with managed(gate, limit=3, queue=5) as manager:
        running, cancelled = await start(manager), await start(manager)
        await until(lambda: manager.get(cancelled).status is Status.RUNNING)
        unbegun, waiting = await start(manager), await start(manager)
        await manager.cancel(cancelled)
        await manager.close(grace=0)
        for id in (running, unbegun, waiting):
            after = manager.get(id)
            assert (after.status, after.end_reason) == ("FAILED", EndReason.SERVER_SHUTDOWN)
            assert after.error is not None and after.error.type == "ServerShutdown"
        assert manager.get(cancelled).status is Status.CANCELLED
        assert (manager.get(waiting).sequence, manager.get(unbegun).stages[0].attempt) == (2, 1)


async def test_closing_gives_what_runs_the_time_to_finish() -> None:
    """And starts nothing more."""
    gate = Gate()
    async with managed(gate) as manager:
        id = await start(manager)
        await until(gate.entered.is_set)
        closing = asyncio.create_task(manager.close(grace=30))
        await turns()
        with pytest.raises(Unavailable):
            await start(manager)
        with pytest.raises(Unavailable):
            await manager.engine.submit(manager.get(id), ONE)
        gate.opened.set()
        await closing
        assert manager.get(id).status is Status.COMPLETED


async def test_a_second_close_hastens_the_first() -> None:
    """Both return when everything has ended."""
    gate = Gate()
    async with managed(gate) as manager:
        id = await start(manager)
        await until(gate.entered.is_set)
        first = asyncio.create_task(manager.close(grace=60))
        await turns()
        async with asyncio.timeout(30):
            await manager.close(grace=0)
            await first
        assert manager.get(id).end_reason is EndReason.SERVER_SHUTDOWN


async def stopped_by_force(call: StageCall[Any]) -> object:
    """An act that nothing else stops."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await call.stop.force.wait()
    return None


async def test_a_long_grace_is_cut_short_when_the_server_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a cancelled stage would be given otherwise; then it is stopped by force."""
    monkeypatch.setattr(embedded, "SHUTDOWN_GRACE_SECONDS", 0.05)
    async with managed(stopped_by_force, grace=40) as manager:
        id = await start(manager)
        await until(lambda: manager.get(id).current_stage)
        async with asyncio.timeout(20):
            await manager.close(grace=0)
        after = manager.get(id)
        assert (after.end_reason, after.stages[0].status) == ("SERVER_SHUTDOWN", "CANCELLED")


async def test_a_short_grace_is_not_made_longer_when_the_server_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stage has no more time then than it has after a cancel."""
    monkeypatch.setattr(embedded, "SHUTDOWN_GRACE_SECONDS", 40)
    async with managed(stopped_by_force, grace=0) as manager:
        id = await start(manager)
        await until(lambda: manager.get(id).current_stage)
        async with asyncio.timeout(20):
            await manager.close(grace=0)
        assert manager.get(id).stages[0].status == "CANCELLED"


async def test_what_refuses_to_stop_is_told_as_ended_too() -> None:
    """Nobody waits for it longer than its grace and a second; its readers get their end."""
    slow = SlowToStop()
    async with managed(slow, grace=-0.9) as manager:
        id = await start(manager)
        await until(slow.entered.is_set)
        kinds = asyncio.create_task(read(manager, id))
        await manager.close(grace=0)
        assert not slow.cleaned
        assert manager.get(id).end_reason is EndReason.SERVER_SHUTDOWN
        assert (await kinds)[-1] is Status.FAILED
        slow.opened.set()
        await until(lambda: slow.cleaned)
        await turns()


async def read(manager: ExecutionManager, id: str) -> list[Status]:
    return [change.execution.status async for change in manager.watch(id)]


class BrokenExecutor(PipelineExecutor):
    """One with a bug."""

    async def run(self, execution: Execution, pipeline: Pipeline, sink: Sink, stop: Stop) -> None:
        raise LookupError("a bug")


async def test_a_bug_of_the_executor_is_told_and_logged(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Its execution ends as FAILED, the next one begins."""
    engine = EmbeddedEngine(
        BrokenExecutor({}, clock, MemoryStores(), AtOnce()), clock, limit=1, queue=5
    )
    with caplog.at_level(logging.ERROR, "runcast"):
        async with ExecutionManager(engine, clock) as manager:
            ids = [await start(manager) for _ in range(2)]
            for id in ids:
                after = await ended(manager, id)
                assert after.status is Status.FAILED
                assert after.error is not None and after.error.type == "InternalError"
    assert len(caplog.records) == 2
    assert all(record.exc_info for record in caplog.records)
