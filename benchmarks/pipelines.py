"""What changed pipeline files cost everybody else: `python benchmarks/pipelines.py`.

Starts a server for each row and changes files in its pipelines folder. Meanwhile a client in
another process asks for `/healthz` over and over. Printed are how late the server's event loop was
and how long the client waited, and beside that the same for the simple way: once per second the
files that have changed are parsed in the event loop.
"""

import argparse
import asyncio
import http.client
import multiprocessing
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import uvicorn
import uvloop
from runcast.core.pipelines.listing import Look, Stamp
from runcast.core.pipelines.pipeline_file import PipelineFileError, load
from runcast.server.app import create_app
from runcast.server.connections.open_connections import OpenConnections
from runcast.server.connections.web_socket import WebSocketConnection
from runcast.server.connections.wire import Shared
from runcast.server.connections.wires import wires
from runcast.server.serve import Server
from runcast.server.settings import Settings

TICK_SECONDS = 0.002
WAYS = ("runcast", "in the loop")
HEAD = "pipeline: {{id: {id}, name: A pipeline, version: 1.0.0, description: '{text}'}}\nstages:\n"
STAGE = "  - {{id: s{number}, name: Stage, command: [cat], timeoutMs: 5000}}\n"
Write = Callable[[Path], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="that are measured for each row")
    seconds: float = parser.parse_args().seconds
    print(f"{'milliseconds':36}{'event loop: p50':>18}{'p99':>8}{'max':>8}", end="")
    print(f"{'/healthz: p50':>18}{'p99':>8}{'max':>8}")
    for name, (before, change) in CHANGES.items():
        for way in WAYS:
            lags, waits = measured(way, before, change, seconds)
            print(f"{name + ', ' + way:36}{figures(lags)}{figures(waits)}", flush=True)


def files(number: int, stages: int = 3) -> Write:
    """Writes so many files, each with so many stages and not as it was."""

    def write(folder: Path) -> None:
        body = "".join(STAGE.format(number=number) for number in range(stages))
        for count in range(number):
            head = HEAD.format(id=f"p{count}", text=time.monotonic_ns())
            (folder / f"p{count}.yaml").write_text(head + body)

    return write


CHANGES: dict[str, tuple[Write, Write]] = {
    "nothing": (files(10), files(0)),
    "100 files": (files(100), files(100)),
    "one of 130 kB": (files(1), files(1, 2100)),
    "200 files of 3,000": (files(3000), files(200)),
    "3,000 new files": (files(0), files(3000)),
}


def figures(taken: list[float]) -> str:
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return f"{cuts[49]:18.2f}{cuts[98]:8.2f}{max(taken):8.2f}"


def measured(
    way: str, before: Write, change: Write, seconds: float
) -> tuple[list[float], list[float]]:
    """How late the loop was each time, and how long each request took, in milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        for each in ("pipelines", "none"):
            Path(name, each).mkdir()
        before(Path(name, "pipelines"))
        ours, its = multiprocessing.Pipe()
        server = multiprocessing.Process(target=serve, args=(its, way, Path(name)))
        server.start()
        client = http.client.HTTPConnection("127.0.0.1", ours.recv())
        ours.send("begin")
        change(Path(name, "pipelines"))
        waits = list(asked(client, seconds))
        ours.send("end")
        lags: list[float] = ours.recv()
        server.join()
    return lags, waits


def asked(client: http.client.HTTPConnection, seconds: float) -> list[float]:
    """How long each `/healthz` took, for so many seconds."""
    waits, end = list[float](), time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.perf_counter()
        client.request("GET", "/healthz")
        client.getresponse().read()
        waits.append((time.perf_counter() - begun) * 1000)
        time.sleep(TICK_SECONDS)
    return waits


def serve(line: Connection, way: str, folder: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(line, way, folder))


async def _serve(line: Connection, way: str, folder: Path) -> None:
    watched = folder / ("pipelines" if way == "runcast" else "none")
    app = create_app(Settings(pipelines=watched, data=folder / "data"))
    shared = Shared(app.state.ctx.loop_budget, OpenConnections(100, 100))
    connections = {"http": wires(shared), "ws": WebSocketConnection}
    config = uvicorn.Config(app, **connections, log_config=None)
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(config, app.state.ctx, lambda: None)
    # Not serve(): it would take the signals.
    serving = asyncio.create_task(server._serve([listener]))
    await until(lambda: server.started and app.state.ctx.pipelines.ready)
    others = [] if way == "runcast" else [asyncio.create_task(parse(folder / "pipelines"))]
    await asyncio.sleep(1)  # a process that has read the files at the start may rest
    line.send(listener.getsockname()[1])
    await until(line.poll)
    lags = list[float]()
    others.append(asyncio.create_task(tick(lags)))
    line.recv()
    await until(line.poll)
    for task in others:
        task.cancel()
    line.send(lags)
    server.should_exit = True
    await serving


async def until(fact: Callable[[], object]) -> None:
    while not fact():  # noqa: ASYNC110
        await asyncio.sleep(TICK_SECONDS)


async def tick(lags: list[float]) -> None:
    """Measures how late it is woken."""
    while True:
        due = time.perf_counter() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        lags.append((time.perf_counter() - due) * 1000)


async def parse(folder: Path) -> None:
    """What a library that reads its files when it is asked for one does."""
    known: dict[str, Stamp] = {}
    while True:
        for name, stamp in Look(folder)().files.items():
            if known.get(name) != stamp:
                known[name] = stamp
                with suppress(PipelineFileError):
                    load(folder / name)
        await asyncio.sleep(1)


if __name__ == "__main__":
    main()
