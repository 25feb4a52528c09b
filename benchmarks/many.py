"""What is left of many executions: `python benchmarks/many.py --executions 20000`.

Starts a real server with a retention of 5 s and a history of 1,000, runs the executions through it
over REST, and prints the server's memory, file descriptors, threads and children before, after the
last one has ended, and after the retention. The first batch warms the server up and is not counted.
"""

import argparse
import json
import threading
import time

import psutil
from served import Served, ask, served

PIPELINE = """
pipeline: {id: echo, name: Echo, version: 1.0.0}
stages:
  - {id: one, call: "echo_stages:shout"}
  - {id: two, call: "echo_stages:shout"}
"""
STAGES = "async def shout(text):\n    return text.upper()\n"
RETENTION_SECONDS = 5
HISTORY = 1000
BODY = json.dumps({"input": "What is left of twenty thousand of these? " * 5})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    flags = ("--retention", str(RETENTION_SECONDS), "--history-max", str(HISTORY))
    files = {"echo.yaml": PIPELINE, "echo_stages.py": STAGES}
    with served(files, *flags) as server:
        run(server, 2000, options.clients)
        settle(server)
        tell(server, "warm")
        begun = time.monotonic()
        run(server, options.executions, options.clients)
        taken = time.monotonic() - begun
        tell(server, "all started")
        settle(server)
        tell(server, "retention over")
        history = server.ask_json(("GET", "/api/executions/history?pageSize=1", None))
        print(f"\n{options.executions} executions in {taken:.1f} s", end="")
        print(f" ({options.executions / taken:.0f}/s, each acknowledged once it is on disk)")
        print(f"history: {history['total']} records, bound {HISTORY}")


def run(server: Served, executions: int, clients: int) -> None:
    def client() -> None:
        connection = server.connect()
        for _ in range(executions // clients):
            ask(connection, ("POST", "/api/pipelines/echo/run", BODY))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def settle(server: Served) -> None:
    """Until the list is empty: everything has ended, and its retention is over."""
    deadline = time.monotonic() + 120
    while server.ask_json(("GET", "/api/executions", None))["executions"]:
        if time.monotonic() > deadline:
            raise SystemExit("the list does not become empty")
        time.sleep(0.5)
    time.sleep(2)  # the history is pruned now and then


def tell(server: Served, when: str) -> None:
    process = psutil.Process(server.pid)
    memory = process.memory_info().rss / 2**20
    print(
        f"{when:16} {memory:7.1f} MiB  {process.num_fds():4} fds  {process.num_threads():3} threads"
        f"  {len(process.children()):2} children"
    )


if __name__ == "__main__":
    main()
