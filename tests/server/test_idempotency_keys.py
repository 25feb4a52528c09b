"""An idempotency key starts one execution, for as long as the history has that."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import uuid4

import httpx
import pytest
from deadlines import eventually
from doors import GraphQLDoor, Refused
from keyed_starts import KeyedDoor, KeyedGraphQL, KeyedRest
from server_process import ServerProcess

AT_ONCE = 12
EVERYTHING = "{ executionsConnection(includeHistory: true, first: 250) { nodes { id endReason } } }"

Opened = Callable[[ServerProcess], KeyedDoor]


@pytest.fixture(params=[KeyedRest, KeyedGraphQL])
def opened(request: pytest.FixtureRequest) -> Opened:
    """One of the two doors, to any server."""
    door: Callable[[httpx.Client], KeyedDoor] = request.param
    return lambda server: door(server.client)


def everything(server: ServerProcess) -> dict[str, str | None]:
    """Why each execution has ended, by its id."""
    nodes = GraphQLDoor(server.client).ask(EVERYTHING)["executionsConnection"]["nodes"]
    return {node["id"]: node["endReason"] for node in nodes}


def ended(server: ServerProcess, id: str) -> None:
    eventually(lambda: everything(server).get(id))


def refused(call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(Refused) as error:
        call(*arguments)
    return error.value.code


@pytest.mark.parametrize("retention", ["300", "0"], ids=["live", "history only"])
def test_it_finds_what_it_has_started(
    serve: Callable[..., ServerProcess], opened: Opened, retention: str
) -> None:
    """Before and after a restart; another request with it is refused, then and now."""
    first = serve("--retention", retention)
    door = opened(first)
    begun = door.start("several-v1", "text", "k")
    assert not begun.existing
    ended(first, begun.id)
    retried = door.retry(begun.id, "measure", "r")
    assert not retried.existing
    ended(first, retried.id)
    check(door, begun.id, retried.id)
    first.end()
    second = serve("--data", str(first.data))
    check(opened(second), begun.id, retried.id)
    assert everything(second).keys() == {begun.id, retried.id}


def check(door: KeyedDoor, begun: str, retried: str) -> None:
    """The two keys are taken, by these executions and what started them."""
    again = door.start("several-v1", "text", "k")
    assert (again.id, again.existing) == (begun, True)
    again = door.retry(begun, "measure", "r")
    assert (again.id, again.existing) == (retried, True)
    assert refused(door.start, "several-v1", "other", "k") == "CONFLICT"
    assert refused(door.start, "echo", "text", "k") == "CONFLICT"
    assert refused(door.retry, begun, None, "r") == "CONFLICT"
    assert refused(door.retry, begun, "measure", "k") == "CONFLICT"
    assert refused(door.start, "several-v1", "text", "r") == "CONFLICT"


def test_many_at_once_start_one(server: ServerProcess, opened: Opened) -> None:
    """Each client is told of the same execution, and one of them that it is new."""
    key = uuid4().hex
    with ThreadPoolExecutor(AT_ONCE) as threads:
        starts = [
            threads.submit(opened(server).start, "echo", "x" * 200_000, key) for _ in range(AT_ONCE)
        ]
        begun = [start.result() for start in starts]
    assert len({one.id for one in begun}) == 1
    assert sorted(one.existing for one in begun) == [False] + [True] * (AT_ONCE - 1)


def test_a_new_default_mode_is_not_another_request(
    serve: Callable[..., ServerProcess], opened: Opened
) -> None:
    """The server has a key for a language model since its restart; who chose a mode chose it."""
    first = serve()
    begun = opened(first).start("echo", "text", "k")
    first.end()
    second = serve("--data", str(first.data), ANTHROPIC_API_KEY="a-key")
    assert opened(second).start("echo", "text", "k").id == begun.id
    body = {"input": "text", "idempotencyKey": "k", "executionMode": "api"}
    answer = second.client.post("/api/pipelines/echo/run", json=body)
    assert answer.status_code == 409


def test_it_is_free_when_the_history_has_forgotten_it(
    serve: Callable[..., ServerProcess], opened: Opened
) -> None:
    """And not before."""
    server = serve("--retention", "0", "--history-max", "1")
    door = opened(server)
    first = door.start("echo", "one", "k").id
    ended(server, first)
    assert refused(door.start, "echo", "two", "k") == "CONFLICT"
    other = door.start("echo", "one", None).id
    eventually(lambda: list(everything(server)) == [other])
    assert not door.start("echo", "two", "k").existing


def test_no_start_by_a_key_without_a_history(
    serve: Callable[..., ServerProcess], opened: Opened
) -> None:
    """What cannot be known is refused; what is live is known, and who has no key needs none."""
    server = serve()
    door = opened(server)
    live = door.start("echo", "text", "k")
    with closing(sqlite3.connect(server.data / "history.db", timeout=30)) as connection:
        connection.execute("ALTER TABLE records RENAME TO elsewhere")
        assert refused(door.start, "echo", "text", "other") == "UNAVAILABLE"
        assert door.start("echo", "text", "k").id == live.id
        unkeyed = door.start("echo", "text", None)
        assert not unkeyed.existing
        connection.execute("ALTER TABLE elsewhere RENAME TO records")
    assert not door.start("echo", "text", "other").existing


def test_a_retry_needs_no_body(server: ServerProcess) -> None:
    """It then runs everything again, each time."""
    client = server.client
    begun = KeyedRest(client).start("echo", "text", None)
    ended(server, begun.id)
    answers = [client.post(f"/api/executions/{begun.id}/retry").json() for _ in range(2)]
    assert {tuple(answer) for answer in answers} == {
        ("executionId", "pipelineId", "status", "executionMode")
    }
    assert len({begun.id, *(answer["executionId"] for answer in answers)}) == 3


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 400),
        (b"{", 400),
        (b'{"fromStage": 5}', 400),
        (b'{"idempotencyKey": ""}', 400),
        (b'{"idempotencyKey": 5}', 400),
        (b'{"fromStage": "none"}', 404),
    ],
)
def test_a_retry_that_is_refused_says_why(server: ServerProcess, body: bytes, status: int) -> None:
    """In one text, as every refusal."""
    begun = KeyedRest(server.client).start("echo", "text", None)
    ended(server, begun.id)
    path, headers = f"/api/executions/{begun.id}/retry", {"content-type": "application/json"}
    answer = server.client.post(path, content=body, headers=headers)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    answer = server.client.post(path, content=body, headers={"content-type": "text/plain"})
    assert answer.status_code == 415


def test_a_retry_of_nothing_is_not_found(server: ServerProcess) -> None:
    """As everything about an execution that never was."""
    answer = server.client.post("/api/executions/exec_1_a/retry")
    assert (answer.status_code, answer.json()) == (404, {"error": "Execution not found"})
