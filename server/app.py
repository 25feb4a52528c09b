"""The application: every room, put together."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute

from .. import __version__
from ..core.clock import SystemClock
from ..core.engines.cluster.engine import ClusterEngine
from ..core.engines.embedded import EmbeddedEngine
from ..core.errors import RuncastError
from ..core.live.engine import Engine
from ..core.live.manager import ExecutionManager
from ..core.pipelines.reader import FileReader
from ..core.results.files import ExecutionFiles
from ..core.results.output_writer import OutputWriter
from ..core.results.outputs import Outputs
from ..core.wall_clock import WallClockWatch
from ..resolvers.context import Context
from ..resolvers.tools import CliTools
from ..rest_compat import answers, routes as rest
from ..rest_compat.socket import OldSocket, upgrade_failed
from ..schema.executable import ExecutableSchema
from . import health, pages
from .cluster import broker_of, process_name
from .data import DataLock
from .express import Express
from .graphql.endpoint import GraphQLEndpoint
from .guards import LOOPBACK_NAMES, BodyLimit, Doorkeeper, bears, cross_origin
from .host import Host
from .loop_watch import LoopWatch
from .playground import Playground, PlaygroundRoute
from .proxies import BehindProxies
from .runners import Runners
from .settings import Settings
from .sniffing import Application
from .stored_history import history_of


def create_app(
    settings: Settings, lock: DataLock | None = None, reader: FileReader | None = None
) -> Starlette:
    """The whole server as an ASGI application; executions run while its lifespan does.

    `lock` is on the data folder, if other servers are to be kept out of it; `reader` reads the
    pipelines, if it has been started early.

    `app.state.ctx` is the context of its use cases.

    Raises:
        InvalidInput: there is no pipelines folder.
    """
    clock = SystemClock()
    outputs = Outputs(settings.data / "outputs")
    files = ExecutionFiles(
        settings.data,
        log_max=settings.log_max,
        outputs=outputs,
        shared=settings.shared,
        has_history=settings.has_history,
    )
    wall_clock = WallClockWatch(clock)
    runners = Runners(files, clock)
    history = history_of(
        settings,
        clock,
        # What others store there has no record here.
        files.remains if settings.shared is None else None,
        None if lock is None else lock.ensure,
    )
    writer = OutputWriter(outputs, files, history)
    broker = None if settings.engine is None else broker_of(settings)
    cluster: ClusterEngine | None = None
    engine: Engine
    if broker is None:
        engine = EmbeddedEngine(
            runners.executor,
            clock,
            limit=settings.max_concurrent,
            queue=settings.queue,
            grace=settings.grace,
        )
    else:
        engine = cluster = ClusterEngine(
            broker, clock, queue=settings.queue, has_history=settings.has_history
        )
    manager = ExecutionManager(
        engine,
        clock,
        retention=settings.retention,
        followers=(history, writer, files) if cluster is None else (cluster, files),
        memory=settings.memory << 20,
        files=files,
        past=history,
    )
    pipelines = runners.library(settings, reader)
    ctx = Context(
        manager,
        pipelines,
        history,
        files,
        clock,
        __version__,
        os.environ,
        process_name(),
        settings.debug,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with LoopWatch():
            async with (
                wall_clock,
                files,
                history,
                writer,
                runners,
                broker or nullcontext(),
                manager,
                pipelines,
            ):
                yield

    watched: dict[str, health.Watched] = {
        "history": history,
        "outputs": writer,
        "logs": files,
        "clock": wall_clock,
    }
    if cluster is not None:
        watched["broker"] = cluster
    tools = CliTools(ctx.environ, ctx.clock, runners.keeper)
    schema = ExecutableSchema(settings, introspection=settings.introspects)
    routes = _routes(ctx, schema, outputs, tools, watched, settings)
    doorkeeper = _doorkeeper(settings, routes)
    app = Application(
        routes=routes,
        middleware=_guards(settings, doorkeeper),
        exception_handlers={
            RuncastError: answers.core_error,
            HTTPException: answers.http_error,
            ClientDisconnect: answers.gone,
            Exception: answers.internal_error,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.ctx = ctx
    if not (settings.root_path or settings.trusted_proxies or settings.allow_origin):
        judge = doorkeeper(app).reason_to_refuse
        app.before = partial(Express, judge=judge, schema=schema, ctx=ctx)
    return app


def _routes(
    ctx: Context,
    schema: ExecutableSchema,
    outputs: Outputs,
    tools: CliTools,
    watched: Mapping[str, health.Watched],
    settings: Settings,
) -> list[BaseRoute]:
    token = _token(settings)
    playground = Playground()
    graphql = GraphQLEndpoint(schema, ctx, lambda said: bears(said, token), playground.page())
    old_socket = OldSocket(ctx, ctx.manager.persisted, lambda said: bears(said, token))
    api = rest.routes(ctx, outputs, tools)
    return [
        *pages.routes(),
        *playground.routes(),
        PlaygroundRoute("/graphql", graphql, methods=["GET"]),
        Route("/graphql", graphql),
        WebSocketRoute("/graphql", graphql),
        Mount("/api", app=Router(api, redirect_slashes=False)),
        Route("/ws", upgrade_failed),
        WebSocketRoute("/ws", old_socket.serve),
        *health.routes(ctx, watched),
    ]


def _doorkeeper(settings: Settings, routes: list[BaseRoute]) -> "partial[Doorkeeper]":
    known = [host for text in settings.allow_host if (host := Host.parse(text))]
    origins = {*settings.allow_origin, *(origin for host in known for origin in host.origins)}
    here = f"[{settings.host}]" if ":" in settings.host else settings.host.lower()
    # Beyond this machine the token protects; names that are given are the only ones all the same.
    closed = settings.loopback or known
    hosts = {*LOOPBACK_NAMES, here, *(host.name for host in known)} if closed else None
    return partial(Doorkeeper, hosts=hosts, token=_token(settings), origins=origins, routes=routes)


def _guards(settings: Settings, doorkeeper: "partial[Doorkeeper]") -> list[Middleware]:
    return [
        Middleware(BehindProxies, root_path=settings.root_path, trusted=settings.trusted_proxies),
        *cross_origin(settings.allow_origin),
        Middleware(doorkeeper),
        Middleware(BodyLimit),
    ]


def _token(settings: Settings) -> str | None:
    return None if settings.token is None else settings.token.get_secret_value()
