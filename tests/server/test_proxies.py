"""A server behind a reverse proxy, at the root of a host and below a prefix."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from pydantic import ValidationError
from reverse_proxy import reverse_proxy
from runcast.server.proxies import BehindProxies
from runcast.server.settings import Settings
from server_process import ServerProcess, serving
from starlette.types import Message, Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

PREFIX, NAME = "/deep/runcast", "runs.example.org"
ME = "127.0.0.1"


@pytest.fixture(scope="module", params=["stripped", "kept", "told"])
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where the prefix is, however the proxy deals with it."""
    flags = ["--allow-host", NAME]
    flags += ["--trusted-proxies", ME] if request.param == "told" else ["--root-path", PREFIX + "/"]
    strip = "" if request.param == "kept" else PREFIX
    adds = {"X-Forwarded-Prefix": PREFIX} if request.param == "told" else {}
    with (
        serving(tmp_path_factory.mktemp(request.param), *flags) as server,
        reverse_proxy(server.url, strip=strip, host=NAME, adds=adds) as url,
    ):
        yield url + PREFIX


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/start", "/executions/exec_1_a"])
def test_a_page_and_all_of_its_files(client: httpx.Client, path: str) -> None:
    """Whatever a page refers to, relative to its own address, is there."""
    page = client.get(path)
    assert page.status_code == 200
    found = [part.split('"')[0] for part in page.text.replace("src=", "href=").split('href="')[1:]]
    paths = [each for each in found if not each.startswith(("data:", "#"))]
    assert len(paths) >= 5
    for each in paths:
        assert not each.startswith("/")
        browser = {"Accept": "text/html"}
        assert client.get(page.url.join(each), headers=browser).status_code == 200, each


def test_rest(client: httpx.Client) -> None:
    """Starts, lists, and says of what is not there by which address it was asked for."""
    started = client.post("/api/pipelines/echo/run", json={"input": "a"})
    id = started.json()["executionId"]
    assert id in client.get("/api/executions").text
    missing = client.get("/api/nothing")
    assert missing.status_code == 404
    assert missing.json()["error"].endswith("/api/nothing")


def test_graphql(client: httpx.Client) -> None:
    """Queries, and streams of server-sent events."""
    asked = client.post("/graphql", json={"query": "{ server { engine } }"})
    assert asked.json() == {"data": {"server": {"engine": "embedded"}}}
    refused = client.post("/graphql", content="{}", headers={"Content-Type": "text/plain"})
    assert refused.status_code == 415 and "errors" in refused.json()
    subscription = {"query": "subscription { executionsChanged { change } }"}
    headers = {"Accept": "text/event-stream"}
    with client.stream("POST", "/graphql", json=subscription, headers=headers) as stream:
        assert any("CAUGHT_UP" in line for line in stream.iter_lines())


async def test_sockets(address: str) -> None:
    """Both of them."""
    url = address.replace("http", "ws")
    protocols = [Subprotocol("graphql-transport-ws")]
    async with connect(url + "/graphql", subprotocols=protocols, proxy=None) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
    async with connect(url + "/ws", proxy=None) as socket:
        await socket.send(json.dumps({"type": "subscribe", "executionId": "exec_1_a"}))
        assert json.loads(await socket.recv())["type"] == "subscribed"


def test_the_prefix_without_its_slash(serve: Callable[..., ServerProcess]) -> None:
    """The page would look for its files elsewhere: the browser is sent behind the slash."""
    server = serve("--root-path", PREFIX)
    answer = server.client.get(PREFIX + "?label=a")
    assert (answer.status_code, answer.headers["location"]) == (308, "runcast/?label=a")
    assert str(answer.next_request and answer.next_request.url.path) == PREFIX + "/"
    for path in (PREFIX + "x", "/deep", "/deep/runcas", "/runcast/"):
        assert server.client.get(path).status_code == 404
    for path in ("/", "/healthz", PREFIX + "/healthz"):
        assert server.client.get(path).status_code == 200


# Whom to believe


async def seen(client: str, *, trusted: tuple[str, ...] = (ME,), **headers: str) -> Scope:
    """What the application is told of a request from this address."""
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)

    async def nothing(*_: object) -> Message:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "path": "/api/executions",
        "query_string": b"",
        "scheme": "http",
        "client": (client, 1234),
        "headers": [
            (b"x-forwarded-" + name.encode(), value.encode())
            for name, values in headers.items()
            for value in values.split("|")
        ],
    }
    await BehindProxies(app, "", trusted)(scope, nothing, nothing)  # type: ignore[arg-type]
    return scopes[0]


TOLD = {"for": "203.0.113.7", "proto": "https", "prefix": "/runcast"}


