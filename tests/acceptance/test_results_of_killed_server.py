"""What ends while no result file can be written has one later, whatever happens to the server."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import httpx
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from runcast.core.results.result_file import owner_of
from server_process import ServerProcess

PIPELINE = """pipeline: {id: echos, name: Échos, version: 1.0.0}
stages:
  - {id: say, command: [cat]}
"""
HURRIED = {"runcast.core.results.output_writer:MADE_UP_SECONDS": 0.001}


@pytest.fixture
def start(serve: Callable[..., ServerProcess], tmp_path: Path) -> Callable[..., ServerProcess]:
    """Starts a server on the same data as the one before."""
    return lambda *flags, **more: serve("--data", str(tmp_path / "data"), *flags, **more)


def results(data: Path) -> set[str]:
    """The executions that have a result file."""
    return {owner_of(path.name) for path in (data / "outputs").glob("result-*.json")}


def recorded(server: ServerProcess) -> set[str]:
    """Every execution of the history."""
    found: set[str] = set()
    page, pages = 0, 1
    while page < pages:
        page += 1
        query = {"page": page, "pageSize": 100}
        answer = server.client.get("/api/executions/history", params=query).json()
        found |= {one["id"] for one in answer["executions"]}
        pages = answer["totalPages"]
    return found


def health(server: ServerProcess) -> dict[str, Any]:
    return dict(server.client.get("/healthz").json())


def killed(server: ServerProcess) -> None:
    server.process.kill()
    server.process.wait(20)


def test_no_result_file_is_missing_for_ever(
    start: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    """After a kill -9 in which something ran, something waited for its file, and one was begun."""
    data, pipelines = tmp_path / "data", tmp_path / "pipelines"
    pipelines.mkdir()
    (pipelines / "echos.yaml").write_text(PIPELINE)
    waits = PIPELINE.replace("echos", "waiting").replace("cat", "sleep, '600'")
    (pipelines / "waiting.yaml").write_text(waits)
    data.mkdir()
    (data / "outputs").write_text("in the way")
    server = start("--pipelines", str(pipelines))
    door = GraphQLDoor(server.client)
    assert "problems" not in health(server)
    ids = {door.start("echos", "x" * 400_000), *(door.start("echos", "hello") for _ in range(4))}
    eventually(lambda: health(server).get("problems", {}).get("outputs", "").startswith("5 result"))
    assert health(server)["problems"]["outputs"] == "5 result files are missing: File exists"
    assert server.complained.count("1 result file is missing: File exists") == 1
    running = door.start("waiting", "hello")
    eventually(lambda: len(recorded(server)) == 5)
    killed(server)
    (data / "outputs").unlink()
    (data / "outputs").mkdir()
    (data / "outputs" / ".result-begun.json.tmp").write_text("{")
    server = start("--pipelines", str(pipelines))
    eventually(lambda: results(data) == {*ids, running})
    eventually(lambda: health(server) == {"status": "ok"})
    assert "6 result files are missing: they were not written before" in server.complained
    listed = server.client.get("/api/outputs").json()
    assert {(one["pipelineId"], one["status"]) for one in listed} == {
        ("echos", "success"),
        ("waiting", "failed"),
    }
    assert len(list((data / "outputs").iterdir())) == 6


@pytest.mark.campaign
def test_kill_nine_while_many_end(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    """At any moment, again and again: each that the history has, has a file in the end."""
    missing = sum(missing_after_a_kill(start, tmp_path / "data", Random()) for _ in range(4))
    assert missing, "nothing was cut off"


def start_until_killed(server: ServerProcess) -> None:
    run = "/api/pipelines/echo/run"
    with suppress(httpx.TransportError):
        while True:
            server.client.post(run, json={"input": "hello"}).raise_for_status()


def missing_after_a_kill(start: Callable[..., ServerProcess], data: Path, chance: Random) -> int:
    """How many files the next server has found missing, and written."""
    server = start("--max-concurrent", "50", "--queue", "1000", hurry=HURRIED)
    starting = Thread(target=start_until_killed, args=(server,))
    starting.start()
    time.sleep(chance.uniform(0.2, 2))  # the random moment
    killed(server)
    starting.join()
    there = results(data)
    server = start(hurry=HURRIED)
    eventually(lambda: results(data) == recorded(server))
    eventually(lambda: health(server) == {"status": "ok"})
    server.end()
    return len(results(data) - there)
