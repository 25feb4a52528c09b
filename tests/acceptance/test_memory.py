"""What executions hold in memory together has a bound: a start beyond it is refused."""

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from deadlines import eventually
from doors import Door, GraphQLDoor, Refused, RestDoor
from server_process import ServerProcess

MIB = 1 << 20
LARGE_INPUT = "x" * (MIB - 4) + "😀"
"""1 MiB; in memory such a text takes four times as much."""
FUNCTIONS = """
import asyncio

async def large(text):
    return "x" * (1 << 20)

async def inline(text):
    return "x" * 250_000

async def lists(text):
    return [[number] for number in range(30_000)]

async def says(text):
    for _ in range(12):
        print("y" * 60_000)
        await asyncio.sleep(0.05)

async def waits(text):
    await asyncio.sleep(600)
"""
FEW, MANY = 25, pytest.param(500, marks=pytest.mark.campaign)


@pytest.fixture
def start(serve: Callable[..., ServerProcess], tmp_path: Path) -> Callable[..., ServerProcess]:
    """Starts a server with so much memory for executions, in MiB; they stay in its lists."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "makes.py").write_text(FUNCTIONS)
    for name, stages in {"large": 6, "inline": 6, "lists": 1, "says": 1, "waits": 1}.items():
        lines = "".join(f"  - {{id: s{n}, call: 'makes:{name}'}}\n" for n in range(stages))
        head = f"pipeline: {{id: {name}, name: {name}, version: 1.0.0}}\nstages:\n"
        (folder / f"{name}.yaml").write_text(head + lines)

    def starting(memory: int, *flags: str) -> ServerProcess:
        places = ("--pipelines", str(folder), "--memory", str(memory))
        return serve(*places, "--retention", "3600", "--grace", "0.1", *flags)

    return starting


def resident(server: ServerProcess) -> float:
    """What the server's own process takes, in MiB."""
    return float(psutil.Process(server.process.pid).memory_info().rss) / MIB


def run(door: Door, pipeline: str, number: int = 1) -> None:
    for _ in range(number):
        door.start(pipeline)
        eventually(lambda: len(door.running()) < 8)
    eventually(lambda: not door.running(), 300)


@pytest.mark.parametrize("number", [FEW, MANY])
def test_large_values_are_not_in_memory(start: Callable[..., ServerProcess], number: int) -> None:
    """Of executions of six stages with 1 MiB each: they are all taken, and few MiB are."""
    server = start(16)
    door = GraphQLDoor(server.client)
    run(door, "large", 2)
    before = resident(server)
    run(door, "large", number)
    assert len(door.list("completed")) == number + 2
    grown = resident(server) - before
    print(f"{number} executions of 6 MiB: {grown:.1f} MiB")  # noqa: T201
    assert grown < 64


@pytest.mark.parametrize("number", [FEW, MANY])
def test_large_inputs_of_what_waits_are_not_in_memory(
    start: Callable[..., ServerProcess], number: int
) -> None:
    """1 MiB each, which would be 4 MiB."""
    server = start(16, "--max-concurrent", "1")
    door = GraphQLDoor(server.client)
    for _ in range(3):
        door.start("waits", LARGE_INPUT)
    before = resident(server)
    ids = [door.start("waits", LARGE_INPUT) for _ in range(number)]
    grown = resident(server) - before
    print(f"{number} that wait with an input of 1 MiB: {grown:.1f} MiB")  # noqa: T201
    assert grown < 200
    detail = door.detail(ids[-1])
    assert detail is not None and detail["input"] == LARGE_INPUT


@pytest.mark.parametrize("pipeline", ["inline", "lists", "says"])
def test_a_start_beyond_the_bound_is_refused(
    start: Callable[..., ServerProcess], pipeline: str
) -> None:
    """By every door, and a retry, too; what is there stays, and is no more than that."""
    server = start(16)
    door, rest = GraphQLDoor(server.client), RestDoor(server.client)
    before = resident(server)
    with pytest.raises(Refused, match=r"--memory") as refused:
        run(door, pipeline, 200)
    eventually(lambda: not door.running())
    assert refused.value.code == "CAPACITY"
    with pytest.raises(Refused, match=r"CAPACITY: .*16 MiB is the limit"):
        rest.start("inline")
    answer = server.client.post("/api/pipelines/inline/run", json={"input": "hello"})
    assert answer.status_code == 429
    [*_, first] = door.list()
    again = server.client.post(f"/api/executions/{first['id']}/retry")
    assert again.status_code == 429
    assert {one["status"] for one in door.list()} == {"completed"}
    assert server.client.get("/readyz").status_code == 200
    assert resident(server) - before < 64


def test_there_is_room_again_when_some_have_left(start: Callable[..., ServerProcess]) -> None:
    """Their retention is over."""
    server = start(16, "--retention", "3")
    door = GraphQLDoor(server.client)
    with pytest.raises(Refused, match="--memory"):
        for _ in range(200):
            door.start("inline")
            eventually(lambda: len(door.running()) < 4)

    def starts() -> bool:
        try:
            door.start("inline")
        except Refused as refused:
            assert refused.code == "CAPACITY"
            return False
        return True

    eventually(starts)
