"""How fast lists are answered: `python benchmarks/lists.py --executions 100`.

Starts a real server on a free port, runs short pipelines until it holds the given number of
executions, and asks for the same list over REST and GraphQL, one at a time and sixteen at a time.
`/healthz`, a constant answer of the same server in the same run, is what to compare with. The
order of the rounds is interleaved, because the machine may be noisy.
"""

import argparse
import json
import statistics
import threading
import time

from served import Served, Target, ask, served

PIPELINE = """
pipeline: {id: echo, name: Echo, version: 1.0.0}
stages: [{id: copy, name: Copy, command: [cat]}]
"""
FIELDS = "id pipelineId pipelineName status startTime currentStage totalStages inputPreview"
QUERY = json.dumps({"query": f"{{ executions {{ {FIELDS} }} }}"})
TARGETS = {
    "GET /healthz": ("GET", "/healthz", None),
    "GET /api/executions": ("GET", "/api/executions", None),
    "POST /graphql executions": ("POST", "/graphql", QUERY),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=100, help="executions in the list")
    parser.add_argument("--requests", type=int, default=500, help="requests in a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with served({"echo.yaml": PIPELINE}) as server:
        measure(server, options.executions, options.requests, options.rounds)


def measure(server: Served, number: int, requests: int, rounds: int) -> None:
    fill(server, number)
    print(f"{number} executions, {rounds} rounds of {requests} requests, milliseconds\n")
    print(f"{'':28}{'clients':>8}{'p50':>8}{'p99':>8}{'max':>8}{'bytes':>9}")
    for clients in (1, 16):
        taken: dict[str, list[float]] = {name: [] for name in TARGETS}
        for _ in range(rounds):
            for name, target in TARGETS.items():
                taken[name] += load(server, target, clients, requests)
        for name, target in TARGETS.items():
            size = len(ask(server.connect(), target))
            cuts = statistics.quantiles(taken[name], n=100)
            numbers = f"{cuts[49]:8.2f}{cuts[98]:8.2f}{max(taken[name]):8.2f}"
            print(f"{name:28}{clients:8}{numbers}{size:9}")


def fill(server: Served, number: int) -> None:
    connection = server.connect()
    body = json.dumps({"input": "How long does it take to list what is running? " * 4})
    for _ in range(number):
        ask(connection, ("POST", "/api/pipelines/echo/run", body))
    deadline = time.monotonic() + 120
    while json.loads(ask(connection, ("GET", "/api/executions/running", None)))["count"]:
        if time.monotonic() > deadline:
            raise SystemExit("the executions do not end")
        time.sleep(0.05)


def load(server: Served, target: Target, clients: int, requests: int) -> list[float]:
    taken: list[float] = []

    def client() -> None:
        connection = server.connect()
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


if __name__ == "__main__":
    main()
