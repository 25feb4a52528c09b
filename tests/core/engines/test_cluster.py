"""Executions of several processes, over a broker: replicas show them, workers run them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from memory_broker import MemoryBroker, MemoryCluster
from memory_stores import AtOnce, MemoryStores
from patience import until
from runcast.core.clock import Clock, SystemClock
from runcast.core.engines.cluster.broker import Claim
from runcast.core.engines.cluster.engine import ClusterEngine
from runcast.core.engines.cluster.worker import ClusterWorker, Store
from runcast.core.errors import AlreadyEnded, CapacityReached, Conflict, Unavailable
from runcast.core.execution.events import ChangeKind
from runcast.core.execution.model import EndReason, Execution, StageStatus, Status
from runcast.core.live.listing import ListChange
from runcast.core.live.manager import ExecutionManager
from runcast.core.pipelines.pipeline import Pipeline
from runcast.core.running.executor import INTERRUPTED, PipelineExecutor
from runcast.core.running.stages import StageCall
from samples import a_pipeline, a_request
from scripted_stages import Act, Gate, ScriptedRunner
from shifting_clock import Machine

PIPELINE = a_pipeline("one", "two", "three")
CLOCK = SystemClock()


class Worker:
    """A worker of a process of its own, which can be killed, frozen, or told to stop."""

    def __init__(
        self, cluster: MemoryCluster, clock: Clock, store: Store | None, **acts: Act
    ) -> None:
        self.broker = MemoryBroker(cluster)
        self.runner = ScriptedRunner(**acts)
        self.pipeline: Pipeline | None = PIPELINE
        executor = PipelineExecutor({"python": self.runner}, clock, MemoryStores(), AtOnce())
        self.worker = ClusterWorker(
            self.broker,
            executor,
            lambda id: self.pipeline,
            clock,
            concurrency=4,
            store=store,
        )
        self._task = asyncio.create_task(self.worker.run())

    async def stop(self, grace: float = 0) -> None:
        await self._end(self._task)
        await self.worker.close(grace)

    async def kill(self) -> None:
        """Nothing that it does from now on reaches anybody."""
        self.broker.away = True
        await self._end(self._task, *self.worker._tasks)

    async def _end(self, *tasks: "asyncio.Task[None]") -> None:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


class World:
    """Replicas and workers on one cluster."""

    def __init__(self, stack: AsyncExitStack, seed: int) -> None:
        self.cluster = MemoryCluster(seed)
        self._stack = stack
        self.workers: list[Worker] = []
        self.brokers: list[MemoryBroker] = []
        """Of the replicas."""

    async def replica(
        self, retention: float = 60, queue: int = 100, *, has_history: bool = False
    ) -> ExecutionManager:
        """One that knows all that there is."""
        broker = await self._stack.enter_async_context(MemoryBroker(self.cluster))
        self.brokers.append(broker)
        engine = ClusterEngine(broker, CLOCK, queue=queue, has_history=has_history)
        manager = ExecutionManager(engine, CLOCK, retention=retention, followers=[engine])
        await self._stack.enter_async_context(manager)
        await until(lambda: not manager.stale)
        return manager

    def worker(self, clock: Clock = CLOCK, store: Store | None = None, **acts: Act) -> Worker:
        self.workers.append(Worker(self.cluster, clock, store, **acts))
        return self.workers[-1]


@asynccontextmanager
async def a_world(seed: int = 0) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        world = World(stack, seed)
        try:
            yield world
        finally:
            for worker in world.workers:
                await worker.kill()


async def ended(manager: ExecutionManager, id: str) -> Execution:
    def has_ended() -> bool:
        return any(one.id == id and one.status.terminal for one in manager.list())

    await until(has_ended)
    return manager.get(id)


async def watched(manager: ExecutionManager, id: str) -> list[tuple[ChangeKind, int]]:
    """Everything that a watcher is told until the end."""
    return [(c.kind, c.execution.sequence) async for c in manager.watch(id)]


async def start(manager: ExecutionManager) -> str:
    return (await manager.start(a_request(), PIPELINE)).execution.id


async def test_what_one_replica_starts_all_of_them_show() -> None:
    """At once where it was started, soon on the others, and to its end on all."""
    async with a_world() as world:
        first, second = await world.replica(), await world.replica()
        id = await start(first)
        assert first.get(id).status is Status.QUEUED
        await until(lambda: second.list())
        world.worker()
        told = await asyncio.gather(watched(first, id), watched(second, id))
        for kinds in told:
            assert [number for _, number in kinds] == list(range(kinds[0][1], kinds[-1][1] + 1))
        assert first.get(id) == second.get(id)
        assert first.get(id).status is Status.COMPLETED
        assert first.epoch == second.epoch


async def test_a_replica_that_comes_later_shows_all() -> None:
    """What has ended as well as what runs, and follows that from there."""
    async with a_world() as world:
        first, gate = await world.replica(), Gate()
        done = await start(first)
        world.worker(two=gate)
        await gate.entered.wait()
        second = await world.replica()
        await until(lambda: second.get(done).stages[1].status is StageStatus.RUNNING)
        gate.opened.set()
        assert await ended(second, done) == await ended(first, done)


async def test_a_cursor_of_one_list_is_none_of_another() -> None:
    """Each replica counts the changes of its list on its own: the list comes anew, and says so."""
    async with a_world() as world:
        first, second = await world.replica(), await world.replica()
        id = await start(first)
        await until(lambda: second.list())
        stream = second.watch_list(after=str(first.list_cursor()))
        async with aclosing(stream):
            told = [await anext(stream) for _ in range(3)]
        assert [one.kind for one in told] == [
            ListChange.RESET,
            ListChange.ENTERED,
            ListChange.CAUGHT_UP,
        ]
        assert told[1].execution is not None and told[1].execution.id == id
        assert first.cursor(first.get(id)) == second.cursor(second.get(id))


async def test_any_replica_cancels_any_execution() -> None:
    """One that waits ends there; one that runs is stopped by its worker."""
    async with a_world() as world:
        first, second = await world.replica(), await world.replica()
        waiting = await start(first)
        await until(lambda: second.list())
        assert (await second.cancel(waiting)).status is Status.CANCELLED
        assert (await ended(first, waiting)).status is Status.CANCELLED
        gate = Gate()
        worker = world.worker(two=gate)
        running = await start(first)
        await gate.entered.wait()
        await until(lambda: len(second.list()) == 2)
        assert (await second.cancel(running, "enough")).status is not Status.RUNNING
        after = await ended(first, running)
        assert (after.status, gate.cancels) == (Status.CANCELLED, 1)
        assert after.cancellation is not None and after.cancellation.reason == "enough"
        assert await ended(second, running) == after
        with pytest.raises(AlreadyEnded):
            await first.cancel(running)
        assert [call.stage.id for call in worker.runner.calls] == ["one", "two"]


async def test_when_a_worker_is_killed_another_goes_on() -> None:
    """At the stage that was interrupted; what was done is not done again, nor missed."""
    async with a_world() as world:
        manager, gate = await world.replica(), Gate()
        victim = world.worker(two=gate)
        id = await start(manager)
        told = asyncio.create_task(watched(manager, id))
        await gate.entered.wait()
        await until(lambda: manager.get(id).stages[1].status is StageStatus.RUNNING)
        await victim.kill()
        heir = world.worker()
        after = await ended(manager, id)
        assert after.status is Status.COMPLETED
        assert [call.stage.id for call in heir.runner.calls] == ["two", "three"]
        assert [one.error for one in after.stages[1].attempts] == [INTERRUPTED, None]
        numbers = [number for _, number in await told]
        assert numbers == sorted(set(numbers))


async def test_a_worker_that_was_frozen_has_lost_what_it_ran() -> None:
    """It notices, stops, and nothing that it says then counts."""
    async with a_world() as world:
        manager, gate = await world.replica(), Gate("of the frozen")
        frozen = world.worker(two=gate)
        id = await start(manager)
        await gate.entered.wait()
        frozen.broker.away = True
        world.worker(two=_says("of the heir"))
        after = await ended(manager, id)
        frozen.broker.away = False
        await until(lambda: not frozen.worker._running)
        assert gate.cancels == 1
        assert manager.get(id) == after and after.output == "of the heir"
        assert world.cluster.records[id].record.execution == after


async def test_a_worker_that_stood_still_begins_nothing_more() -> None:
    """It looks whether the execution is still its own before it goes on to the next stage."""
    async with a_world() as world:
        machine = Machine()
        clock = SystemClock(machine.wall, machine.measured)
        manager, gate = await world.replica(), Gate()
        frozen = world.worker(clock, two=gate)
        id = await start(manager)
        await gate.entered.wait()
        frozen.broker.away = True
        world.worker()
        after = await ended(manager, id)
        machine.pass_by(1)
        frozen.broker.away = False
        gate.opened.set()
        await until(lambda: not frozen.worker._running)
        assert [call.stage.id for call in frozen.runner.calls] == ["one", "two"]
        assert manager.get(id) == after


async def test_a_worker_that_is_told_to_stop_hands_over_at_once() -> None:
    """Without an end, and before its lease runs out."""
    async with a_world() as world:
        manager, gate = await world.replica(), Gate()
        world.cluster.lease_seconds = 60
        leaving = world.worker(two=gate)
        id = await start(manager)
        await gate.entered.wait()
        world.worker()
        await leaving.stop()
        assert (await ended(manager, id)).status is Status.COMPLETED
        assert gate.cancels == 1


async def test_while_the_broker_is_away_stages_go_on() -> None:
    """What they have said meanwhile comes when it is back: nothing is lost, nothing comes twice."""
    async with a_world() as world:
        manager, gate = await world.replica(), Gate()
        worker = world.worker(one=gate)
        id = await start(manager)
        told = asyncio.create_task(watched(manager, id))
        await gate.entered.wait()
        await until(lambda: manager.get(id).stages[0].status is StageStatus.RUNNING)
        worker.broker.away = True
        gate.opened.set()
        await until(lambda: len(worker.runner.calls) == 3)
        assert manager.get(id).stages[0].status is StageStatus.RUNNING
        worker.broker.away = False
        assert (await ended(manager, id)).status is Status.COMPLETED
        numbers = [number for _, number in await told]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))


async def test_without_a_broker_nothing_is_started() -> None:
    """It is refused, and does not happen later."""
    async with a_world() as world:
        manager = await world.replica()
        world.brokers[0].away = True
        with pytest.raises(Unavailable):
            await start(manager)
        world.brokers[0].away = False
        assert manager.list() == [] and not world.cluster.records


async def test_one_key_starts_one_execution() -> None:
    """On whichever replicas it is asked for at the same time; another request is refused."""
    async with a_world() as world:
        replicas = [await world.replica() for _ in range(2)]
        request = a_request(idempotency_key="once")
        starts = [replicas[n % 2].start(request, PIPELINE) for n in range(6)]
        started = await asyncio.gather(*starts)
        assert len({one.execution.id for one in started}) == 1
        assert [one.existing for one in started].count(False) == 1
        assert len(world.cluster.records) == 1
        with pytest.raises(Conflict):
            await replicas[1].start(a_request(input="else", idempotency_key="once"), PIPELINE)


async def test_a_key_whose_starter_died_is_free_again() -> None:
    """It had claimed the key, and created nothing."""
    async with a_world() as world:
        manager = await world.replica()
        request = a_request(idempotency_key="once")
        world.cluster.claims["once"] = Claim("exec_gone", request.digest())
        started = await manager.start(request, PIPELINE)
        assert (started.existing, world.cluster.claims["once"].execution_id) == (
            False,
            started.execution.id,
        )


async def test_a_start_that_was_refused_does_not_run_later() -> None:
    """Its record was stored, and its answer was lost with the broker."""
    async with a_world() as world:
        manager = await world.replica()
        broker = world.brokers[0]
        broker.loses_answers_to.add("create")
        with pytest.raises(Unavailable):
            await start(manager)
        [stored] = world.cluster.records.values()
        broker.loses_answers_to.clear()
        id = stored.record.execution.id
        await until(lambda: world.cluster.records[id].record.execution.status.terminal)
        worker = world.worker()
        await start(manager)
        await until(lambda: len(worker.runner.calls) == 3)
        assert id not in {call.execution_id for call in worker.runner.calls}


async def test_what_was_offered_and_never_created_is_forgotten() -> None:
    """As its starter died between the two."""
    async with a_world() as world:
        await MemoryBroker(world.cluster).offer("exec_gone")
        world.cluster.offered[0] = world.cluster.offered[0]._replace(since=-10.0)
        world.worker()
        await until(lambda: not world.cluster.offered and not world.cluster.leased)


@pytest.mark.parametrize("stages", [None, ("one", "two")])
async def test_a_worker_leaves_what_it_does_not_know(stages: tuple[str, ...] | None) -> None:
    """A pipeline that is not in its folder, or another one there: a worker that has it runs it."""
    async with a_world() as world:
        manager = await world.replica()
        stranger = world.worker()
        stranger.pipeline = None if stages is None else a_pipeline(*stages)
        id = await start(manager)
        await until(lambda: stranger.worker._refused)
        assert manager.get(id).status is Status.QUEUED
        world.worker()
        assert (await ended(manager, id)).status is Status.COMPLETED
        assert stranger.runner.calls == []


async def test_what_takes_three_workers_along_fails() -> None:
    """And what ran beside it the first time does not: it is not beside it again."""
    async with a_world() as world:
        manager = await world.replica()
        world.cluster.lease_seconds = 0.1
        poison, innocent = Gate(), Gate()

        async def deadly(call: StageCall[Any]) -> object:
            return await (poison if call.input == "poison" else innocent)(call)

        victim = world.worker(one=deadly)
        killer = (await manager.start(a_request(input="poison"), PIPELINE)).execution.id
        other = (await manager.start(a_request(input="good"), PIPELINE)).execution.id
        await asyncio.gather(poison.entered.wait(), innocent.entered.wait())
        innocent.opened.set()
        for _ in range(2):
            await victim.kill()
            poison.entered.clear()
            victim = world.worker(one=deadly)
            await poison.entered.wait()
        await victim.kill()
        world.worker(one=deadly)
        after = await ended(manager, killer)
        assert (after.status, after.end_reason) == (Status.FAILED, EndReason.WORKER_LOST)
        assert (await ended(manager, other)).status is Status.COMPLETED


async def test_no_more_of_a_pipeline_run_than_it_allows() -> None:
    """On all workers together, also when one of them has gone; in the end all have run."""
    async with a_world() as world:
        manager = await world.replica()
        limited = a_pipeline("one", "two", "three", settings={"maxConcurrent": 2})
        running: set[str] = set()
        most = 0

        async def counted(call: StageCall[Any]) -> object:
            nonlocal most
            running.add(call.execution_id)
            most = max(most, len(running))
            await asyncio.sleep(0.01)
            running.discard(call.execution_id)
            return "done"

        workers = [world.worker(two=counted) for _ in range(2)]
        for worker in workers:
            worker.pipeline = limited
        ids = [(await manager.start(a_request(), limited)).execution.id for _ in range(6)]
        await until(lambda: running)
        await workers[0].kill()
        running.clear()
        world.worker(two=counted).pipeline = limited
        for id in ids:
            assert (await ended(manager, id)).status is Status.COMPLETED
        assert most == 2
        await until(lambda: world.cluster.holders[limited.id].ids == ())


async def test_a_second_cancel_can_force_the_first() -> None:
    """The stage that takes its time to stop has no more of it."""
    async with a_world() as world:
        manager, entered, forced = await world.replica(), asyncio.Event(), asyncio.Event()

        async def stubborn(call: StageCall[Any]) -> object:
            entered.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await call.stop.force.wait()
                forced.set()
                raise
            return None

        world.worker(two=stubborn)
        id = await start(manager)
        await entered.wait()
        await manager.cancel(id)
        assert manager.get(id).status is Status.CANCELLING
        await manager.cancel(id, forced=True)
        assert (await ended(manager, id)).status is Status.CANCELLED
        assert forced.is_set()


async def test_what_is_too_large_for_the_broker_fails() -> None:
    """In words, with what was stored of it, and it does not come back."""
    async with a_world() as world:
        manager = await world.replica()
        world.cluster.largest_record = 5000
        gate = Gate("x" * 10_000)
        world.worker(two=gate)
        id = await start(manager)
        await until(lambda: manager.get(id).stages[1].status is StageStatus.RUNNING)
        gate.opened.set()
        after = await ended(manager, id)
        assert (after.status, after.end_reason) == (Status.FAILED, EndReason.STAGE_ERROR)
        assert after.error is not None and after.error.type == "TooLarge"
        assert after.stages[0].status is StageStatus.COMPLETED
        await until(lambda: not world.cluster.leased and not world.cluster.offered)


async def test_so_many_wait_and_no_more() -> None:
    """As any replica knows; when one has left, there is room."""
    async with a_world() as world:
        manager = await world.replica(queue=2)
        first = await start(manager)
        await start(manager)
        with pytest.raises(CapacityReached):
            await start(manager)
        await manager.cancel(first)
        await start(manager)


async def test_an_end_is_stored_before_it_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the history is away the record stays, also when the lists have forgotten it; whichever
    worker is there then stores it, once."""
    monkeypatch.setattr("runcast.core.engines.cluster.worker.STORED_SECONDS", 0.02)
    monkeypatch.setattr("runcast.core.engines.cluster.engine.STORED_SECONDS", 0.02)
    history: list[Execution] = []
    is_there = False

    async def store(execution: Execution) -> bool:
        if is_there:
            history.append(execution)
        return is_there

    async with a_world() as world:
        manager = await world.replica(retention=0.1, has_history=True)
        first = world.worker(store=store)
        ids = {await start(manager) for _ in range(3)}
        await until(lambda: not manager.list())
        await first.kill()
        assert set(world.cluster.records) == ids
        is_there = True
        world.worker(store=store)
        await until(lambda: not world.cluster.records)
        assert sorted(one.id for one in history) == sorted(ids)
        assert {one.status for one in history} == {Status.COMPLETED}


