"""What a cluster does in a second, and how long it takes: `python benchmarks/cluster.py`.

A real broker, two servers and one or two workers, each a process of its own on this machine, beside
one server that runs the same executions itself. `nats-server` comes with the extra `dev`.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
from served import Served, served
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

PIPELINES = {
    "six.yaml": "pipeline: {id: six, name: Six empty stages, version: 1.0.0}\nstages:\n"
    + "".join(f'  - {{id: s{n}, call: "empty:nothing"}}\n' for n in range(6)),
    "long.yaml": "pipeline: {id: long, name: Waits, version: 1.0.0}\n"
    'stages: [{id: wait, call: "empty:waits"}]\n',
    "empty.py": "import asyncio\n\n\nasync def nothing(text):\n    return text\n\n\n"
    "async def waits(text):\n    await asyncio.sleep(600)\n",
}
START = 'mutation ($of: ID!) { startExecution(pipelineId: $of, input: "x") { execution { id } } }'
CANCEL = "mutation ($id: ID!) { cancelExecution(id: $id) { execution { id } } }"
COUNTS = "{ executionsConnection(first: 0) { statusCounts { status count } } }"
CHANGES = "subscription { executionsChanged { change execution { id status } } }"
PROTOCOL = Subprotocol("graphql-transport-ws")
TERMINAL = {"COMPLETED", "FAILED", "CANCELLED"}
PORT = 14_222


class Cluster:
    """A broker, and the servers and workers that were added."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        command = shutil.which("nats-server") or str(Path(sys.executable).with_name("nats-server"))
        store = ["--jetstream", "--store_dir", str(folder / "nats")]
        where = ["--addr", "127.0.0.1", "--port", str(PORT)]
        broker = subprocess.Popen([command, *store, *where], stderr=subprocess.DEVNULL)
        stack.callback(lambda: (broker.terminate(), broker.wait(30)))
        self.broker = psutil.Process(broker.pid)

    @property
    def flags(self) -> list[str]:
        engine = ["--engine", f"nats://127.0.0.1:{PORT}"]
        return [*engine, "--blobs", str(self.folder / "blobs"), "--queue", "20000"]

    def server(self) -> Served:
        server = self._stack.enter_context(served(PIPELINES, *self.flags))
        wait_until_ready(server)
        return server

    def worker(self, concurrency: int = 64) -> psutil.Process:
        count = len(list(self.folder.iterdir()))
        pipelines = self.folder / f"pipelines-{count}"
        pipelines.mkdir()
        for name, content in PIPELINES.items():
            (pipelines / name).write_text(content)
        data = self.folder / f"worker-{count}"
        command = [sys.executable, "-m", "runcast", "worker", *self.flags[:4], "--data", str(data)]
        command += ["--pipelines", str(pipelines), "--concurrency", str(concurrency)]
        process = subprocess.Popen([*command, "--port", "0"], stderr=subprocess.PIPE, text=True)
        self._stack.callback(lambda: (process.terminate(), process.wait(30)))
        assert process.stderr is not None
        for line in process.stderr:
            if "Health" in line:
                url = line.split()[-1]
                break
        while httpx.get(url).status_code != 200:
            time.sleep(0.02)
        return psutil.Process(process.pid)


@contextmanager
def a_cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        yield Cluster(Path(folder), stack)


def wait_until_ready(server: Served) -> None:
    while httpx.get(f"http://{server.place}/readyz").status_code != 200:
        time.sleep(0.01)


