"""Nothing grows: after hundreds of executions the server is as big as before."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from deadlines import eventually
from doors import START, GraphQLDoor
from server_process import ServerProcess, serving
from subscriptions import STATE, check_progress, connected, until, whole

PIPELINES = ("echo", "several-v1", "failing", *["gate"] * 8)
EXECUTOR_THREADS = min(32, (os.cpu_count() or 1) + 4)
"""asyncio's default executor starts a thread at a time, up to this many."""
STATUS = "{ executions { id } server { subscribers running queued } }"


@dataclass(frozen=True)
class Size:
    """What a server holds on to."""

    threads: int
    fds: int
    children: int

    @classmethod
    def of(cls, server: ServerProcess) -> "Size":
        process = server.process
        return cls(process.num_threads(), process.num_fds(), len(server.children()))

    def within(self, other: "Size") -> bool:
        return (
            self.threads <= other.threads + EXECUTOR_THREADS
            and self.fds <= other.fds
            and self.children <= other.children
        )


@pytest.fixture
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that forgets after a second."""
    flags = ("--retention", "1", "--max-concurrent", "20")
    with serving(tmp_path_factory.mktemp("forgetful"), *flags) as server:
        yield server


async def work(server: ServerProcess, rounds: int) -> None:
    """Starts executions of every kind, each with a reader, while another reads the list."""
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as client,
        connected(server.ws_url) as socket,
    ):
        await until(socket.changes(), change="CAUGHT_UP")
        for round in range(rounds):
            gate = f"gate-{round}"
            readers = []
            for pipeline in PIPELINES:
                id = await _start(client, pipeline, gate)
                readers.append(asyncio.create_task(whole(socket.progress(id, STATE))))
            await _start(client, "key", gate)
            for messages in await asyncio.gather(*readers):
                check_progress(messages)


async def _start(client: httpx.AsyncClient, pipeline: str, input: str) -> str:
    body = {"query": START, "variables": {"pipelineId": pipeline, "input": input}}
    answer = (await client.post("/graphql", json=body)).json()
    return str(answer["data"]["startExecution"]["execution"]["id"])


def settle(server: ServerProcess) -> bool:
    """Whether everything is over and forgotten."""
    state = GraphQLDoor(server.client).ask(STATUS)
    return state == {"executions": [], "server": {"subscribers": 0, "running": 0, "queued": 0}}


@pytest.mark.parametrize("rounds", [8, pytest.param(60, marks=pytest.mark.campaign)])
async def test_nothing_grows(forgetful: ServerProcess, rounds: int) -> None:
    """Threads, open files, children and readers are as many after many executions as before."""
    await work(forgetful, 3)
    eventually(lambda: settle(forgetful))
    before = Size.of(forgetful)
    await work(forgetful, rounds)
    eventually(lambda: settle(forgetful))
    eventually(lambda: Size.of(forgetful).within(before))