@pytest.mark.parametrize(
    ("client", "trusted"),
    [
        (ME, (f"{ME}/32",)),
        ("10.1.2.3", ("192.0.2.1/32", "10.0.0.0/8")),
        ("::1", ("::1/128",)),
        ("fd00::7", ("fd00::/8",)),
        ("::ffff:10.1.2.3", ("10.0.0.0/8",)),
    ],
)
async def test_a_proxy_that_is_trusted(client: str, trusted: tuple[str, ...]) -> None:
    """An address or one of a network, of IPv4 also where a socket of IPv6 has accepted it."""
    scope = await seen(client, trusted=trusted, **TOLD)
    assert scope["client"][0] == "203.0.113.7"
    assert scope["scheme"] == "https"
    assert (scope["root_path"], scope["path"]) == ("/runcast", "/runcast/api/executions")


@pytest.mark.parametrize(
    ("client", "trusted"),
    [
        (ME, ()),
        ("10.1.2.3", (f"{ME}/32",)),
        ("127.0.0.2", (f"{ME}/32",)),
        ("::ffff:11.0.0.1", ("10.0.0.0/8",)),
        ("", ("0.0.0.0/0",)),
        ("testclient", ("0.0.0.0/0",)),
    ],
)
async def test_anybody_else(client: str, trusted: tuple[str, ...]) -> None:
    """Nothing of it is believed, this machine not excepted."""
    scope = await seen(client, trusted=trusted, **TOLD)
    assert scope["client"][1] == 1234
    assert scope["scheme"] == "http"
    assert (scope.get("root_path", ""), scope["path"]) == ("", "/api/executions")


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "/", "runcast", "//evil.example", "https://evil.example", "/a//b", "/a|/b"),
        *("/.", "/..", "/a/../b", "/%2e%2e", "/a?b", "/a#b", "/a b", "/a\\b", '/a"b', "/<script>"),
    ],
)
async def test_no_prefix(prefix: str) -> None:
    """What is no plain path, or said twice, is passed over."""
    scope = await seen(ME, prefix=prefix)
    assert (scope.get("root_path", ""), scope["path"]) == ("", "/api/executions")


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("6.6.6.6|203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7, 127.0.0.1", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
    ],
)
async def test_the_client_behind_proxies(told: str, client: str) -> None:
    """The last one that is no proxy of ours: what stands before it anybody may have written."""
    assert (await seen(ME, **{"for": told}))["client"][0] == client


def test_a_page_that_is_encrypted(serve: Callable[..., ServerProcess]) -> None:
    """If a proxy says so, pages of the same host that are not encrypted may not act."""
    server = serve("--allow-host", NAME, "--trusted-proxies", ME)
    encrypted = {"X-Forwarded-Proto": "https", "Host": f"other.{NAME}"}

    def cancels(origin: str, **headers: str) -> int:
        told = {"Host": "127.0.0.1", "Origin": origin, **headers}
        return server.client.post("/api/executions/exec_1_a/cancel", headers=told).status_code

    assert cancels("http://127.0.0.1") == cancels("https://127.0.0.1") == 200
    assert cancels("https://127.0.0.1", **{"X-Forwarded-Proto": "https"}) == 200
    assert cancels("http://127.0.0.1", **{"X-Forwarded-Proto": "https"}) == 403
    assert cancels("https://evil.example", **encrypted) == 403


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("allow_host", "https://a.example"),
        ("allow_host", "a.example/b"),
        ("allow_host", "*"),
        ("allow_host", "*.example"),
        ("allow_host", "user@a.example"),
        ("root_path", "runcast"),
        ("root_path", "/a/../b"),
        ("root_path", "//a"),
        ("root_path", "/a b"),
        ("trusted_proxies", "*"),
        ("trusted_proxies", "proxy.example"),
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "10.0.0.0/33"),
    ],
)
def test_settings_that_are_none(flag: str, value: str) -> None:
    """The server does not start with what it would not understand."""
    with pytest.raises(ValidationError):
        Settings(**{flag: value})  # type: ignore[arg-type]


def test_settings_as_they_are_meant() -> None:
    """Several, in any spelling."""
    settings = Settings(
        allow_host="A.Example., b.example:8443,[::0001]",  # type: ignore[arg-type]
        root_path="/runcast/",
        trusted_proxies="10.0.0.0/8, 127.0.0.1,::1",  # type: ignore[arg-type]
    )
    assert settings.allow_host == ("a.example", "b.example:8443", "[::1]")
    assert settings.root_path == "/runcast"
    assert settings.trusted_proxies == ("10.0.0.0/8", "127.0.0.1/32", "::1/128")
