"""Automatic persisted queries, as Apollo's clients send them, over POST, GET and the socket."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest
from server_process import ServerProcess
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

Ask = Callable[..., dict[str, Any]]
NOT_FOUND = ("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")


def digest_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def persisted(digest: str, **parameters: object) -> dict[str, object]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}, **parameters}


def refusal(answer: dict[str, Any]) -> tuple[str, str]:
    [error] = answer["errors"]
    return error["message"], error["extensions"]["code"]


@pytest.fixture
def socket(server: ServerProcess) -> Iterator[ClientConnection]:
    address = server.url.replace("http", "ws", 1) + "/graphql"
    protocol = Subprotocol("graphql-transport-ws")
    with connect(address, subprotocols=[protocol], proxy=None) as socket:
        socket.send('{"type": "connection_init"}')
        assert json.loads(socket.recv(20))["type"] == "connection_ack"
        yield socket


@pytest.fixture(params=["POST", "GET", "socket"])
def ask(request: pytest.FixtureRequest, server: ServerProcess, socket: ClientConnection) -> Ask:
    """Asks through one of the doors, and returns the response map."""

    def post(parameters: dict[str, object]) -> dict[str, Any]:
        return dict(server.client.post("/graphql", json=parameters).json())

    def get(parameters: dict[str, object]) -> dict[str, Any]:
        address = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in parameters.items()
        }
        return dict(server.client.get("/graphql", params=address).json())

    def send(parameters: dict[str, object]) -> dict[str, Any]:
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": parameters}))
        message = json.loads(socket.recv(20))
        if message["type"] == "error":
            return {"errors": message["payload"]}
        assert json.loads(socket.recv(20))["type"] == "complete"
        return dict(message["payload"])

    return {"POST": post, "GET": get, "socket": send}[request.param]


def test_the_digest_is_enough_once_the_text_was_sent(ask: Ask, request: Any) -> None:
    """Variables and the operation's name go with it, as they do with a text."""
    text = "query a($id: ID!) { execution(id: $id) { id } } query b { pipelines { id } } # "
    text += request.node.name
    asked = persisted(digest_of(text), operationName="a", variables={"id": "none"})
    assert refusal(ask(asked)) == NOT_FOUND
    assert ask({"query": text, **asked}) == {"data": {"execution": None}}
    assert ask(asked) == {"data": {"execution": None}}


def test_nobody_stores_a_text_in_the_place_of_another(ask: Ask, request: Any) -> None:
    """A digest of another text is refused, and stays unknown."""
    digest = digest_of(f"{{ server {{ engine }} }} # {request.node.name}")
    mixed = {"query": "{ pipelines { id } }", **persisted(digest)}
    assert refusal(ask(mixed)) == ("The sha256Hash is not that of the query", "BAD_USER_INPUT")
    assert refusal(ask(persisted(digest))) == NOT_FOUND


@pytest.mark.parametrize("text", ["{ nope }", "{ server {", "{ server { engine } }" + "#\n" * 1001])
def test_what_is_refused_is_not_stored(ask: Ask, text: str) -> None:
    """Only valid documents are."""
    asked = persisted(digest_of(text))
    assert refusal(ask({"query": text, **asked})) != NOT_FOUND
    assert refusal(ask(asked)) == NOT_FOUND


def test_a_mutation_needs_post(server: ServerProcess) -> None:
    """Also where the address does not show that it is one."""
    text = 'mutation { startExecution(pipelineId: "none", input: "") { existing } }'
    parameters = persisted(digest_of(text))
    server.client.post("/graphql", json={"query": text, **parameters})
    address = {"extensions": json.dumps(parameters["extensions"])}
    assert server.client.get("/graphql", params=address).status_code == 405


@pytest.mark.parametrize(
    "extension",
    [
        {},
        {"version": 1},
        {"version": 2, "sha256Hash": "0" * 64},
        {"version": 1, "sha256Hash": "0" * 63},
        {"version": 1, "sha256Hash": "A" * 64},
        {"version": 1, "sha256Hash": 7},
        "0" * 64,
    ],
)
def test_what_is_no_digest_is_refused(server: ServerProcess, extension: object) -> None:
    """In words that say what would be one."""
    body = {"query": "{ server { engine } }", "extensions": {"persistedQuery": extension}}
    answer = server.client.post("/graphql", json=body)
    assert answer.status_code == 400
    assert "persistedQuery" in answer.json()["errors"][0]["message"]


def test_other_extensions_are_passed_over(server: ServerProcess) -> None:
    """Clients send what they like in them."""
    body = {"query": "{ pipelines { id } }", "extensions": {"persistedQuery": None, "other": 1}}
    assert server.client.post("/graphql", json=body).status_code == 200
