"""What a flood costs, and how soon a line is heard: `python benchmarks/floods.py`.

A command of a real server writes so much to stdout, which the next command is given, then to
stderr: whether the MD5 is the same, by how much the server's memory grows, the longest time for
which the live log stood still, and how long `GET /healthz` took meanwhile, beside how long it takes
when nothing runs. How long stderr takes, which is only logged, with nobody watching, beside `cat`
from a pipe into a file. And
how long after a program has written a line a follower has it, over a WebSocket and over REST.
"""

import argparse
import asyncio
import hashlib
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from served import Served, served
from stalls import PROTOCOL, beside, show
from websockets.asyncio.client import connect

MEGABYTE = 1_000_000
LINE = b"2026-01-01T00:00:00Z INFO worker 7 handled request 12345 in 0.0123 s\n"
LINES = 200
LOOK_SECONDS = 0.02
SELDOM_SECONDS = 0.5
CLOCK = """
import sys, time
for _ in range(%d):
    print(time.time_ns(), flush=True)
    time.sleep(0.05)
"""
STAGE = """query ($id: ID!) { execution(id: $id) { status durationMs output
  stages { durationMs log(limit: 0) { total leftOut } } } }"""
FOLLOW = "subscription ($id: ID!) { executionProgress(id: $id) { log { text } } }"


def pipeline(id: str, *commands: str) -> str:
    head = f"pipeline: {{id: {id}, name: {id}, version: 1.0.0}}\nstages:\n"
    return head + "".join(
        f"  - {{id: s{number}, command: {command}, maxOutputBytes: 1000000000}}\n"
        for number, command in enumerate(commands)
    )


def files(source: Path, clock: Path) -> dict[str, str]:
    return {
        "stdout.yaml": pipeline("stdout", f"[cat, {source}]", "[md5sum]"),
        "stderr.yaml": pipeline("stderr", f'[sh, -c, "cat {source} >&2"]'),
        "clock.yaml": pipeline("clock", f"[python3, {clock}]"),
    }


def start(server: Served, name: str) -> str:
    target = ("POST", f"/api/pipelines/{name}/run", json.dumps({"input": "go"}))
    return str(server.ask_json(target)["executionId"])


def look(server: Served, id: str) -> dict[str, object]:
    body = json.dumps({"query": STAGE, "variables": {"id": id}})
    found = server.ask_json(("POST", "/graphql", body))["data"]["execution"]  # type: ignore[index]
    return dict(found)


class Watch:
    """What is seen of an execution until it has ended: memory, and how its first log grows."""

    def __init__(self, server: Served, name: str) -> None:
        process = psutil.Process(server.pid)
        before = process.memory_info().rss
        id, total, grew = start(server, name), 0, time.perf_counter()
        most, self.still = before, 0.0
        while True:
            self.seen = look(server, id)
            most = max(most, process.memory_info().rss)
            now = time.perf_counter()
            said = self.seen["stages"][0]["log"]["total"]  # type: ignore[index]
            if said > total or self.seen["stages"][0]["durationMs"] is not None:  # type: ignore[index]
                total, grew = said, now
            self.still = max(self.still, now - grew)
            if self.seen["status"] not in ("QUEUED", "RUNNING"):
                break
            time.sleep(LOOK_SECONDS)
        self.grown = (most - before) / MEGABYTE


def flood(server: Served, name: str, expected: str | None) -> None:
    watches: list[Watch] = []
    taken = beside(server, lambda: watches.append(Watch(server, name)))
    [watch] = watches
    [first, *_] = watch.seen["stages"]  # type: ignore[misc]
    right = "" if expected is None else ", md5 differs"
    if expected is not None and expected in str(watch.seen["output"]):
        right = ", md5 equal"
    print(
        f"{name}: {first['durationMs']:.0f} ms{right}, {watch.seen['status']}; memory grew by "
        f"{watch.grown:.1f} MB; the log stood still for {watch.still * 1000:.0f} ms at most, and "
        f"leaves out {first['log']['leftOut']:,} of {first['log']['total']:,} characters"
    )
    show("  /healthz meanwhile", taken)


def into_a_file(source: Path, target: Path) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    subprocess.run(["sh", "-c", f"cat {source} | cat > {target}"], check=True)
    return (time.perf_counter() - begun) * 1000


def alone(server: Served, source: Path) -> None:
    """Nobody follows it, and who waits for its end asks seldom."""
    taken, used, cats = [], [], []
    for _ in range(7):
        cats.append(into_a_file(source, source.with_name("copy")))
        process = psutil.Process(server.pid)
        before = process.cpu_times()
        id = start(server, "stderr")
        while look(server, id)["status"] in ("QUEUED", "RUNNING"):
            time.sleep(SELDOM_SECONDS)
        after = process.cpu_times()
        used.append((after.user + after.system - before.user - before.system) * 1000)
        taken.append(float(str(look(server, id)["durationMs"])))
    cat = min(cats)
    print(
        f"nobody watches: {min(taken):.0f} ms, of which the server's processor time "
        f"{min(used):.0f} ms; cat into a file: {cat:.0f} ms ({min(taken) / cat:.2f} times)"
    )


def heard(name: str, follow: Callable[[], list[float]]) -> None:
    delays = sorted(follow())
    worst = delays[int(len(delays) * 0.99) - 1]
    print(
        f"a line, followed over {name}: median {statistics.median(delays):.1f} ms, "
        f"99 % {worst:.1f} ms, {len(delays)} lines"
    )


def delays_of(text: str) -> list[float]:
    now = time.time_ns()
    return [(now - int(line)) / 1e6 for line in text.split()]


async def over_a_socket(server: Served) -> list[float]:
    where, delays = f"ws://{server.place}/graphql", list[float]()
    async with connect(where, subprotocols=[PROTOCOL], proxy=None, max_size=None) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        await socket.recv()
        id = await asyncio.to_thread(start, server, "clock")
        payload = {"query": FOLLOW, "variables": {"id": id}}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        while (message := json.loads(await socket.recv()))["type"] == "next":
            if piece := message["payload"]["data"]["executionProgress"]["log"]:
                delays += delays_of(piece["text"])
    return delays


def over_rest(server: Served) -> list[float]:
    id, delays = start(server, "clock"), list[float]()
    while not look(server, id)["stages"][0]["log"]["total"]:  # type: ignore[index]
        time.sleep(LOOK_SECONDS)
    connection = server.connect()
    connection.request("GET", f"/api/executions/{id}/stages/s0/log?follow=true")
    response, first = connection.getresponse(), True
    while line := response.readline():
        if not first:  # what was there before is old
            delays += delays_of(line.decode())
        first = False
    return delays


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source, clock = Path(name, "source"), Path(name, "clock.py")
        source.write_bytes(LINE * (options.megabytes * MEGABYTE // len(LINE)))
        clock.write_text(CLOCK % LINES)
        expected = hashlib.md5(source.read_bytes()).hexdigest()
        with served(files(source, clock)) as server:
            print(f"GET /healthz, milliseconds{'p50':>18}{'p99':>8}{'max':>8}")
            show("alone", beside(server, lambda: time.sleep(2)))
            flood(server, "stdout", expected)
            flood(server, "stderr", None)
            alone(server, source)
            heard("a WebSocket", lambda: asyncio.run(over_a_socket(server)))
            heard("REST", lambda: over_rest(server))


if __name__ == "__main__":
    main()
