"""How long a bomb takes, and what others notice: `python benchmarks/bombs.py`.

Starts a real server, sends each bomb some times alone, and prints how long its refusal took. Then
one client asks a small query over and over, without and with two others that send bombs, in
interleaved rounds of one run.
"""

import argparse
import json
import statistics
import threading
import time

from served import Served, ask, served

PIPELINE = """
pipeline: {id: echo, name: Echo, version: 1.0.0}
stages: [{id: copy, name: Copy, command: [cat]}]
"""
QUERY = "{ server { engine } }"
DOUBLING = "".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }} " for n in range(28))
BOMBS = {
    "tokens": "{ " + "server { engine } " * 50_000 + "}",
    "depth": "{ " + "node(id: 1) { " * 15 + "id" + " }" * 16,
    "fields": "{ executions { " + " ".join(f"a{n}" for n in range(900)) + " } }",
    "repeats": "{ executions { " + "stages { id id } " * 160 + "} }",
    "repeats, at the limit": "{ executions { " + f"stages {{ {'id ' * 15} }} " * 30 + "nope } }",
    "output, at the limit": "{ executions { stages { "
    + "output(offset: 1, limit: 2) { text } " * 30
    + "nope } } }",
    "aliases": "{ executions { " + " ".join(f"a{n}: id" for n in range(300)) + " } }",
    "directives": "{ server " + "@include(if: true) " * 120 + "{ engine } }",
    "fragments that double": "{ ...f0 } " + DOUBLING + "fragment f28 on Query { __typename }",
    "list": "{ executions(filter: {pipelineId: [" + '"a" ' * 900 + "]}) { id } }",
    "name of 900 kB": "{ " + "a" * 900_000 + " }",
    "whole schema": "{ "
    + " ".join(f"a{n}: __schema {{ types {{ fields {{ args {{ name }} }} }} }}" for n in range(20))
    + " }",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how often each bomb is sent")
    parser.add_argument("--queries", type=int, default=300, help="queries in a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with served({"echo.yaml": PIPELINE}) as server:
        measure(server, options.times, options.queries, options.rounds)


def measure(server: Served, times: int, queries: int, rounds: int) -> None:
    ask(server.connect(), ("POST", "/api/pipelines/echo/run", json.dumps({"input": "a"})))
    print(f"{'milliseconds':36}{'p50':>8}{'p99':>8}{'max':>8}")
    for name, bomb in BOMBS.items():
        show(name, load(server, bomb, times))
    quiet: list[float] = []
    loud: list[float] = []
    for _ in range(rounds):
        quiet += load(server, QUERY, queries)
        loud += bombarded(server, queries)
    print("\nanother client's query")
    show("without bombs", quiet)
    show("while two others send bombs", loud)


def bombarded(server: Served, queries: int) -> list[float]:
    """How long each query takes while two others send one bomb after the other."""
    ended = threading.Event()

    def bombard() -> None:
        while not ended.is_set():
            for bomb in BOMBS.values():
                load(server, bomb, 1)

    threads = [threading.Thread(target=bombard) for _ in range(2)]
    for thread in threads:
        thread.start()
    taken = load(server, QUERY, queries)
    ended.set()
    for thread in threads:
        thread.join()
    return taken


def load(server: Served, query: str, times: int) -> list[float]:
    connection, taken = server.connect(), []
    body = json.dumps({"query": query})
    for _ in range(times):
        begun = time.perf_counter()
        ask(connection, ("POST", "/graphql", body))
        taken.append((time.perf_counter() - begun) * 1000)
    connection.close()
    return taken


def show(name: str, taken: list[float]) -> None:
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    print(f"{name:36}{cuts[49]:8.2f}{cuts[98]:8.2f}{max(taken):8.2f}")


if __name__ == "__main__":
    main()
