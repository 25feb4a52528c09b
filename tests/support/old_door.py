"""The doors of the old clients on a real socket, in front of stages that a test plays."""

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from memory_stores import AtOnce
from patience import until
from runcast.core.clock import SystemClock
from runcast.core.engines.embedded import EmbeddedEngine
from runcast.core.errors import RuncastError
from runcast.core.history import History
from runcast.core.live.manager import ExecutionManager
from runcast.core.pipelines.library import PipelineLibrary
from runcast.core.pipelines.pipeline import Pipeline
from runcast.core.results.files import ExecutionFiles
from runcast.core.results.outputs import Outputs
from runcast.core.running.executor import PipelineExecutor
from runcast.resolvers.context import Context
from runcast.resolvers.tools import CliTools
from runcast.rest_compat import answers, routes as rest
from runcast.rest_compat.socket import OldSocket, upgrade_failed
from runcast.server.process_settings import SHIPPED
from samples import a_pipeline, a_request
from scripted_stages import ScriptedRunner
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, Router, WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect


async def at_once(execution_id: str) -> None:
    """Keeps nothing, so there is nothing to wait for."""


@dataclass
class Door:
    """A server that listens; everything about it is in this process and this event loop."""

    manager: ExecutionManager
    address: str
    port: int
    client: httpx.AsyncClient
    server: uvicorn.Server
    sockets: OldSocket

    async def start(self, pipeline: Pipeline | None = None, input: str = "hello") -> str:
        """The id of a new execution."""
        started = await self.manager.start(a_request(input), pipeline or a_pipeline())
        return started.execution.id

    async def ended(self, id: str) -> None:
        await until(lambda: self.manager.get(id).status.terminal)

    def socket(self, path: str = "/ws", **options: Any) -> connect:
        return connect(f"ws://{self.address}{path}", **({"compression": None} | options))

    async def raw(self, request: bytes) -> bytes:
        """The whole answer to a request that no client library would send."""
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(request)
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        return answer


@dataclass
class Options:
    """What a test may set; the rest is as small as it can be."""

    runner: ScriptedRunner = field(default_factory=ScriptedRunner)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    persisted: Callable[[str], Awaitable[None]] = at_once
    admits: Callable[[str | None], bool] = lambda authorization: True
    outputs: Path = Path("no such folder")
    clock: Any = field(default_factory=SystemClock)
    grace: float = 0.5
    middleware: list[Middleware] = field(default_factory=list)


@asynccontextmanager
async def door(**given: Any) -> AsyncIterator[Door]:
    """Serves until the block is left. `given`: fields of Options."""
    with tempfile.TemporaryDirectory() as data:
        async with _door(Options(**given), Path(data)) as one:
            yield one


@asynccontextmanager
async def _door(options: Options, data: Path) -> AsyncIterator[Door]:
    files = ExecutionFiles(data, log_max=1 << 20)
    executor = PipelineExecutor({"python": options.runner}, options.clock, files, AtOnce())
    engine = EmbeddedEngine(executor, options.clock, limit=500, queue=500, grace=options.grace)
    manager = ExecutionManager(engine, options.clock)
    history = History(data, options.clock)
    library = PipelineLibrary(SHIPPED)  # not entered, so empty: each test starts its own pipelines
    ctx = Context(manager, library, history, files, options.clock, "0", options.environ)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    sockets = OldSocket(ctx, options.persisted, options.admits)
    config = uvicorn.Config(
        _app(ctx, options, sockets), log_config=None, lifespan="off", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    async with files, history, manager, _serving(server, listener):
        address = f"127.0.0.1:{port}"
        async with httpx.AsyncClient(
            base_url=f"http://{address}", timeout=30, trust_env=False
        ) as client:
            yield Door(manager, address, port, client, server, sockets)
            await manager.close(grace=0)


@asynccontextmanager
async def _serving(server: uvicorn.Server, listener: socket.socket) -> AsyncIterator[None]:
    # Not serve(): it would take the signals of the test run.
    serving = asyncio.create_task(server._serve([listener]))
    try:
        await until(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        await serving


def _app(ctx: Context, options: Options, sockets: OldSocket) -> Starlette:
    api = rest.routes(ctx, Outputs(options.outputs), CliTools(ctx.environ, ctx.clock))
    app = Starlette(
        routes=[
            WebSocketRoute("/ws", sockets.serve),
            Route("/ws", upgrade_failed, methods=["GET"]),
            Mount("/api", app=Router(api, redirect_slashes=False)),
        ],
        middleware=options.middleware,
        exception_handlers={
            RuncastError: answers.core_error,
            HTTPException: answers.http_error,
            Exception: answers.internal_error,
        },
    )
    app.router.redirect_slashes = False
    return app


async def say(socket: ClientConnection, **message: object) -> None:
    await socket.send(json.dumps(message))


async def hear(socket: ClientConnection, number: int = 1) -> list[dict[str, Any]]:
    """The next messages."""
    async with asyncio.timeout(30):
        return [json.loads(await socket.recv()) for _ in range(number)]


async def hear_to(socket: ClientConnection, type: str) -> list[dict[str, Any]]:
    """The next messages up to the first of that type."""
    heard = await hear(socket)
    while heard[-1]["type"] != type:
        heard += await hear(socket)
    return heard


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]