async def test_records_go_when_their_execution_has_left_the_lists() -> None:
    """Here, or on a replica that starts later."""
    async with a_world() as world:
        manager = await world.replica(retention=0.05)
        world.worker()
        id = await start(manager)
        await until(lambda: not world.cluster.records)
        assert id not in {one.id for one in manager.list()}


FAULTS = st.lists(
    st.tuples(st.sampled_from(["kill", "freeze", "stop", "start", "cancel"]), st.integers(0, 9)),
    max_size=6,
)


async def play(seed: int, faults: list[tuple[str, int]]) -> None:
    async with a_world(seed) as world:
        replicas = [await world.replica() for _ in range(2)]
        world.cluster.lease_seconds = 0.1
        done: list[tuple[str, str]] = []

        def a_worker() -> Worker:
            return world.worker(**{one: _noting(done) for one in ("one", "two", "three")})

        alive = [a_worker(), a_worker()]
        ids = [await start(replicas[0]) for _ in range(3)]
        for fault, number in faults:
            await asyncio.sleep(0.001 * number)
            if fault == "start":
                ids.append(await start(replicas[number % 2]))
            elif fault == "cancel":
                with suppress(AlreadyEnded, Unavailable):
                    await replicas[0].cancel(ids[number % len(ids)])
            elif fault == "freeze":
                frozen = alive[number % len(alive)]
                frozen.broker.away = not frozen.broker.away
            else:
                worker = alive.pop(number % len(alive))
                await (worker.kill() if fault == "kill" else worker.stop())
                alive.append(a_worker())
        alive.append(a_worker())
        for id in ids:
            ends = [await ended(replica, id) for replica in replicas]
            assert ends[0] == ends[1]
            assert all(
                stage.status.terminal or ends[0].status is not Status.COMPLETED
                for stage in ends[0].stages
            )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), FAULTS)
def test_every_execution_comes_to_one_end(seed: int, faults: list[tuple[str, int]]) -> None:
    """Whatever happens to workers: the same on all replicas, and no stage is done twice."""

    asyncio.run(play(seed, faults))


def _says(value: str) -> Act:
    async def act(call: StageCall[Any]) -> object:
        return value

    return act


def _noting(done: list[tuple[str, str]]) -> Act:
    async def act(call: StageCall[Any]) -> object:
        await asyncio.sleep(0.003)
        done.append((call.execution_id, call.stage.id))
        return call.input

    return act
