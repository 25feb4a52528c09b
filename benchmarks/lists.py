"""How fast lists are answered: `python benchmarks/lists.py --held 100`.

Starts a real server on a free port, runs short pipelines until it holds the given number of
executions, and asks for the same list over REST and GraphQL, one at a time and sixteen at a time.
`/healthz`, a constant answer of the same server in the same run, is what to compare with. The
order of the rounds is interleaved, because the machine may be noisy.
"""

import argparse
import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PIPELINE = """
pipeline: {id: echo, name: Echo, version: 1.0.0}
stages: [{id: copy, name: Copy, command: [cat]}]
"""
FIELDS = "id pipelineId pipelineName status startTime currentStage totalStages inputPreview"
QUERY = json.dumps({"query": f"{{ executions {{ {FIELDS} }} }}"})
JSON_HEADERS = {"Content-Type": "application/json"}
TARGETS = {
    "GET /healthz": ("GET", "/healthz", None),
    "GET /api/executions": ("GET", "/api/executions", None),
    "POST /graphql executions": ("POST", "/graphql", QUERY),
}
Target = tuple[str, str, str | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held", type=int, default=100, help="executions in the list")
    parser.add_argument("--requests", type=int, default=500, help="requests in a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "echo.yaml").write_text(PIPELINE)
        command = [sys.executable, "-m", "runcast", "serve", "--port", "0", "--data", folder]
        server = subprocess.Popen(
            [*command, "--pipelines", folder], stdout=subprocess.PIPE, text=True
        )
        try:
            measure(address(server), options.held, options.requests, options.rounds)
        finally:
            server.terminate()
            server.wait(timeout=20)


def address(server: "subprocess.Popen[str]") -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"http://([\w.:]+)", line):
            return found[1]
    raise SystemExit("the server did not start")


def measure(place: str, held: int, requests: int, rounds: int) -> None:
    fill(place, held)
    print(f"{held} executions held, {rounds} rounds of {requests} requests, milliseconds\n")
    print(f"{'':28}{'clients':>8}{'p50':>8}{'p99':>8}{'max':>8}{'bytes':>9}")
    for clients in (1, 16):
        taken: dict[str, list[float]] = {name: [] for name in TARGETS}
        for _ in range(rounds):
            for name, target in TARGETS.items():
                taken[name] += load(place, target, clients, requests)
        for name, target in TARGETS.items():
            size = len(ask(http.client.HTTPConnection(place), target))
            cuts = statistics.quantiles(taken[name], n=100)
            numbers = f"{cuts[49]:8.2f}{cuts[98]:8.2f}{max(taken[name]):8.2f}"
            print(f"{name:28}{clients:8}{numbers}{size:9}")


def fill(place: str, held: int) -> None:
    connection = http.client.HTTPConnection(place)
    body = json.dumps({"input": "How long does it take to list what is running? " * 4})
    for _ in range(held):
        ask(connection, ("POST", "/api/pipelines/echo/run", body))
    deadline = time.monotonic() + 120
    while json.loads(ask(connection, ("GET", "/api/executions/running", None)))["count"]:
        if time.monotonic() > deadline:
            raise SystemExit("the executions do not end")
        time.sleep(0.05)


def load(place: str, target: Target, clients: int, requests: int) -> list[float]:
    taken: list[float] = []

    def client() -> None:
        connection = http.client.HTTPConnection(place)
        ask(connection, target)
        for _ in range(requests // clients):
            begun = time.perf_counter()
            ask(connection, target)
            taken.append((time.perf_counter() - begun) * 1000)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def ask(connection: http.client.HTTPConnection, target: Target) -> bytes:
    method, path, body = target
    connection.request(method, path, body, JSON_HEADERS if body else {})
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise SystemExit(f"{method} {path}: {response.status} {content[:200]!r}")
    return content


if __name__ == "__main__":
    main()
