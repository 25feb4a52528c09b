"""A worker: a process that runs executions of a cluster, and shows nothing but its health."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from functools import partial

import click
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.loops.auto import auto_loop_factory

from .. import __version__
from ..core.clock import SystemClock
from ..core.engines.cluster.broker import Broker
from ..core.engines.cluster.worker import ClusterWorker
from ..core.errors import NotFound
from ..core.execution.model import Execution
from ..core.history import History
from ..core.pipelines.library import PipelineLibrary
from ..core.pipelines.pipeline import Pipeline
from ..core.results.files import ExecutionFiles
from ..core.results.remains import SharedRemains
from ..rest_compat.answers import answer
from .cluster import broker_of, process_name
from .listener import address, listening
from .loop_watch import LoopWatch
from .runners import Runners
from .signals import HASTENS, LIKE_SIGTERM
from .startup import DATA_WAIT_SECONDS, started
from .stored_history import history_of
from .worker_settings import WorkerSettings


def run(settings: WorkerSettings) -> None:
    """Works until a signal ends it: with grace, and at once when it comes again.

    Raises:
        CannotStart: the data folder, the port or the broker's settings cannot be used.
    """
    with (
        started(settings.data, DATA_WAIT_SECONDS),
        # The loop that servers have, too: uvloop where it is installed.
        asyncio.Runner(loop_factory=auto_loop_factory()) as runner,
    ):
        runner.run(_Worker(settings).run())
    click.echo("runcast: stopped", err=True)


class _Worker:
    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        clock = SystemClock()
        self._files = ExecutionFiles(
            settings.data,
            log_max=settings.log_max,
            shared=settings.shared,
            has_history=settings.has_history,
        )
        # It says nothing of what runs, and so leaves nothing without an end.
        remains = SharedRemains(self._files.remains)
        self._history = history_of(settings, clock, remains) if settings.has_history else None
        self._runners = Runners(self._files, clock)
        self._broker = broker_of(settings)
        self._pipelines = self._runners.library(settings, None)
        self._worker = ClusterWorker(
            self._broker,
            self._runners.executor,
            self._pipeline,
            clock,
            concurrency=settings.concurrency,
            grace=settings.grace,
            ended=self._files.remove_workdir,
            store=None if self._history is None else partial(stored, self._history),
        )
        self._told_to_stop = asyncio.Event()
        self._told_again = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (*HASTENS, *LIKE_SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, self._stop)
        with LoopWatch():
            click.echo(f"runcast {__version__}: worker {process_name()}", err=True)
            async with (
                self._files,
                self._history or nullcontext(),
                self._runners,
                self._pipelines,
                self._broker,
                health(self._settings, self._broker, self._pipelines),
            ):
                await self._work()

    def _pipeline(self, id: str) -> Pipeline | None:
        with suppress(NotFound):
            return self._pipelines.get(id)
        return None

    def _stop(self) -> None:
        (self._told_again if self._told_to_stop.is_set() else self._told_to_stop).set()

    async def _work(self) -> None:
        await self._pipelines.settled()
        working = asyncio.create_task(self._worker.run())
        stopping = asyncio.create_task(self._told_to_stop.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            stopping.cancel()
            working.result()
        working.cancel()
        await asyncio.wait([working])
        click.echo("runcast: stopping", err=True)
        closing = asyncio.create_task(self._worker.close(self._settings.shutdown_grace))
        again = asyncio.create_task(self._told_again.wait())
        await asyncio.wait([closing, again], return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        if not closing.done():
            await self._worker.close(0)
        await closing


async def stored(history: History, execution: Execution) -> bool:
    """Whether the history has its end. If not, it is asked again, here or elsewhere."""
    history.note(execution)
    is_stored = await history.committed(execution.id)
    history.departed(execution.id)
    return is_stored


@asynccontextmanager
async def health(
    settings: WorkerSettings, broker: Broker, pipelines: PipelineLibrary
) -> AsyncIterator[None]:
    """Serves /healthz and /readyz meanwhile, if there is a port for them."""
    if settings.port is None:
        yield
        return

    async def healthz(request: Request) -> Response:
        return answer({"status": "ok"})

    async def readyz(request: Request) -> Response:
        problems = []
        if not broker.available:
            problems.append("the broker is away")
        if not pipelines.ready:
            problems.append("the pipelines are still being read")
        if problems:
            return answer({"status": "not ready", "problems": problems}, 503)
        return answer({"status": "ready"})

    app = Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])
    server = _HealthServer(uvicorn.Config(app, log_config=None, access_log=False))
    with listening(settings.host, settings.port) as listener:
        click.echo(f"  Health  http://{address(listener)}/readyz", err=True)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving


class _HealthServer(uvicorn.Server):
    """Leaves signals to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
