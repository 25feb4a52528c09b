"""What a list that changes all the time costs who follows it: `python benchmarks/changes.py`.

Starts a real server on a free port, has it run a thousand executions of many short stages at once,
as fast as it can, and follows `executionsChanged` over sockets meanwhile. Prints how often the list
has changed, what each subscriber was sent of it, and whether its mirror of the list ended equal to
the query. One process cannot run stages so fast that 1,000 executions change 100 times a second
each; `tests/core/live/test_list_throttling.py` does that, with its own events and a virtual clock.
"""

import argparse
import asyncio
import json
import time
from bisect import bisect_right
from typing import Any

from served import Served, served
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

STEPS = (
    "import asyncio\n\n\nasync def step(text):\n    await asyncio.sleep(0.01)\n    return text\n"
)
FIELDS = "id status currentStage totalStages sequence stages { status }"
CHANGES = f"subscription {{ executionsChanged {{ change execution {{ {FIELDS} }} }} }}"
LIST = f"{{ executions(limit: 10000) {{ {FIELDS} }} }}"
START = 'mutation { startExecution(pipelineId: "steps", input: "a") { execution { id } } }'
PROTOCOL = Subprotocol("graphql-transport-ws")
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=1000, help="that run at once")
    parser.add_argument("--stages", type=int, default=20, help="of each; two changes a stage")
    parser.add_argument("--subscribers", type=int, default=4)
    options = parser.parse_args()
    files = {"steps.yaml": pipeline(options.stages), "many_steps.py": STEPS}
    with served(files, "--max-concurrent", str(options.executions)) as server:
        asyncio.run(measure(server, options.executions, options.subscribers))


def pipeline(stages: int) -> str:
    head = "pipeline: {id: steps, name: Steps, version: 1.0.0}\nstages:\n"
    return head + "".join(f'  - {{id: s{n}, call: "many_steps:step"}}\n' for n in range(stages))


class Subscriber:
    """Follows the list and builds its mirror."""

    def __init__(self, server: Served) -> None:
        self._url = f"ws://{server.place}/graphql"
        self.rows: dict[str, Row] = {}
        self.caught_up = asyncio.Event()
        self.times: list[float] = []
        self.bytes = 0

    async def follow(self) -> None:
        async with connect(self._url, subprotocols=[PROTOCOL], proxy=None) as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            subscribe = {"type": "subscribe", "id": "1", "payload": {"query": CHANGES}}
            await socket.recv()
            await socket.send(json.dumps(subscribe))
            async for text in socket:
                self.take(text)

    def take(self, text: str | bytes) -> None:
        message = json.loads(text)
        if message["type"] != "next":
            return
        self.times.append(time.monotonic())
        self.bytes += len(text)
        told = message["payload"]["data"]["executionsChanged"]
        if told["change"] == "CAUGHT_UP":
            self.caught_up.set()
        elif told["change"] == "LEFT":
            del self.rows[told["execution"]["id"]]
        else:
            self.rows[told["execution"]["id"]] = told["execution"]

    @property
    def busiest(self) -> int:
        """The most messages in any second."""
        return max(bisect_right(self.times, at + 1) - n for n, at in enumerate(self.times))


async def measure(server: Served, executions: int, number: int) -> None:
    subscribers = [Subscriber(server) for _ in range(number)]
    async with asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(one.follow()) for one in subscribers]
        await asyncio.gather(*(one.caught_up.wait() for one in subscribers))
        begun = time.monotonic()
        await asyncio.to_thread(start, server, executions)
        rows, flooded = await flood(server)
        taken = flooded - begun
        # Two for each stage, and submitted, begun, ended; output is no change of the list.
        changes = sum(2 * len(row["stages"]) + 3 for row in rows.values())
        print(f"{executions} executions changed {changes} times in {taken:.1f} s", end=" ")
        print(f"({changes / taken:.0f} a second)\n")
        print(f"{'subscriber':>10}{'messages':>10}{'a second':>10}{'busiest second':>16}", end="")
        print(f"{'KiB a second':>14}{'behind by':>11}  mirror")
        for place, one in enumerate(subscribers):
            await settle(one, rows)
            tell(place, one, rows, begun, flooded)
        for task in following:
            task.cancel()


def start(server: Served, executions: int) -> None:
    for _ in range(executions // 50):
        fields = " ".join(f"a{n}: {START[11:-2]}" for n in range(50))
        ask(server, f"mutation {{ {fields} }}")


async def flood(server: Served) -> tuple[dict[str, Row], float]:
    """The list once everything has ended, and when that was."""
    while True:
        rows = (await asyncio.to_thread(ask, server, LIST))["executions"]
        if all(row["status"] == "COMPLETED" for row in rows):
            return {row["id"]: row for row in rows}, time.monotonic()
        await asyncio.sleep(0.5)


async def settle(subscriber: Subscriber, rows: dict[str, Row]) -> None:
    """Until the mirror is the list, or for a minute."""
    deadline = time.monotonic() + 60
    while subscriber.rows != rows and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def tell(
    place: int, subscriber: Subscriber, rows: dict[str, Row], begun: float, flooded: float
) -> None:
    messages, last = len(subscriber.times), subscriber.times[-1]
    seconds = max(last, flooded) - begun
    print(f"{place:10}{messages:10}{messages / seconds:10.0f}{subscriber.busiest:16}", end="")
    print(f"{subscriber.bytes / 1024 / seconds:14.0f}{max(0, last - flooded):9.1f} s", end="  ")
    print("equal to the query" if subscriber.rows == rows else "NOT EQUAL TO THE QUERY")


def ask(server: Served, document: str) -> dict[str, Any]:
    answer: Any = server.ask_json(("POST", "/graphql", json.dumps({"query": document})))
    if "errors" in answer:
        raise SystemExit(str(answer["errors"]))
    data: dict[str, Any] = answer["data"]
    return data


if __name__ == "__main__":
    main()
