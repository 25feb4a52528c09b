"""What others notice of an attack: `python benchmarks/attack.py [--seconds 60]`.

A real server is attacked in many ways at once, by clients that know its token and by those that do
not: trailers, requests in a row, pings and fragments without end, answers that nobody reads, idle
connections, the largest query that is legal, asked for and left, details of a megabyte of nested
lists, pages of history, thousands of cancels while a hundred follow the list. Beside it, one client
asks for `/healthz`, over a new connection each time, and others start executions. Before, meanwhile
and afterwards: how long `/healthz` took, and how much memory the server had; `--draw` draws it into
`docs/images/attack.svg` (needs matplotlib). `--each` makes one attack after the other, each on a
server of its own.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

import psutil
from served import JSON_HEADERS, Served, ask, served
from stalls import CHANGES, PROTOCOL
from websockets.asyncio.client import connect

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from attackers import CONTINUATION, HOST, PING, TEXT, frame, handshake  # noqa: E402

PICTURE = ROOT / "docs" / "images" / "attack.svg"
BEFORE_SECONDS, AFTER_SECONDS = 10.0, 20.0
LOOK_SECONDS = 0.02
AGAIN_SECONDS = 0.02
PATIENCE_SECONDS = 0.5
IDLE = 1100
FOLLOWERS = 100
PIPELINES = {
    "nested.yaml": "pipeline: {id: nested, name: Nested}\nstages: [{id: a, call: 'acts:nested'}]\n",
    "many.yaml": "pipeline: {id: many, name: Many}\nstages:\n"
    + "".join(f"  - {{id: s{number}, call: 'acts:nothing'}}\n" for number in range(24)),
    "slow.yaml": "pipeline: {id: slow, name: Slow}\nstages: [{id: a, command: [sleep, '60']}]\n",
    "echo.yaml": "pipeline: {id: echo, name: Echo}\nstages: [{id: a, command: [cat]}]\n",
    "acts.py": "def nested(text):\n"
    "    return [[{'a': 'word ' * 5} for _ in range(4)] for _ in range(10_000)]\n\n\n"
    "async def nothing(text):\n    return text\n",
}
STAGE = "id index name type status attempt startTime endTime durationMs skipReason model progress"
PLACES = " ".join(f"a{number}: stages {{ {STAGE} }}" for number in range(30))
LARGEST = json.dumps({"query": f"{{ executions {{ {PLACES} }} }}"})
CANCEL = json.dumps(
    {"query": 'mutation { cancelExecutions(filter: {pipelineId: "slow"}) { matched } }'}
)
CHUNKED = (
    b"POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    + HOST
    + b"\r\n"
)
GET = b"GET /api/executions HTTP/1.1\r\n" + HOST + b"\r\n"
INIT = frame(TEXT, b'{"type":"connection_init"}')
FLOODS: dict[str, tuple[bytes, bytes]] = {
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n" * 10_000),
    "requests in a row": (b"", GET * 500),
    "pings": (handshake(), frame(PING) * 2_000),
    "fragments": (
        handshake() + INIT + frame(TEXT, b"", last=False),
        frame(CONTINUATION, last=False) * 2_000,
    ),
    "large messages": (handshake(b"/ws"), frame(TEXT, b"[" * 2_000_000)),
}


def flood(server: Served, greeting: bytes, bytes_: bytes) -> None:
    """Nothing of what is answered is read."""
    with suppress(OSError), _opened(server) as client:
        client.sendall(greeting)
        while True:
            client.sendall(bytes_)


def leave(server: Served) -> None:
    """Asks for the largest answer, and hangs up."""
    with suppress(OSError), _opened(server) as client:
        head = f"Content-Type: application/json\r\nContent-Length: {len(LARGEST)}\r\n\r\n{LARGEST}"
        client.sendall(b"POST /graphql HTTP/1.1\r\n" + HOST + head.encode())
        time.sleep(random.random() / 2)


def read(server: Served, path: str) -> None:
    ask(server.connect(), ("GET", path, None))


def cancel_many(server: Served) -> None:
    for _ in range(50):
        start(server, "slow")
    ask(server.connect(), ("POST", "/graphql", CANCEL))


def idle(server: Served) -> None:
    clients = []
    for _ in range(IDLE):
        with suppress(OSError):
            clients.append(_opened(server))
    time.sleep(5)
    for client in clients:
        client.close()


def follow(server: Served) -> None:
    asyncio.run(_follow(server))


async def _follow(server: Served) -> None:
    where = f"ws://{server.place}/graphql"
    async with connect(where, subprotocols=[PROTOCOL], proxy=None, max_size=None) as client:
        await client.send(json.dumps({"type": "connection_init"}))
        for number in range(FOLLOWERS):
            message = {"type": "subscribe", "id": str(number), "payload": {"query": CHANGES}}
            await client.send(json.dumps(message))
        async for _ in client:
            pass


def start(server: Served, pipeline: str) -> str:
    body = json.dumps({"input": "go"})
    answer = ask(server.connect(), ("POST", f"/api/pipelines/{pipeline}/run", body))
    return str(json.loads(answer)["executionId"])


def attack(server: Served, nested: str, only: list[str]) -> None:
    """In a process of its own, until that is ended; each attack begins again when it is over."""
    for name in only or ATTACKS:
        work = partial(ATTACKS[name], server, nested)
        threading.Thread(target=_again, args=(work,), daemon=True).start()
    threading.Event().wait()


ATTACKS: dict[str, Callable[[Served, str], None]] = {
    name: lambda server, nested, flooding=flooding: flood(server, *flooding)  # type: ignore[misc]
    for name, flooding in FLOODS.items()
} | {
    "queries that are left": lambda server, nested: leave(server),
    "details": lambda server, nested: read(server, f"/api/executions/{nested}"),
    "events": lambda server, nested: read(server, f"/api/executions/{nested}/events"),
    "history": lambda server, nested: read(server, "/api/executions/history?pageSize=100"),
    "cancels": lambda server, nested: cancel_many(server),
    "idle connections": lambda server, nested: idle(server),
    "followers": lambda server, nested: follow(server),
}


def _again(work: Callable[[], None]) -> None:
    while True:
        with suppress(Exception, SystemExit):
            work()
        time.sleep(AGAIN_SECONDS)


def watch(server: Served, line: Connection) -> None:
    """In a process of its own: when `/healthz` was asked for, and how many seconds it took."""
    taken = []
    while not line.poll():
        begun = time.time()
        connection = server.connect()
        connection.request("GET", "/healthz", None, JSON_HEADERS)
        connection.getresponse().read()
        connection.close()
        taken.append((begun, time.time() - begun))
        time.sleep(LOOK_SECONDS)
    line.send(taken)


Series = list[tuple[float, float]]
"""Moments, and what was seen then."""


@dataclass(frozen=True)
class Observed:
    """What was seen of a server that was attacked from `begun` to `ended`."""

    begun: float
    ended: float
    waits: Series
    """For an answer, in seconds."""
    memory: Series
    """In bytes."""
    failed: int
    """How many executions."""

    @classmethod
    def of(cls, seconds: float, only: list[str]) -> Self:
        """A new server, on which something has run already."""
        with served(PIPELINES, "--history-max", "1000") as server:
            nested = start(server, "nested")
            for _ in range(100):
                start(server, "many")
            while server.ask_json(("GET", "/api/executions/running", None))["count"]:
                time.sleep(0.1)
            begun, ended, waits, memory = observe(server, nested, seconds, only)
            failed = server.ask_json(("GET", "/api/executions?status=failed", None))["executions"]
        return cls(begun, ended, waits, memory, len(failed))  # type: ignore[arg-type]

    @property
    def phases(self) -> dict[str, tuple[float, float]]:
        return {
            "before": (0.0, self.begun),
            "meanwhile": (self.begun, self.ended),
            "afterwards": (self.ended + 1, float("inf")),
        }

    def taken(self, phase: str) -> tuple[float, float, float]:
        """Milliseconds for an answer: the median, of 99 % at most, and the longest."""
        first, last = self.phases[phase]
        taken = sorted(took * 1000 for at, took in self.waits if first <= at < last)
        return taken[len(taken) // 2], taken[int(len(taken) * 0.99)], taken[-1]

    def memory_at_most(self, phase: str) -> float:
        """In MiB."""
        first, last = self.phases[phase]
        return max(size for at, size in self.memory if first <= at < last) / (1 << 20)

    def draw(self) -> None:
        import matplotlib

        matplotlib.use("svg")
        matplotlib.rcParams["svg.hashsalt"] = "runcast"
        from matplotlib import pyplot

        figure, (above, below) = pyplot.subplots(2, 1, sharex=True, figsize=(8, 4.5))
        above.plot(
            [at - self.begun for at, _ in self.waits],
            [took * 1000 for _, took in self.waits],
            ".",
            ms=2,
            rasterized=True,
        )
        above.set_yscale("log")
        above.set_ylabel("/healthz, ms")
        times, sizes = zip(*self.memory, strict=True)
        below.plot([at - self.begun for at in times], [size / (1 << 20) for size in sizes])
        below.set_ylim(bottom=0)
        below.set_ylabel("memory, MiB")
        below.set_xlabel("seconds since the attack began")
        for axes in (above, below):
            axes.axvspan(0, self.ended - self.begun, alpha=0.1)
        figure.savefig(PICTURE, metadata={"Date": None})


def observe(
    server: Served, nested: str, seconds: float, only: list[str]
) -> tuple[float, float, Series, Series]:
    """When the attack began and ended, the waits, and the memory."""
    ours, its = multiprocessing.Pipe()
    watching = multiprocessing.Process(target=watch, args=(server, its))
    watching.start()
    process, memory = psutil.Process(server.pid), list[tuple[float, float]]()

    def look(seconds: float) -> float:
        end = time.time() + seconds
        while time.time() < end:
            memory.append((time.time(), float(process.memory_info().rss)))
            time.sleep(LOOK_SECONDS)
        return time.time()

    begun = look(BEFORE_SECONDS)
    attacking = multiprocessing.Process(target=attack, args=(server, nested, only))
    attacking.start()
    ended = look(seconds)
    attacking.kill()
    look(AFTER_SECONDS)
    ours.send("enough")
    waits = ours.recv()
    watching.join()
    return begun, ended, waits, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", action="append", help="an attack, by its name; all if left out")
    parser.add_argument("--each", action="store_true", help="one after the other")
    parser.add_argument("--draw", action="store_true")
    options = parser.parse_args()
    if options.each:
        say_each(options.seconds, options.only or ATTACKS)
        return
    observed = Observed.of(options.seconds, options.only or [])
    print(f"GET /healthz, milliseconds{'p50':>10}{'p99':>8}{'max':>8}   memory, MiB at most")
    for phase in observed.phases:
        middle, late, longest = observed.taken(phase)
        most = observed.memory_at_most(phase)
        print(f"{phase:<26}{middle:10.1f}{late:8.1f}{longest:8.1f}   {most:.0f}")
    print(f"executions that failed: {observed.failed}")
    if options.draw:
        observed.draw()


def say_each(seconds: float, names: Iterable[str]) -> None:
    print(f"GET /healthz, milliseconds{'p50':>10}{'p99':>8}{'max':>8}   MiB before, at most")
    for name in names:
        observed = Observed.of(seconds, [name])
        middle, late, longest = observed.taken("meanwhile")
        before, most = map(observed.memory_at_most, ("before", "meanwhile"))
        waits = f"{middle:10.1f}{late:8.1f}{longest:8.1f}"
        print(f"{name:<26}{waits}   {before:.0f}, {most:.0f}", flush=True)


def _opened(server: Served) -> socket.socket:
    host, port = server.place.split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)


if __name__ == "__main__":
    main()
