"""How long others wait while one client asks for much: `python benchmarks/stalls.py`.

Starts a real server, has it hold thousands of executions, and asks for `/healthz` over and over, in
a process of its own: alone first, and then beside each of the questions, which are all within the
limits or just beyond. What `/healthz` takes more than alone is how long the event loop was held.
"""

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from bombs import QUERY, fields, show
from served import Served, Target, ask, served
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

PIPELINES = {
    "echo.yaml": "pipeline: {id: echo, name: Echo, version: 1.0.0}\n"
    'stages: [{id: copy, name: Copy, call: "counting:same"}]\n',
    "counts.yaml": "pipeline: {id: counts, name: Counts, version: 1.0.0}\n"
    'stages: [{id: count, call: "counting:counts"}]\n',
    "counting.py": "import asyncio\n\n\nasync def same(text):\n    return text\n\n\n"
    "async def counts(text, context):\n"
    "    for number in range(int(text)):\n"
    '        context.emit(f"line {number}\\n")\n'
    "        await asyncio.sleep(0.01)\n",
}
ROW = "id pipelineName status startTime inputPreview stages { id name status output { text } }"
WALK = "a{n}: fields {{ args {{ type {{ fields {{ name }} }} }} type {{ fields {{ name }} }} }}"
FIVE = fields("a{n}: startExecution(pipelineId: $id, input: $input) {{ execution {{ id }} }}", 5)
START = f"mutation ($id: ID!, $input: String!) {{ {FIVE} }}"
MEGABYTE = 1_000_000
PROTOCOL = Subprotocol("graphql-transport-ws")
CHANGES = f"subscription {{ executionsChanged {{ change execution {{ {ROW} }} }} }}"
OUTPUTS = f"execution {{ stages {{ {fields('a{n}: output {{ text }}', 28)} }} }}"
FOLLOW = f"subscription ($id: ID!) {{ executionProgress(id: $id) {{ {OUTPUTS} }} }}"
QUESTIONS: dict[str, str] = {
    "a list": f"{{ executions {{ {ROW} }} }}",
    "twenty lists": "{ " + fields("a{n}: executions {{ id }}", 20) + " }",
    "twenty searches": "{ "
    + fields(f'a{{n}}: executions(filter: {{{{text: "{"2" * 200}"}}}}) {{{{ id }}}}', 20)
    + " }",
    "twenty sorted pages": "{ "
    + fields(
        "a{n}: executionsConnection(first: 1, orderBy: {{field: DURATION}}) {{ totalCount }}", 20
    )
    + " }",
    "the schema, walked": "{ __schema { types { " + fields(WALK, 15) + " } } }",
    "megabytes of inputs": "{ executions(limit: 20) { input } }",
    "five errors, far down": "\n" * 99_000 + "{ a b c d e f }",
}
BRACKETS = {
    "a megabyte of brackets": f'{{"query": "{QUERY}", "extensions": {{"a": [{"[]," * 340_000}0]}}}}'
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=2000, help="that are held")
    parser.add_argument("--times", type=int, default=5, help="how often each question is asked")
    parser.add_argument("--followers", type=int, default=100, help="of one execution, on a socket")
    options = parser.parse_args()
    with served(PIPELINES, "--queue", str(options.executions)) as server:
        hold(server, options.executions)
        print(f"GET /healthz, milliseconds{'p50':>18}{'p99':>8}{'max':>8}")
        show("alone", beside(server, lambda: time.sleep(2)))
        bodies = {name: json.dumps({"query": query}) for name, query in QUESTIONS.items()}
        for name, body in (bodies | BRACKETS).items():
            show(name, beside(server, lambda body=body: question(server, body, options.times)))
        show("the list, followed", beside(server, lambda: follow(server, CHANGES, None, 3)))
        id = start(server, "counts", "300")
        following = beside(server, lambda: follow(server, FOLLOW, id, options.followers))
        show(f"{options.followers} followers of one", following)


def hold(server: Served, executions: int) -> None:
    """Has so many executions in the list, twenty of them with a large input."""
    for _ in range(executions // 5):
        start(server, "echo", "hello")
    for _ in range(4):
        start(server, "echo", "x" * (MEGABYTE // 2))
    while json.loads(ask(server.connect(), ("GET", "/api/executions/running", None)))["count"]:
        time.sleep(0.1)


def start(server: Served, pipeline: str, input: str) -> str:
    """Starts five; the id of the last one."""
    body = json.dumps({"query": START, "variables": {"id": pipeline, "input": input}})
    answer = json.loads(ask(server.connect(), ("POST", "/graphql", body)))
    return str(answer["data"]["a4"]["execution"]["id"])


def beside(server: Served, work: Callable[[], None]) -> list[float]:
    """How long each `/healthz` took while that was done."""
    ours, its = multiprocessing.Pipe()
    process = multiprocessing.Process(target=watch, args=(server, its))
    process.start()
    ours.recv()
    work()
    ours.send("enough")
    taken: list[float] = ours.recv()
    process.join()
    return taken


def watch(server: Served, line: Connection) -> None:
    connection, taken = server.connect(), list[float]()
    target: Target = ("GET", "/healthz", None)
    line.send("begun")
    while not line.poll():
        begun = time.perf_counter()
        ask(connection, target)
        taken.append((time.perf_counter() - begun) * 1000)
        time.sleep(0.002)
    line.send(taken)


def question(server: Served, body: str, times: int) -> None:
    for _ in range(times):
        ask(server.connect(), ("POST", "/graphql", body))


def follow(server: Served, query: str, id: str | None, times: int) -> None:
    asyncio.run(_follow(server, {"query": query, "variables": {"id": id}}, times))


async def _follow(server: Served, payload: dict[str, object], times: int) -> None:
    """Subscribes so many times on one socket, until each has caught up or is complete."""
    where = f"ws://{server.place}/graphql"
    async with connect(where, subprotocols=[PROTOCOL], proxy=None, max_size=None) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        await socket.recv()
        for number in range(times):
            message = {"type": "subscribe", "id": str(number), "payload": payload}
            await socket.send(json.dumps(message))
        left = times
        while left:
            text = str(await socket.recv())
            left -= '"CAUGHT_UP"' in text or '"complete"' in text


if __name__ == "__main__":
    main()
