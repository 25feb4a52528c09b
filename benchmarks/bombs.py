"""How long a bomb takes, and what others notice: `python benchmarks/bombs.py`.

Starts a real server, sends each bomb some times alone, and prints how long its answer took: at most
100 ms is expected of each. A small query in the same rounds is what to compare with, because the
machine may be noisy. Then one client asks that query over and over, without and with others that
send bombs, in interleaved rounds of one run.
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
TARGET_MS = 100


def fields(pattern: str, number: int) -> str:
    return " ".join(pattern.format(n=n) for n in range(number))


def chain(spreads: int, last: int) -> str:
    """Fragments that each spread the next one so many times."""
    rows = (f"fragment f{n} on Query {{ {f'...f{n + 1} ' * spreads}}} " for n in range(last))
    return "{ ...f0 } " + "".join(rows) + f"fragment f{last} on Query {{ __typename }}"


FRAGMENT = "fragment f{n} on Query {{ __typename }}"
START = 'a{n}: startExecution(pipelineId: "echo", input: "bomb") {{ existing }}'
SCHEMA = "a{n}: __schema {{ types {{ fields {{ args {{ name }} }} }} }}"
BOMBS = {
    "tokens": "{ " + "server { engine } " * 50_000 + "}",
    "comments": "#\n" * 300_000 + QUERY,
    "depth": "{ " + "node(id: 1) { " * 15 + "id" + " }" * 16,
    "inline fragments": "{ " + "... { " * 150 + "__typename" + " }" * 151,
    "fields": "{ executions { " + fields("a{n}", 900) + " } }",
    "fields, at the limit": "{ executions { stages { " + fields("a{n}", 490) + " } } }",
    "repeats": "{ executions { " + "stages { id id } " * 160 + "} }",
    "repeats, at the limit": "{ executions { " + f"stages {{ {'id ' * 2} }} " * 15 + "nope } }",
    "repeats in a grid": "{ executionsConnection { "
    + f"nodes {{ {'stages { id } ' * 15} }} " * 15
    + "} }",
    "output, at the limit": "{ executions { stages { "
    + "output(offset: 1, limit: 2) { text } " * 30
    + "nope } } }",
    "root fields": "{ " + fields("a{n}: __typename", 200) + " }",
    "mutations": "mutation { " + fields(START, 60) + " }",
    "aliases": "{ executions { " + fields("a{n}: id", 300) + " } }",
    "directives": "{ server " + "@include(if: true) " * 120 + "{ engine } }",
    "operations": fields("query q{n} {{ server {{ engine }} }}", 100),
    "fragments": QUERY + fields(FRAGMENT, 120),
    "fragments that double": chain(2, 28),
    "fragments in a circle": "{ ...f0 } fragment f0 on Query { ...f1 ...f1 } "
    "fragment f1 on Query { ...f0 ...f0 }",
    "list": "{ executions(filter: {pipelineId: [" + '"a" ' * 900 + "]}) { id } }",
    "newlines": "{" + "\n" * 500_000 + " a b c d e }",
    "string of 900 kB": '{ node(id: "' + "a" * 900_000 + '") { nope } }',
    "name of 900 kB": "{ " + "a" * 900_000 + " }",
    "whole schema": "{ " + fields(SCHEMA, 20) + " }",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how often each bomb is sent")
    parser.add_argument("--queries", type=int, default=300, help="queries in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bombers", type=int, default=2, help="clients that send bombs")
    options = parser.parse_args()
    with served({"echo.yaml": PIPELINE}) as server:
        measure_bombs(server, options.times)
        measure_others(server, options.queries, options.rounds, options.bombers)


def measure_bombs(server: Served, times: int) -> None:
    ask(server.connect(), ("POST", "/api/pipelines/echo/run", json.dumps({"input": "a"})))
    print(f"{'milliseconds':36}{'p50':>8}{'p99':>8}{'max':>8}")
    small: list[float] = []
    for name, bomb in BOMBS.items():
        small += load(server, QUERY, times)
        taken = load(server, bomb, times)
        show(name, taken, f" <- over {TARGET_MS}" if max(taken) > TARGET_MS else "")
    show("a small query, in between", small)


def measure_others(server: Served, queries: int, rounds: int, bombers: int) -> None:
    quiet: list[float] = []
    loud: list[float] = []
    for _ in range(rounds):
        quiet += load(server, QUERY, queries)
        loud += bombarded(server, queries, bombers)
    print("\nanother client's query")
    show("without bombs", quiet)
    show(f"while {bombers} send bombs", loud)


def bombarded(server: Served, queries: int, bombers: int) -> list[float]:
    """How long each query takes while others send one bomb after the other."""
    ended = threading.Event()

    def bombard() -> None:
        while not ended.is_set():
            for bomb in BOMBS.values():
                load(server, bomb, 1)

    threads = [threading.Thread(target=bombard) for _ in range(bombers)]
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


def show(name: str, taken: list[float], remark: str = "") -> None:
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    print(f"{name:36}{cuts[49]:8.2f}{cuts[98]:8.2f}{max(taken):8.2f}{remark}")


if __name__ == "__main__":
    main()
