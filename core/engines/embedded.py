"""The engine that runs executions in this process, a bounded number at a time."""

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from ..clock import Clock
from ..errors import CapacityReached, RuncastError, Unavailable
from ..execution.events import CancelRequested, Ended, Event, Submitted
from ..execution.model import EndReason, Execution, Failure, Status
from ..live.engine import Receiver
from ..live.launch import random_word
from ..pipelines.pipeline import Pipeline
from ..running.executor import SHUTDOWN, PipelineExecutor
from ..running.stages import GRACE_SECONDS, Stop

SHUTDOWN_GRACE_SECONDS = 3.0
"""The longest grace period of a stage when the server stops."""

logger = logging.getLogger("runcast.engine")


@dataclass(slots=True, eq=False)
class _Run:
    execution: Execution
    pipeline: Pipeline
    stop: Stop
    task: "asyncio.Task[None] | None" = None
    began: bool = False
    dismissed: bool = False
    """Cancelled before it began."""

    def cancel(self) -> None:
        # A task that is cancelled before its first step never enters its coroutine at all.
        if not self.began:
            self.dismissed = True
        elif self.task is not None and not self.task.cancelling():
            self.task.cancel()


class EmbeddedEngine:
    """Runs at most `limit` executions at once; at most `queue` more wait, first come, first served.

    A pipeline's own `maxConcurrent` holds back its executions, not those behind them.
    """

    name = "embedded"
    stale = False

    def __init__(
        self,
        executor: PipelineExecutor,
        clock: Clock,
        *,
        limit: int,
        queue: int,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self.epoch = random_word()
        self._executor = executor
        self._clock = clock
        self._limit = limit
        self._queue = queue
        self._grace = grace
        self._closing = False
        self._waiting: dict[str, _Run] = {}
        self._running: dict[str, _Run] = {}

    async def open(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def submit(self, execution: Execution, pipeline: Pipeline) -> str:
        self._check_capacity(pipeline)
        run = _Run(execution, pipeline, Stop(grace=self._grace))
        self._waiting[execution.id] = run
        self._receiver.apply(Submitted(execution.id, execution.started_at, execution))
        self._start_next()
        return execution.id

    async def cancel(self, execution_id: str, reason: str | None, *, forced: bool) -> None:
        run = self._running.get(execution_id)
        self._waiting.pop(execution_id, None)
        now = self._clock.now()
        self._receiver.apply(CancelRequested(execution_id, now, reason, forced))
        if run is None:
            return
        if forced:
            run.stop.force.set()
        run.cancel()

    async def close(self, grace: float) -> None:
        self._closing = True
        waiting, self._waiting = self._waiting, {}
        for run in waiting.values():
            self._fail(run, EndReason.SERVER_SHUTDOWN, SHUTDOWN)
        await self._settle(grace)
        for run in self._running.values():
            run.cancel()
        if grace:
            await self._settle(min(self._grace, SHUTDOWN_GRACE_SECONDS))
        for run in self._running.values():
            run.stop.force.set()
        await self._settle(1)
        # A coroutine that refuses to end cannot be ended; nobody waits for it.
        for run in list(self._running.values()):
            self._fail(run, EndReason.SERVER_SHUTDOWN, SHUTDOWN)
        self._running.clear()

    async def _report(self, event: Event) -> None:
        self._receiver.apply(event)

    async def _settle(self, seconds: float) -> None:
        await asyncio.sleep(0)
        if tasks := [run.task for run in self._running.values() if run.task]:
            await asyncio.wait(tasks, timeout=seconds)

    def _fail(self, run: _Run, reason: EndReason, error: Failure) -> None:
        id, now = run.execution.id, self._clock.now()
        with suppress(RuncastError):  # It may have ended already.
            self._receiver.apply(Ended(id, now, Status.FAILED, reason, error=error))

    def _check_capacity(self, pipeline: Pipeline) -> None:
        if self._closing:
            raise Unavailable("the server is stopping and accepts no new executions")
        has_room = _has_room(pipeline, self._of_pipeline()) and len(self._running) < self._limit
        if not has_room and len(self._waiting) >= self._queue:
            raise CapacityReached(
                f"{len(self._running)} executions run and {len(self._waiting)} wait, which is the "
                "limit (--max-concurrent, --queue); try again when one has ended"
            )

    def _start_next(self) -> None:
        """Begins those that may run, in the order in which they came.

        It looks at those alone that it begins, and those before them whose pipeline is busy: it is
        called at each start and each end, and thousands may wait.
        """
        of_pipeline = self._of_pipeline()
        while len(self._running) < self._limit:
            waiting = self._waiting.items()
            found = next((one for one in waiting if _has_room(one[1].pipeline, of_pipeline)), None)
            if found is None:
                return
            id, run = found
            del self._waiting[id]
            self._running[id] = run
            of_pipeline[run.pipeline.id] += 1
            run.task = asyncio.create_task(self._run(run), name=id)

    def _of_pipeline(self) -> Counter[str]:
        return Counter(run.pipeline.id for run in self._running.values())

    async def _run(self, run: _Run) -> None:
        run.began = True
        try:
            if not run.dismissed:
                await self._executor.run(run.execution, run.pipeline, self._report, run.stop)
        except Exception as error:
            logger.exception("execution %s: the executor itself failed", run.execution.id)
            internal = Failure("InternalError", f"{type(error).__name__} in the executor")
            self._fail(run, EndReason.STAGE_ERROR, internal)
        finally:
            self._running.pop(run.execution.id, None)
            if not self._closing:
                self._start_next()


def _has_room(pipeline: Pipeline, running: Counter[str]) -> bool:
    """Whether the pipeline's own limit lets one more of its executions run."""
    own_limit = pipeline.settings.max_concurrent
    return own_limit is None or running[pipeline.id] < own_limit
