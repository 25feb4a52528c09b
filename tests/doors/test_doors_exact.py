"""JSON of stages that readers like to change: the same to the byte through every door."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deadlines import eventually
from doors import GraphQLDoor
from runcast.core.json_value import as_text, loads
from server_process import ServerProcess, serving
from websockets.asyncio.client import connect

# Beyond 64 bits, beyond all floats, beyond what Python reads and writes by itself.
TEXT = (
    '{"b":1,"a":[1180591620717411303424,-18446744073709551616,1.0,-0.0,1],"é":null,'
    f'"":{{"z":{10**400},"y":{"7" * 5000}}}}}'
)
PRETTY = as_text(loads(TEXT))

PIPELINE = """\
pipeline: {id: exact, name: Exact, version: 1.0.0}
stages:
  - {id: returned, call: "exact:returned"}
  - {id: passed, call: "exact:passed"}
  - {id: printed, command: [cat], output: {format: json}}
  - {id: rendered, command: [cat], input: "{{returned}}"}
  - {id: read, command: [cat], output: {format: json}}
  - {id: logged, command: [sh, -c, "echo found [3] files; cat"], output: {format: json}}
  - {id: picked, call: "exact:picked", output: {format: json, extract: [{name: a, path: value}]}}
  - {id: all, call: "exact:all_of_it"}
"""
NUMBER = 2**64 + 1
NUMBERED = f"""\
pipeline: {{id: "{NUMBER}", name: Numbered, version: 1.0.0}}
stages: [{{id: say, command: [cat]}}]
"""
FUNCTIONS = """\
def returned(input):
    return {
        "b": 1, "a": [2**70, -(2**64), 1.0, -0.0, 1], "é": None,
        "": {"z": 10**400, "y": 7 * (10**5000 - 1) // 9},
    }

async def passed(input):
    return input

def picked(input):
    return {"value": input}

async def all_of_it(input, context):
    return context.outputs["picked"]["a"]
"""

STATE = "query ($id: ID!) { execution(id: $id) { status error { message } } }"
OUTPUT = "query ($id: ID!) { execution(id: $id) { output stages { output { text } } } }"
FOLLOWED = "subscription ($id: ID!) { executionProgress(id: $id) { execution { output } } }"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a server, with the pipeline in it."""
    folder = tmp_path_factory.mktemp("exact")
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "exact.yaml").write_text(PIPELINE)
    (folder / "pipelines" / "numbered.yaml").write_text(NUMBERED)
    (folder / "pipelines" / "exact.py").write_text(FUNCTIONS)
    return folder


@pytest.fixture(scope="module")
def flags(folder: Path) -> tuple[str, ...]:
    return ("--pipelines", str(folder / "pipelines"))


@pytest.fixture(scope="module")
def server(folder: Path, flags: tuple[str, ...]) -> Iterator[ServerProcess]:
    with serving(folder, *flags) as server:
        yield server


@pytest.fixture(scope="module")
def ended(server: ServerProcess) -> str:
    """The id of an execution that has come to its end."""
    door = GraphQLDoor(server.client)
    id = door.start("exact")
    eventually(lambda: not door.running())
    execution = door.ask(STATE, id=id)["execution"]
    assert execution == {"status": "COMPLETED", "error": None}
    return id


def graphql(server: ServerProcess, query: str, id: str, **headers: str) -> str:
    body = {"query": query, "variables": {"id": id}}
    return server.client.post("/graphql", json=body, headers=headers).text


def test_graphql(server: ServerProcess, ended: str) -> None:
    """The scalar `JSON`, and the text of a template, which has an indent of 2."""
    answer = graphql(server, OUTPUT, ended)
    assert f'"output":{TEXT},' in answer
    assert json.dumps({"text": PRETTY}, ensure_ascii=False, separators=(",", ":")) in answer


@pytest.mark.parametrize("accept", ["text/event-stream", "multipart/mixed"])
def test_graphql_streams(server: ServerProcess, ended: str, accept: str) -> None:
    """Events and parts of a subscription."""
    assert f'"output":{TEXT}' in graphql(server, FOLLOWED, ended, Accept=accept)


async def test_graphql_socket(server: ServerProcess, ended: str) -> None:
    """Messages of a subscription."""
    async with connect(server.ws_url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        await socket.send('{"type": "connection_init"}')
        await socket.recv()
        payload = {"query": FOLLOWED, "variables": {"id": ended}}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        async with asyncio.timeout(30):
            assert f'"output":{TEXT}' in str(await socket.recv())


async def test_what_is_said_on_a_socket_comes_back(server: ServerProcess) -> None:
    """The payload of a ping is the payload of its pong."""
    payload = f'{{"b":{2**70},"a":[-0.0,1.0,{10**399}]}}'
    async with connect(server.ws_url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        await socket.send(f'{{"type": "ping", "payload": {payload}}}')
        async with asyncio.timeout(30):
            assert f'"payload":{payload}' in str(await socket.recv())


def test_a_number_in_variables(server: ServerProcess) -> None:
    """An ID may be sent as an integer: it means the pipeline of that id, and not of one near it."""
    query = """mutation ($id: ID!) { startExecution(pipelineId: $id, input: "x") {
      execution { pipelineId } } }"""
    for number in (NUMBER, NUMBER - 1):
        body = {"query": query, "variables": {"id": number}}
        found = server.client.post("/graphql", json=body).json()["data"]["startExecution"]
        expected = {"pipelineId": str(number)} if number == NUMBER else None
        assert found["execution"] == expected


def test_rest(server: ServerProcess, ended: str) -> None:
    """The value of every stage."""
    answer = server.client.get(f"/api/executions/{ended}").text
    for stage in ("returned", "passed", "printed", "read", "logged", "all"):
        assert f'"{stage}":{TEXT}' in answer
    assert f'"picked":{{"a":{TEXT}}}' in answer


def test_rest_events(server: ServerProcess, ended: str) -> None:
    """The result in the last event."""
    assert f'"passed":{TEXT}' in server.client.get(f"/api/executions/{ended}/events").text


async def test_old_socket(server: ServerProcess, ended: str) -> None:
    """The result in the last message."""
    async with connect(server.ws_url.replace("/graphql", "/ws")) as socket:
        await socket.send(json.dumps({"type": "subscribe", "executionId": ended}))
        async with asyncio.timeout(30):
            while '"execution:completed"' not in (message := str(await socket.recv())):
                pass
    assert f'"passed":{TEXT}' in message


def test_result_file(server: ServerProcess, ended: str) -> None:
    """With an indent; and the list of them knows the file."""
    every = server.client.get("/api/outputs").json()
    [listed] = [one for one in every if one["pipelineId"] == "exact"]
    content = loads(server.client.get(f"/api/outputs/{listed['filename']}").content)
    assert as_text(content["output"]["all"]) == PRETTY  # type: ignore[index]


def test_history(folder: Path, flags: tuple[str, ...], server: ServerProcess, ended: str) -> None:
    """After a restart: GraphQL's scalar, and the text that REST has of it."""
    server.process.terminate()
    server.process.wait(20)
    with serving(folder, *flags) as again:
        assert f'"output":{TEXT},' in graphql(again, OUTPUT, ended)
        detail: Any = again.client.get(f"/api/executions/{ended}").json()
        assert detail["isHistorical"]
        found = detail["result"]["output"]["_extractedFinalOutput"]["content"]
        assert found == PRETTY
