"""Runs what it leases, wherever it was begun."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TypeAlias

from ...clock import Clock
from ...errors import Unavailable
from ...execution.model import EndReason, Execution, Failure, Status
from ...pipelines.pipeline import Pipeline
from ...running.executor import SHUTDOWN, PipelineExecutor
from ...running.stages import GRACE_SECONDS
from .broker import PATIENCE_SECONDS, Broker, Lease, Stored, Superseded
from .ledger import Ledger, say_again, taken
from .limits import PipelineLimits
from .run import Run

RENEWALS = 3
"""How often a lease is renewed within its length."""
PAUSE_SECONDS = 0.5
RELEASED_SECONDS = 0.5
"""When what this worker could not take may be leased again."""
STORED_SECONDS = 5.0
"""When it is tried again to store an end in the history."""
RECORD_SECONDS = 0.02
MOST_LOST = 3
RELEASE_SECONDS = 2.0
"""How long what was said last may take to reach the broker when a worker stops."""

Store: TypeAlias = Callable[[Execution], Awaitable[bool]]

logger = logging.getLogger("runcast.worker")


class ClusterWorker:
    """Leases executions, at most `concurrency` at once, and runs each from where it is."""

    def __init__(
        self,
        broker: Broker,
        executor: PipelineExecutor,
        pipeline: Callable[[str], Pipeline | None],
        clock: Clock,
        *,
        concurrency: int,
        grace: float = GRACE_SECONDS,
        ended: Callable[[str], None] = lambda execution_id: None,
        store: Store | None = None,
    ) -> None:
        """`pipeline` has the one of an id, or None if there is none here. `ended` is called when
        an execution runs here no more; `store`, if there is a history, to have its end in there:
        it returns whether it is."""
        self._broker = broker
        self._executor = executor
        self._pipeline = pipeline
        self._clock = clock
        self._slots = asyncio.Semaphore(concurrency)
        self._limits = PipelineLimits(broker)
        self._alone = asyncio.Lock()
        self._grace = grace
        self._ended = ended
        self._store = store
        self._running: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused: set[str] = set()
        """Pipelines that are not here: each is told once."""

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._leasing())
            tasks.create_task(self._listening())

    async def close(self, grace: float) -> None:
        """Leases nothing more; what has not ended after `grace` seconds goes on elsewhere.

        `run` was cancelled before.
        """
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for run in self._running.values():
            run.release()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=RELEASE_SECONDS)
        # Without the broker, what they have not said is lost, and their leases run out.
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _leasing(self) -> None:
        while True:
            await self._slots.acquire()
            async with self._alone:
                pass
            try:
                lease = await self._broker.lease()
            except Unavailable:
                self._slots.release()
                await self._clock.sleep(PAUSE_SECONDS)
                continue
            task = asyncio.create_task(self._hold(lease), name=lease.execution_id)
            self._tasks.add(task)
            task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the lease of %s has failed", task.get_name(), exc_info=error)

    async def _listening(self) -> None:
        async for execution_id in self._broker.signals():
            if run := self._running.get(execution_id):
                run.hurry()

    async def _hold(self, lease: Lease) -> None:
        id = lease.execution_id
        if id in self._running:
            # After an outage it has come back to who runs it still.
            self._running[id].adopt(lease)
            return
        try:
            stored = await self._broker.read(id)
            if stored is None or stored.record.execution.status.terminal:
                await self._put_back(lease, stored)
                return
            pipeline = self._found(stored.record.execution)
            if (
                pipeline is None
                or self._alone.locked()
                or not await self._limits.acquire(pipeline, id)
            ):
                await lease.release(RELEASED_SECONDS)
                return
            if stored.record.leased:
                async with self._nothing_else(lease):
                    await self._take(lease, stored, pipeline)
            else:
                await self._take(lease, stored, pipeline)
        except (Superseded, Unavailable):
            # Without the broker the lease runs out by itself.
            with suppress(Unavailable):
                await lease.release(RELEASED_SECONDS)

    async def _put_back(self, lease: Lease, stored: Stored | None) -> None:
        """Of what there is nothing to run; what has no record may be about to get it."""
        if stored is not None:
            await say_again(self._broker, stored.record)
            await self._finish(lease, stored)
        elif lease.age < 2 * PATIENCE_SECONDS:
            await lease.release(RECORD_SECONDS)
        else:
            await lease.settle()

    async def _finish(self, lease: Lease, stored: Stored) -> None:
        """Has the end stored; until it is, the lease comes back, to whoever it is then."""
        record = stored.record
        if self._store is not None and not record.stored:
            if not await self._store(record.execution):
                await lease.release(STORED_SECONDS)
                return
            with suppress(Superseded):  # Then somebody else does it again.
                await self._broker.write(replace(record, stored=True), stored.revision)
        await lease.settle()

    def _found(self, execution: Execution) -> Pipeline | None:
        """The pipeline of the execution, if this worker has it as it was when that was started."""
        id = execution.pipeline_id
        pipeline = self._pipeline(id)
        stages = tuple(stage.id for stage in execution.stages)
        if pipeline is not None and tuple(stage.id for stage in pipeline.stages) == stages:
            self._refused.discard(id)
            return pipeline
        if id not in self._refused:
            self._refused.add(id)
            what = "is not here" if pipeline is None else "has other stages here"
            logger.warning(
                "the pipeline %r %s: its executions wait for a worker that has it (--pipelines)",
                id,
                what,
            )
        return None

    @asynccontextmanager
    async def _nothing_else(self, lease: Lease) -> AsyncIterator[None]:
        """Whatever went with its worker runs alone: if it takes this one along, then no other."""
        async with self._alone:
            renewing = asyncio.create_task(self._renewing(lease))
            try:
                this = asyncio.current_task()
                if others := {task for task in self._tasks if task is not this}:
                    await asyncio.wait(others)
            finally:
                renewing.cancel()
            yield

    async def _renewing(self, lease: Lease) -> None:
        while True:
            with suppress(Unavailable):
                await lease.renew()
            await self._clock.sleep(self._pause)

    @property
    def _pause(self) -> float:
        """Seconds between two renewals."""
        return self._broker.lease_seconds / RENEWALS

    async def _take(self, lease: Lease, stored: Stored, pipeline: Pipeline) -> None:
        id = lease.execution_id
        ledger = Ledger(self._broker, await taken(self._broker, stored), self._clock)
        run = self._running[id] = Run(lease, ledger, self._pause, self._grace)
        try:
            async with run.kept():
                ledger.heed()
                await self._run(run, ledger, pipeline)
                await ledger.settled()
            # What is lost is somebody else's: so is its lease.
            if run.is_released and not ledger.is_lost:
                await ledger.hand_over()
                await run.lease.release()
            elif not ledger.is_lost:
                await self._limits.release(pipeline, id)
                await self._finish(run.lease, ledger.stored)
        finally:
            del self._running[id]
            self._ended(id)

    async def _run(self, run: Run, ledger: Ledger, pipeline: Pipeline) -> None:
        """To its end, unless it is not ours any more or released before."""
        execution = ledger.execution
        if execution.status.terminal:
            return
        if ledger.lost_workers >= MOST_LOST:
            gone = Failure("WorkerLost", f"{MOST_LOST} workers in a row have gone while it ran")
            ledger.fail(EndReason.WORKER_LOST, gone)
        elif execution.status is Status.CANCELLING:
            ledger.fail(EndReason.SERVER_SHUTDOWN, SHUTDOWN)
        else:
            try:
                await run.until_over(self._executor.run(execution, pipeline, ledger, run.stop))
            except Exception as error:
                logger.exception("execution %s: the executor itself failed", execution.id)
                internal = Failure("InternalError", f"{type(error).__name__} in the executor")
                ledger.fail(EndReason.STAGE_ERROR, internal)