class Follower:
    """Hears of every change of the list over one socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def changes(self) -> AsyncIterator[tuple[str, str, float]]:
        """Ids, statuses, and when they were heard."""
        async for text in self._socket:
            message = json.loads(text)
            if message["type"] == "next":
                execution = message["payload"]["data"]["executionsChanged"]["execution"]
                if execution is not None:
                    yield execution["id"], execution["status"], time.perf_counter()

    async def until_ended(self, ids: set[str]) -> float:
        """When the last of them has."""
        left = set(ids)
        async for id, status, at in self.changes():
            if status in TERMINAL:
                left.discard(id)
            if not left:
                return at
        raise SystemExit("the server has ended the subscription")


async def follow(server: Served) -> Follower:
    """From the present list on."""
    socket = await connect(f"ws://{server.place}/graphql", subprotocols=[PROTOCOL], max_size=None)
    await socket.send('{"type": "connection_init"}')
    await socket.recv()
    payload = {"query": CHANGES}
    await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
    while "CAUGHT_UP" not in await socket.recv(decode=True):
        pass
    return Follower(socket)


async def ask(client: httpx.AsyncClient, document: str, **variables: object) -> dict[str, object]:
    body = {"query": document, "variables": variables}
    answer = (await client.post("/graphql", json=body)).json()
    if "errors" in answer:
        raise SystemExit(str(answer))
    data: dict[str, object] = answer["data"]
    return data


async def started(client: httpx.AsyncClient, pipeline: str) -> str:
    answer = (await ask(client, START, of=pipeline))["startExecution"]
    if not answer["execution"]:  # type: ignore[index]
        raise SystemExit(str(answer))
    return str(answer["execution"]["id"])  # type: ignore[index]


async def throughput(server: Served, executions: int, clients: int) -> float:
    """Executions of six empty stages a second, from the first start to the last end."""
    limits = httpx.Limits(max_connections=clients)
    base = f"http://{server.place}"
    async with httpx.AsyncClient(base_url=base, timeout=60, limits=limits) as client:
        await started(client, "six")  # what is imported first
        await asyncio.sleep(1)
        before, begin = await completed(client), time.perf_counter()

        async def starts() -> None:
            for _ in range(executions // clients):
                await started(client, "six")

        await asyncio.gather(*(starts() for _ in range(clients)))
        number = executions // clients * clients
        while await completed(client) < before + number:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return number / (time.perf_counter() - begin)


async def completed(client: httpx.AsyncClient) -> int:
    """How many have, as the server knows. (Who follows the list is told 100 changes a second.)"""
    answer = await ask(client, COUNTS)
    counts = answer["executionsConnection"]["statusCounts"]  # type: ignore[index]
    return next(int(one["count"]) for one in counts if one["status"] == "COMPLETED")


async def latencies(here: Served, there: Served, times: int) -> tuple[list[float], list[float]]:
    """Seconds from a start here to what a follower there hears of it first, and from a cancel there
    to the end on both."""
    base = f"http://{here.place}"
    heard, gone = [], []
    async with (
        httpx.AsyncClient(base_url=base) as first,
        httpx.AsyncClient(base_url=f"http://{there.place}") as second,
    ):
        for _ in range(times):
            followers = [await follow(here), await follow(there)]
            begin = time.perf_counter()
            starting = asyncio.create_task(started(first, "long"))
            async for _id, _status, at in followers[1].changes():
                heard.append(at - begin)
                break
            id = await starting
            async for other, status, _at in followers[1].changes():
                if other == id and status == "RUNNING":
                    break
            await asyncio.sleep(0.1)  # its stage has begun
            begin = time.perf_counter()
            await ask(second, CANCEL, id=id)
            ends = await asyncio.gather(*(one.until_ended({id}) for one in followers))
            gone.append(max(ends) - begin)
    return heard, gone


def at_rest(processes: dict[str, psutil.Process], seconds: float = 10) -> None:
    """Prints what each takes of a processor, and of memory, with all that it has started."""
    before = {name: _cpu(one) for name, one in processes.items()}
    time.sleep(seconds)
    for name, process in processes.items():
        share = (_cpu(process) - before[name]) / seconds
        family = [process, *process.children(recursive=True)]
        memory = sum(one.memory_full_info().pss for one in family) / (1 << 20)
        print(f"{name} at rest: {share:.1%} of a core, {memory:.0f} MiB")


def _cpu(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in family)


def show(name: str, seconds: list[float]) -> None:
    milliseconds = sorted(1000 * one for one in seconds)
    middle, most = statistics.median(milliseconds), milliseconds[-1]
    print(f"{name}: median {middle:.1f} ms, at most {most:.1f} ms ({len(seconds)} times)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=640)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--held", type=int, default=2000, help="waiting when a replica starts")
    options = parser.parse_args()
    load = options.executions, options.clients
    with served(PIPELINES, "--max-concurrent", "64") as alone:
        print(f"embedded: {asyncio.run(throughput(alone, *load)):.0f} executions/s")
    with a_cluster() as cluster:
        here, there = cluster.server(), cluster.server()
        worker = cluster.worker()
        print(f"one worker: {asyncio.run(throughput(here, *load)):.0f} executions/s")
        heard, gone = asyncio.run(latencies(here, there, 20))
        show("start here, first message there", heard)
        show("cancel, ended on both", gone)
        at_rest(
            {"a server": psutil.Process(here.pid), "a worker": worker, "the broker": cluster.broker}
        )
        cluster.worker()
        print(f"two workers: {asyncio.run(throughput(here, *load)):.0f} executions/s")
    with a_cluster() as cluster:
        asyncio.run(held(cluster.server(), options.held))
        begin = time.perf_counter()
        cluster.server()
        print(
            f"a replica with {options.held} executions: ready {time.perf_counter() - begin:.2f} s "
            "after its command"
        )


async def held(server: Served, executions: int) -> None:
    """Has so many wait: there is no worker."""
    async with httpx.AsyncClient(base_url=f"http://{server.place}", timeout=60) as client:

        async def starts() -> None:
            for _ in range(executions // 32):
                await started(client, "six")

        await asyncio.gather(*(starts() for _ in range(32)))


if __name__ == "__main__":
    main()
