"""GraphQL over server-sent events and multipart, byte by byte."""

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from runcast.server.graphql.streams import EventFraming, MultipartFraming, once
from server_process import ENDS_SOON, ServerProcess

EVENTS = "text/event-stream"
MULTIPART = 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0",application/json'
EVENTS_FIRST = [EVENTS, pytest.param(MULTIPART, marks=pytest.mark.campaign)]
PROGRESS = "subscription ($id: ID!) { executionProgress(id: $id) { event sequence status } }"
LIST = "subscription { executionsChanged { change } }"
QUERY = "{ server { engine } }"


@contextmanager
def streaming(
    server: ServerProcess, accept: str, query: str, **variables: object
) -> Iterator[httpx.Response]:
    """An open response to a POST."""
    body = {"query": query, "variables": variables}
    headers = {"Accept": accept}
    with server.client.stream("POST", "/graphql", json=body, headers=headers) as response:
        yield response


def events(text: str) -> list[tuple[str, object]]:
    """The name and the JSON of each event."""
    found = []
    for block in text.split("\n\n")[:-1]:
        if not block.startswith(":"):
            name, data = block.split("\n")
            content = data.removeprefix("data: ")
            found.append((name.removeprefix("event: "), json.loads(content) if content else None))
    return found


def parts(text: str) -> list[dict[str, object]]:
    """The JSON of each part; a client finds a part by the boundary behind it."""
    first, *middle, last = text.split("--graphql")
    assert (first, last) == ("", "--\r\n")
    bodies = []
    for part in middle:
        head, body = part.split("\r\n\r\n", 1)
        assert head == "\r\nContent-Type: application/json"
        assert body.endswith("\r\n")
        bodies.append(json.loads(body))
    return bodies


def check_run(payloads: list[dict[str, dict[str, dict[str, object]]]]) -> None:
    """A snapshot first, no gap, the end last."""
    messages = [payload["data"]["executionProgress"] for payload in payloads]
    assert messages[0]["event"] == "SNAPSHOT" and messages[-1]["status"] == "COMPLETED"
    first = int(str(messages[0]["sequence"]))
    assert [one["sequence"] for one in messages] == list(range(first, first + len(messages)))


def test_a_run_as_events(server: ServerProcess) -> None:
    """`next` for each result, then `complete` with an empty data line; lines end in LF alone."""
    id = GraphQLDoor(server.client).start("several-v1")
    with streaming(server, EVENTS, PROGRESS, id=id) as response:
        text = response.read().decode()
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert "\r" not in text
    *results, last = events(text)
    assert last == ("complete", None) and {name for name, _ in results} == {"next"}
    check_run([content for _, content in results])  # type: ignore[misc]


def test_a_run_as_parts(server: ServerProcess) -> None:
    """Each result is a payload in a part of its own."""
    id = GraphQLDoor(server.client).start("several-v1")
    with streaming(server, MULTIPART, PROGRESS, id=id) as response:
        text = response.read().decode()
    assert response.headers["content-type"].startswith('multipart/mixed;boundary="graphql"')
    check_run([part["payload"] for part in parts(text)])  # type: ignore[misc]


def test_a_query_as_events(server: ServerProcess) -> None:
    """A client that accepts nothing but events gets its one result as one."""
    with streaming(server, EVENTS, QUERY) as response:
        found = events(response.read().decode())
    assert found == [("next", {"data": {"server": {"engine": "embedded"}}}), ("complete", None)]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('subscription { executionProgress(id: "exec_1_none") { event } }', "NOT_FOUND"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
    ],
)
def test_a_refusal_as_events(server: ServerProcess, query: str, code: str) -> None:
    """Request errors come as a `next` (distinct connections mode), without `data`."""
    with streaming(server, EVENTS, query) as response:
        [(name, content), last] = events(response.read().decode())
    assert (name, last) == ("next", ("complete", None))
    assert isinstance(content, dict) and content.keys() == {"errors"}
    assert content["errors"][0]["extensions"]["code"] == code


def test_ordinary_queries_are_not_streamed(server: ServerProcess) -> None:
    """A client that mentions events in every request, as urql does, gets JSON."""
    accept = "application/graphql-response+json, application/json, text/event-stream"
    answer = server.client.post("/graphql", json={"query": QUERY}, headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("application/graphql-response+json")
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("accept", [EVENTS, MULTIPART])
def test_a_client_that_goes_is_forgotten(server: ServerProcess, accept: str) -> None:
    """Its subscription ends, the execution runs on."""
    door = GraphQLDoor(server.client)
    id = door.start("waiting")
    with streaming(server, accept, PROGRESS, id=id) as response:
        assert next(response.iter_raw())
    found = door.ask("query ($id: ID!) { execution(id: $id) { status } }", id=id)["execution"]
    assert found["status"] in ("QUEUED", "RUNNING")
    door.cancel(id)


@pytest.mark.parametrize("accept", EVENTS_FIRST)
def test_a_server_that_stops_ends_its_streams(
    serve: Callable[..., ServerProcess], accept: str
) -> None:
    """They end as they should, with the end of the execution in them."""
    server = serve(hurry=ENDS_SOON)
    id = GraphQLDoor(server.client).start("waiting")
    text = ""
    with streaming(server, accept, PROGRESS, id=id) as response:
        for chunk in response.iter_text():
            if "SNAPSHOT" in chunk:
                server.process.terminate()
            text += chunk
    assert "FAILED" in text
    assert text.endswith("event: complete\ndata: \n\n" if accept == EVENTS else "--graphql--\r\n")
    server.process.wait(20)


@pytest.mark.parametrize("accept", EVENTS_FIRST)
def test_a_server_that_stops_interrupts_an_open_list(
    serve: Callable[..., ServerProcess], accept: str
) -> None:
    """The response ends and does not say that the list is complete: a client comes back for it."""
    server = serve()
    text = ""
    with streaming(server, accept, LIST) as response:
        for chunk in response.iter_text():
            if "CAUGHT_UP" in chunk:
                server.process.terminate()
            text += chunk
    assert "CAUGHT_UP" in text
    assert text.endswith("}\n\n" if accept == EVENTS else "}\r\n--graphql")
    server.process.wait(20)


async def test_a_client_that_breaks_off_unnoticed(server: ServerProcess) -> None:
    """Behind a pipelined request nobody reads: the next message finds it gone, and logs nothing."""
    door, before = GraphQLDoor(server.client), len(server.complained)
    id = door.start("waiting")
    body = json.dumps({"query": PROGRESS, "variables": {"id": id}})
    head = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    request = f"{head}Accept: {EVENTS}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    with socket.create_connection(("127.0.0.1", server.client.base_url.port)) as client:
        port = client.getsockname()[1]
        client.sendall(request.encode() * 2)
        assert client.recv(1000)
        # Closing resets the connection.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    door.cancel(id)
    eventually(lambda: not server.holds(port))
    assert "Traceback" not in server.complained[before:]


async def test_heartbeats_fit_in_between() -> None:
    """A heartbeat may stand before any chunk but the first, and means nothing."""
    for framing in (EventFraming(), MultipartFraming()):
        first, *rest = [chunk async for chunk in framing.chunks(once(b'{"data":null}'))]
        text = (first + framing.heartbeat + b"".join(rest)).decode()
        if isinstance(framing, MultipartFraming):
            assert parts(text) == [{}, {"payload": {"data": None}}]
        else:
            assert ": still here" in text and events(text)[-1] == ("complete", None)
