"""A server that is killed at any moment loses nothing that it has acknowledged."""

import random
import sqlite3
import threading
import time
from pathlib import Path

import httpx
import pytest
from server_process import ServerProcess, serving

CLIENTS = 3
PIPELINES = ("echo", "several-v1", "waiting")
ALL = """{ executionsConnection(includeHistory: true, first: 250) {
  totalCount nodes { id status endReason stages { status } } } }"""


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.campaign)])
def test_kill_nine(tmp_path: Path, kills: int) -> None:
    """After each of many kills, every acknowledged start is there, and nothing seems to run."""
    chance = random.Random()
    acknowledged: list[str] = []
    for _ in range(kills):
        with serving(tmp_path) as server:
            check(server, acknowledged)
            acknowledged += until_killed(server, chance.uniform(0, 0.4))
        assert integrity(tmp_path / "data" / "history.db") == "ok"
    with serving(tmp_path) as server:
        check(server, acknowledged)


def until_killed(server: ServerProcess, seconds: float) -> list[str]:
    """The executions that the server has acknowledged, killed `seconds` after the first of them."""
    acknowledged: list[str] = []
    first = threading.Event()

    def client() -> None:
        with httpx.Client(base_url=server.url, timeout=10, trust_env=False) as door:
            for number in range(10_000):
                path = f"/api/pipelines/{PIPELINES[number % len(PIPELINES)]}/run"
                try:
                    answer = door.post(path, json={"input": f"number {number}"})
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    acknowledged.append(answer.json()["executionId"])
                    first.set()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    assert first.wait(30)
    time.sleep(seconds)  # the random moment
    server.process.kill()
    for thread in threads:
        thread.join()
    server.process.wait(20)
    return acknowledged


def check(server: ServerProcess, acknowledged: list[str]) -> None:
    """Everything is there and has ended; what was cut off says that the server was restarted."""
    asked = server.client.post("/graphql", json={"query": ALL}).json()
    nodes = asked["data"]["executionsConnection"]["nodes"]
    for node in nodes:
        assert node["status"] in ("COMPLETED", "FAILED")
        if node["status"] == "FAILED":
            assert node["endReason"] == "SERVER_RESTART"
        assert all(stage["status"] != "RUNNING" for stage in node["stages"])
    assert set(acknowledged) <= recorded(server)
    assert server.client.get("/api/executions/running").json()["count"] == 0


def recorded(server: ServerProcess) -> set[str]:
    """Every id in the history."""
    found: set[str] = set()
    page = 1
    while True:
        query = {"page": page, "pageSize": 100}
        answer = server.client.get("/api/executions/history", params=query).json()
        assert all(one["status"] in ("completed", "failed") for one in answer["executions"])
        found |= {one["id"] for one in answer["executions"]}
        if page >= answer["totalPages"]:
            return found
        page += 1


def integrity(file: Path) -> str:
    """What SQLite says of the file."""
    with sqlite3.connect(file) as connection:
        verdict = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    connection.close()
    return verdict
