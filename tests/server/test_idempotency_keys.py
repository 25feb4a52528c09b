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

DOORS: tuple[type[KeyedRest] | type[KeyedGraphQL], ...] = (KeyedRest, KeyedGraphQL)


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
def test_it_finds_what_it_has_started(serve: Callable[..., ServerProcess], retention: str) -> None:
    """Before and after a restart; another request with it is refused, then and now."""
    first = serve("--retention", retention)
    known = {open_door: start_by_keys(first, open_door(first.client)) for open_door in DOORS}
    for open_door, ids in known.items():
        check(open_door(first.client), *ids)
    first.end()
    second = serve("--data", str(first.data))
    for open_door, ids in known.items():
        check(open_door(second.client), *ids)
    assert everything(second).keys() == {id for ids in known.values() for id in ids}


def start_by_keys(server: ServerProcess, door: KeyedDoor) -> tuple[str, str]:
    """The executions that have been started, and that has been retried, by a key of the door's."""
    name = type(door).__name__
    begun = door.start("several-v1", "text", f"{name} k")
    assert not begun.existing
    ended(server, begun.id)
    retried = door.retry(begun.id, "measure", f"{name} r")
    assert not retried.existing
    ended(server, retried.id)
    return begun.id, retried.id


def check(door: KeyedDoor, begun: str, retried: str) -> None:
    """The two keys are taken, by these executions and what started them."""
    k, r = f"{type(door).__name__} k", f"{type(door).__name__} r"
    again = door.start("several-v1", "text", k)
    assert (again.id, again.existing) == (begun, True)
    again = door.retry(begun, "measure", r)
    assert (again.id, again.existing) == (retried, True)
    assert refused(door.start, "several-v1", "other", k) == "CONFLICT"
    assert refused(door.start, "echo", "text", k) == "CONFLICT"
    assert refused(door.retry, begun, None, r) == "CONFLICT"
    assert refused(door.retry, begun, "measure", k) == "CONFLICT"
    assert refused(door.start, "several-v1", "text", r) == "CONFLICT"


@pytest.mark.parametrize("open_door", DOORS)
def test_many_at_once_start_one(
    server: ServerProcess, open_door: Callable[[httpx.Client], KeyedDoor]
) -> None:
    """Each client is told of the same execution, and one of them that it is new."""
    key, door = uuid4().hex, open_door(server.client)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        starts = [threads.submit(door.start, "echo", "x" * 200_000, key) for _ in range(AT_ONCE)]
        begun = [start.result() for start in starts]
    assert len({one.id for one in begun}) == 1
    assert sorted(one.existing for one in begun) == [False] + [True] * (AT_ONCE - 1)


def test_a_new_default_mode_is_not_another_request(serve: Callable[..., ServerProcess]) -> None:
    """The server has a key for a language model since its restart; who chose a mode chose it."""
    first = serve()
    ids = {door: door(first.client).start("echo", "text", door.__name__).id for door in DOORS}
    first.end()
    second = serve("--data", str(first.data), ANTHROPIC_API_KEY="a-key")
    for door, id in ids.items():
        key = door.__name__
        assert door(second.client).start("echo", "text", key).id == id
        body = {"input": "text", "idempotencyKey": key, "executionMode": "api"}
        answer = second.client.post("/api/pipelines/echo/run", json=body)
        assert answer.status_code == 409


def test_it_is_free_when_the_history_has_forgotten_it(serve: Callable[..., ServerProcess]) -> None:
    """And not before."""
    server = serve("--retention", "0", "--history-max", "1")
    for open_door in DOORS:
        door, key = open_door(server.client), open_door.__name__
        first = door.start("echo", "one", key).id
        ended(server, first)
        assert refused(door.start, "echo", "two", key) == "CONFLICT"
        other = door.start("echo", "one", None).id
        eventually(lambda other=other: list(everything(server)) == [other])  # type: ignore[misc]
        assert not door.start("echo", "two", key).existing


def test_no_start_by_a_key_without_a_history(serve: Callable[..., ServerProcess]) -> None:
    """What cannot be known is refused; what is live is known, and who has no key needs none."""
    server = serve()
    for open_door in DOORS:
        door, key, other = open_door(server.client), open_door.__name__, f"{open_door} other"
        live = door.start("echo", "text", key)
        with closing(sqlite3.connect(server.data / "history.db", timeout=30)) as connection:
            connection.execute("ALTER TABLE executions RENAME COLUMN start_key TO elsewhere")
            assert refused(door.start, "echo", "text", other) == "UNAVAILABLE"
            assert door.start("echo", "text", key).id == live.id
            unkeyed = door.start("echo", "text", None)
            assert not unkeyed.existing
            connection.execute("ALTER TABLE executions RENAME COLUMN elsewhere TO start_key")
        assert not door.start("echo", "text", other).existing


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
