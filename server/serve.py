"""A running server: its socket, its log, what it prints, and how it stops."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

import click
import uvicorn

from .. import __version__
from ..core.fairness import LoopBudget
from ..core.pipelines.reader import FileReader
from ..resolvers.context import Context
from .app import create_app
from .cluster import check_broker
from .collector import Collector, uncollected
from .connections.descriptors import share_for_connections
from .connections.open_connections import OpenConnections
from .connections.web_socket import WebSocketConnection
from .connections.wire import Shared
from .connections.wires import wires
from .data import DataLock
from .listener import address, listening
from .message_size import MARGIN, MAX_BYTES
from .settings import Settings
from .signals import LIKE_SIGTERM, Stopping, taken_like_sigterm
from .startup import DATA_WAIT_SECONDS, started

SWITCH_SECONDS = 0.001
SHUTDOWN_GRACE_SECONDS = 3.0
LOOK_SECONDS = 0.1
GRACEFUL_SECONDS = 1
LAST_WORDS_SECONDS = 1.0
READING_SECONDS = 0.002
"""Of each round of the loop, for what arrives. uvloop accepts one connection a round: long rounds
would keep those waiting that come."""
PING_SECONDS = 12.0
PONG_SECONDS = 12.0
"""Who does not answer a socket's ping is gone within 30 s."""


class Server(uvicorn.Server):
    """Says that it listens, and ends executions and subscriptions before it closes connections.

    SIGINT, SIGTERM, SIGHUP and SIGQUIT stop it. What runs has `SHUTDOWN_GRACE_SECONDS`, or no time
    at all once SIGINT or SIGTERM comes again. uvicorn's lifespan shutdown runs only after every
    connection is gone, and a subscription to an execution that runs never goes by itself.
    """

    def __init__(self, config: uvicorn.Config, ctx: Context, greet: Callable[[], None]) -> None:
        super().__init__(config)
        self._ctx = ctx
        self._greet = greet
        self._stopping = Stopping()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with taken_like_sigterm(self.handle_exit), super().capture_signals():
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._stopping.hastened_by(sig):
            self.force_exit = True
        elif not self.should_exit:
            super().handle_exit(signal.SIGTERM if sig in LIKE_SIGTERM else sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._greet()

    async def main_loop(self) -> None:
        with Collector():
            await super().main_loop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        manager = self._ctx.manager
        closing = asyncio.create_task(manager.close(SHUTDOWN_GRACE_SECONDS))
        while not (closing.done() or self.force_exit):
            await asyncio.wait([closing], timeout=LOOK_SECONDS)
        if self.force_exit:
            await manager.close(0)
        await closing
        if not self.force_exit:
            await self._last_words()
        await super().shutdown(sockets)
        if self.force_exit:
            # uvicorn leaves that out then; the history would not be written to its end.
            await self.lifespan.shutdown()

    async def _last_words(self) -> None:
        """Who follows something is told its end before the connection goes, if it listens."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                while self._ctx.manager.subscribers:  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_SECONDS)


def run(settings: Settings, reader: FileReader | None = None) -> None:
    """Serves until a signal ends it; `reader` reads the pipelines, if it has been started early.

    Raises:
        CannotStart: the address or the data folder cannot be used, or the pipelines not be read.
    """
    # A thread that computes gives way to the event loop after a millisecond, and not after five.
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        # The folder first: a server that is about to end has its port until then, too.
        with (
            started(settings.data, DATA_WAIT_SECONDS) as lock,
            listening(settings.host, settings.port) as listener,
        ):
            if settings.engine is not None:
                check_broker(settings)
            _serve(settings, listener, lock, reader)
    except KeyboardInterrupt:
        click.echo("runcast: stopped", err=True)


def _serve(
    settings: Settings, listener: socket.socket, lock: DataLock, reader: FileReader | None
) -> None:
    with uncollected():
        app = create_app(settings, lock, reader)
    ctx: Context = app.state.ctx
    share = share_for_connections(settings.max_connections, settings.max_concurrent)
    connections = OpenConnections(share.connections, settings.max_strangers)
    config = uvicorn.Config(
        app,
        http=wires(Shared(LoopBudget(seconds=READING_SECONDS), connections)),  # type: ignore[arg-type]  # it is called only
        ws=WebSocketConnection,
        log_config=None,
        access_log=False,
        server_header=False,
        # uvicorn would believe everybody on this machine; `BehindProxies` believes who is trusted.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        ws_per_message_deflate=False,
        # A little more than is allowed, so that who sends it is told why.
        ws_max_size=MAX_BYTES + MARGIN,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PONG_SECONDS,
        backlog=share.backlog,
    )
    greet = partial(_greet, ctx, listener, settings)
    Server(config, ctx, greet).run(sockets=[listener])


def _greet(ctx: Context, listener: socket.socket, settings: Settings) -> None:
    place = address(listener)
    pipelines = ", ".join(pipeline.id for pipeline in ctx.pipelines.all()) or "none"
    origin = settings.pipelines or "shipped with runcast"
    click.echo(f"runcast {__version__}")
    click.echo(f"  Live page  http://{place}/")
    click.echo(f"  GraphQL    http://{place}/graphql  (playground in a browser)")
    click.echo(f"             ws://{place}/graphql  (subscriptions, graphql-transport-ws)")
    click.echo(f"  REST       http://{place}/api/executions")
    click.echo(f"  Health     http://{place}/healthz  http://{place}/readyz")
    click.echo(f"  Pipelines  {pipelines}  ({origin})")
    click.echo("Stop with Ctrl+C.")
