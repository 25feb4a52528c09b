"""Who may come in: Host, Origin and token, over HTTP and over the socket."""

from collections.abc import Iterator

import pytest
from doors import GraphQLDoor, reason
from gql.transport.exceptions import TransportError, TransportQueryError
from server_process import ServerProcess, serving
from subscriptions import connected
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.typing import Subprotocol

RUN = "/api/pipelines/echo/run"
QUERY = {"query": "{ server { engine } }"}
TRANSPORT_WS = [Subprotocol("graphql-transport-ws")]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that wants a token."""
    with serving(tmp_path_factory.mktemp("guarded"), "--token", "secret") as server:
        yield server


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1"])
@pytest.mark.parametrize(
    ("path", "body"),
    [(RUN, {"input": "a"}), ("/api/executions/exec_1_a/cancel", None), ("/graphql", QUERY)],
)
def test_foreign_origin(server: ServerProcess, path: str, body: object, origin: str) -> None:
    """A page from elsewhere can start, cancel and ask nothing: 403 in JSON."""
    answer = server.client.post(path, json=body, headers={"Origin": origin})
    assert answer.status_code == 403
    assert origin in reason(answer)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_whatever_may_act_is_asked_for_its_origin(server: ServerProcess, method: str) -> None:
    """Also another port of this machine: whoever has that is somebody else."""
    port = int(server.url.rpartition(":")[2])
    for origin in ("http://evil.example", "http://127.0.0.1", f"http://127.0.0.1:{port + 1}"):
        answer = server.client.request(method, RUN, headers={"Origin": origin})
        assert (answer.status_code, origin in reason(answer)) == (403, True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_who_only_looks_may_come_from_anywhere(server: ServerProcess, method: str) -> None:
    """Browsers show the answer to no page from elsewhere."""
    headers = {"Origin": "http://evil.example"}
    assert server.client.request(method, "/graphql", headers=headers).status_code != 403


def test_own_origin(server: ServerProcess) -> None:
    """A page from here can."""
    answer = server.client.post("/graphql", json=QUERY, headers={"Origin": server.url})
    assert answer.json() == {"data": {"server": {"engine": "embedded"}}}


@pytest.mark.parametrize("path", ["/api/executions", "/graphql", "/healthz", "/"])
def test_foreign_host(server: ServerProcess, path: str) -> None:
    """A name that is not ours is not answered: DNS can be made to say anything."""
    answer = server.client.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 403
    assert "evil.example" in reason(answer)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "LOCALHOST"])
def test_own_host(server: ServerProcess, name: str) -> None:
    """The names of this machine are ours."""
    port = server.url.rpartition(":")[2]
    headers = {"Host": f"{name}:{port}"}
    assert server.client.get("/api/executions", headers=headers).status_code == 200


async def test_foreign_origin_on_the_socket(server: ServerProcess) -> None:
    """A page from elsewhere does not get a socket."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(server.ws_url, subprotocols=TRANSPORT_WS, origin="http://evil.example")
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("authorization", [None, "secret", "Bearer wrong", "Basic secret", ""])
@pytest.mark.parametrize("path", ["/api/executions", "/graphql?query={server{engine}}", "/no"])
def test_no_token(guarded: ServerProcess, path: str, authorization: str | None) -> None:
    """Without the token every route is a 401 in JSON that tells what is needed."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = guarded.client.get(path, headers=headers)
    assert answer.status_code == 401
    assert "Authorization: Bearer" in reason(answer)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/", "/start", "/executions/exec_1", "/graphql", "/healthz"])
def test_pages_are_open_to_who_looks(guarded: ServerProcess, path: str) -> None:
    """There is no data in them; nothing can be sent there without the token."""
    headers = {"Accept": "text/html"}
    assert guarded.client.get(path, headers=headers).status_code == 200
    assert guarded.client.head(path, headers=headers).status_code == 200
    if path != "/healthz":
        assert guarded.client.post(path, headers=headers).status_code == 401


def test_no_token_starts_nothing(guarded: ServerProcess) -> None:
    """Without the token nothing is started, over neither door."""
    start = 'mutation { startExecution(pipelineId: "echo", input: "a") { existing } }'
    assert guarded.client.post(RUN, json={"input": "a"}).status_code == 401
    assert guarded.client.post("/graphql", json={"query": start}).status_code == 401
    headers = {"Authorization": "Bearer secret"}
    listed = guarded.client.get("/api/executions", headers=headers).json()
    assert listed == {"executions": []}


@pytest.mark.parametrize("authorization", ["Bearer secret", "bearer secret", "BEARER secret"])
def test_token_in_the_header(guarded: ServerProcess, authorization: str) -> None:
    """With the token in the header every route is open."""
    headers = {"Authorization": authorization}
    assert guarded.client.get("/api/executions", headers=headers).status_code == 200
    assert guarded.client.post("/graphql", json=QUERY, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_open(guarded: ServerProcess, path: str) -> None:
    """Whether it lives may be asked by anybody."""
    assert guarded.client.get(path).status_code == 200


@pytest.mark.parametrize("key", ["Authorization", "authorization"])
async def test_token_in_connection_init(guarded: ServerProcess, key: str) -> None:
    """A socket may bring the token in its connection_init."""
    async with connected(guarded.ws_url, **{key: "Bearer secret"}) as socket:
        data = await socket.ask(QUERY["query"])
    assert data == {"server": {"engine": "embedded"}}


@pytest.mark.parametrize("payload", [{}, {"Authorization": "Bearer wrong"}, {"token": "secret"}])
async def test_socket_without_token(guarded: ServerProcess, payload: dict[str, str]) -> None:
    """A socket without the token is closed with 4403 before anything is asked."""
    with pytest.raises((TransportError, ConnectionClosedError)) as refused:
        async with connected(guarded.ws_url, **payload):
            raise AssertionError("it was let in")
    assert "4403" in f"{refused.value!r} {refused.value.__cause__!r}"


async def test_token_is_not_asked_twice(guarded: ServerProcess) -> None:
    """What is wrong over an open socket is an error of its operation, and not of the socket."""
    async with connected(guarded.ws_url, Authorization="Bearer secret") as socket:
        with pytest.raises(TransportQueryError):
            await socket.ask("{ nonsense }")
        assert await socket.ask(QUERY["query"])


def test_token_is_not_told(guarded: ServerProcess) -> None:
    """The token is neither printed nor logged."""
    assert "secret" not in guarded.said + guarded.complained


def test_no_token_needed(server: ServerProcess) -> None:
    """A server without a token does not mind one."""
    server.client.post("/graphql", json=QUERY, headers={"Authorization": "Bearer x"})
    assert GraphQLDoor(server.client).ask(QUERY["query"])["server"] == {"engine": "embedded"}
