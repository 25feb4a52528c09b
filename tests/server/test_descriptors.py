"""More clients than the process may have open files: what runs does not notice."""

import resource
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest
from attackers import HOST, TEXT, frame, handshake, heard
from deadlines import eventually
from doors import GraphQLDoor
from needs import need
from runcast.server.connections.descriptors import BACKLOG, OWN, PER_EXECUTION
from server_process import ServerProcess, limited

FILES = 1024
NUMBER = 1100
TOKEN = "secret"
SECRETS = {"no token": (), "token": ("--token", TOKEN)}
POST = b"POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n" + HOST
IDLE = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\n",
    "half a body": POST + b"\r\n{",
    "a request that is answered": b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "a socket that says nothing": handshake(),
    "a socket with half a message": handshake() + frame(TEXT, b"{", last=False),
}
EVENTS = b"GET /graphql?query=subscription{executionsChanged{cursor}} HTTP/1.1\r\n"
STREAM = EVENTS + b"Accept: text/event-stream\r\n" + HOST + b"%b\r\n"

Connect = Callable[[ServerProcess, bytes, int], list[socket.socket]]


def _crossed(names: Iterable[str], secrets: Iterable[str]) -> list[Any]:
    """Every name with every secret; in the everyday suite, each name with one of them in turn."""
    everyday, campaign = (), pytest.mark.campaign
    return [
        pytest.param(name, secret, marks=everyday if (n + s) % 2 == 0 else campaign)
        for n, name in enumerate(names)
        for s, secret in enumerate(secrets)
    ]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens many connections at once, on which the same is said; the test's end closes them."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    need(before[1] > 2 * NUMBER or before[1] == resource.RLIM_INFINITY, "ulimit -Hn of 3000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 3 * NUMBER), before[1]))
    with ExitStack() as stack:

        def connect(server: ServerProcess, said: bytes, number: int) -> list[socket.socket]:
            clients = [stack.enter_context(socket.socket()) for _ in range(number)]
            for client in clients:
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", server.port))
            for client in clients:
                client.settimeout(20)
                # Some have been turned away already: so many came behind them.
                with suppress(OSError):
                    client.send(said)
            return clients

        yield connect
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(("name", "secret"), _crossed(IDLE, SECRETS))
def test_many_idle_connections(
    serve: Callable[..., ServerProcess], connect: Connect, name: str, secret: str
) -> None:
    """1,100 at a limit of 1,024 open files: what runs goes on, and whatever is asked is done."""
    server = serve(*SECRETS[secret], within=limited(FILES))
    server.client.headers["Authorization"] = f"Bearer {TOKEN}"
    door = GraphQLDoor(server.client)
    before = door.start("shell")
    connect(server, IDLE[name], NUMBER)
    begun = time.monotonic()
    after = [door.start("echo") for _ in range(5)]
    with httpx.Client(trust_env=False) as newcomer:
        assert newcomer.get(f"{server.url}/healthz").json() == {"status": "ok"}
    assert time.monotonic() - begun < 5
    for id in after:
        assert eventually(lambda id=id: ended(server, id)) == "completed"
    assert server.client.get(f"/api/executions/{before}").json()["status"] == "running"
    assert len(server.client.get("/api/pipelines").json()) > 10
    assert server.process.num_fds() < FILES * 0.9
    assert "many open files" not in server.complained
    assert "Traceback" not in server.complained


def ended(server: ServerProcess, id: str) -> str | None:
    """With which status an execution has ended, if it has."""
    status = server.client.get(f"/api/executions/{id}").json()["status"]
    return None if status == "running" else str(status)


def test_who_has_shown_the_token_stays(
    serve: Callable[..., ServerProcess], connect: Connect
) -> None:
    """As many strangers as want to may come: who follows something hears of it."""
    server = serve("--token", TOKEN, "--max-connections", "20", "--max-strangers", "5")
    server.client.headers["Authorization"] = f"Bearer {TOKEN}"
    authorized = f"Authorization: Bearer {TOKEN}\r\n".encode()
    friends = []
    for _ in range(10):
        # One after the other: before it has shown the token, it is a stranger among few.
        friends += connect(server, STREAM % authorized, 1)
        heard(friends[-1], b'"cursor"')
    strangers = connect(server, b"", 30)
    for stranger in strangers[:-5]:
        stranger.settimeout(20)
        with suppress(ConnectionResetError):
            assert stranger.recv(1) == b""
    GraphQLDoor(server.client).start("echo")
    for friend in friends:
        heard(friend, b'"cursor"')


def test_no_room(serve: Callable[..., ServerProcess], connect: Connect) -> None:
    """503 if all the others have asked for something; once one of them has gone there is room."""
    server = serve("--max-connections", "4")
    server.client.close()
    followers = connect(server, STREAM % b"", 4)
    for follower in followers:
        heard(follower, b'"cursor"')
    with httpx.Client(base_url=server.url, trust_env=False) as newcomer:
        answer = newcomer.get("/healthz")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "too many connections" in answer.json()["error"]
        followers[0].close()
        assert eventually(lambda: newcomer.get("/healthz").status_code == 200)
    assert "Traceback" not in server.complained


def test_a_limit_that_can_be_raised(serve: Callable[..., ServerProcess], connect: Connect) -> None:
    """It is, so far as connections, those that have just come, and executions need it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    server = serve("--max-connections", "100", "--max-concurrent", "10")
    wanted = 100 + BACKLOG + OWN + 10 * PER_EXECUTION
    assert server.process.rlimit(resource.RLIMIT_NOFILE)[0] == wanted
    assert "ulimit -n" not in server.complained


def test_a_low_limit_is_told(serve: Callable[..., ServerProcess]) -> None:
    """What cannot be had is said once, at the start."""
    assert "ulimit -n" in serve(within=limited(FILES)).complained
    assert "ulimit -n" not in serve("--max-connections", "100", within=limited(FILES)).complained
