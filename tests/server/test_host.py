"""Which Host headers are ours: parsed to the letter, on HTTP and on the sockets."""

from collections.abc import Iterator

import pytest
from runcast.server.host import Host, origin
from server_process import ServerProcess, serving
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

STRANGE = [
    "localhost:8000.evil.com",
    "localhost:8000:evil.com",
    "localhost:80@evil.com",
    "localhost@evil.com",
    "user@localhost",
    "user:password@localhost:8000",
    "localhost.evil.com",
    "localhost.evil.com:8000",
    "evil.com/localhost",
    "localhost/",
    "localhost#",
    "localhost?",
    "localhost,evil.com",
    "localhost evil.com",
    "localhost:port",
    "localhost:-1",
    "localhost:65536",
    "localhost:123456",
    "localhost..",
    ".localhost",
    "[::1].evil.com",
    "[::1]evil.com",
    "[::1",
    "::1",
    "[::1%25lo]",
    "[127.0.0.1]",
    "127.0.0.1.evil.com",
    "127.0.0.1.nip.io",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0.0.0.0",
    "evil.com",
    "\u2113ocalhost".encode().decode("latin-1"),
]
OURS = [
    "localhost",
    "LocalHost",
    "localhost.",
    "LOCALHOST.:8000",
    "127.0.0.1",
    "127.0.0.1:65535",
    "[::1]",
    "[::1]:8000",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]:1",
]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that has names."""
    flags = (
        "--allow-host",
        "Runs.Example.org.",
        "--allow-host",
        "other.example:8443,third.example",
    )
    with serving(tmp_path_factory.mktemp("named"), *flags) as server:
        yield server


@pytest.mark.parametrize("host", OURS)
def test_ours(server: ServerProcess, host: str) -> None:
    """Names of this machine in any spelling, with any port: what is before us may have its own."""
    assert server.client.get("/api/executions", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", STRANGE)
def test_strange(server: ServerProcess, host: str) -> None:
    """What is not one of them from its beginning to its end is not answered."""
    answer = server.client.get("/api/executions", headers={"Host": host.encode("latin-1")})
    assert answer.status_code == 403
    assert "does not answer to" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/graphql", "/ws"])
@pytest.mark.parametrize("host", ["localhost:8000.evil.com", "user@localhost", "evil.com"])
async def test_strange_on_a_socket(server: ServerProcess, path: str, host: str) -> None:
    """Nor does it get a socket."""
    url = server.url.replace("http", "ws") + path
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, additional_headers={"Host": host}, proxy=None)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "host",
    [
        "runs.example.org",
        "RUNS.example.ORG.",
        "runs.example.org:443",
        "other.example",
        "third.example",
    ],
)
def test_allowed(proxied: ServerProcess, host: str) -> None:
    """Each name that was given, beside those of this machine."""
    for name in (host, "localhost"):
        answer = proxied.client.get("/api/executions", headers={"Host": name})
        assert answer.status_code == 200


@pytest.mark.parametrize("host", ["example.org", "a.runs.example.org", "runs.example.org.evil.com"])
def test_not_allowed(proxied: ServerProcess, host: str) -> None:
    """Neither what is above a name nor what is below it."""
    assert proxied.client.get("/", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ("https://runs.example.org", True),
        ("http://runs.example.org", True),
        ("https://other.example:8443", True),
        ("https://other.example", False),
        ("https://runs.example.org:444", False),
        ("https://runs.example.org.evil.com", False),
        ("https://evil.com", False),
        ("null", False),
    ],
)
def test_pages_of_its_names_may_act(proxied: ServerProcess, said: str, allowed: bool) -> None:
    """Also where the proxy before it has put an address into Host."""
    answer = proxied.client.post("/api/executions/exec_1_a/cancel", headers={"Origin": said})
    assert answer.status_code == (200 if allowed else 403)


def test_names_of_a_server_that_others_reach(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It answers to any name that is one, unless it has some: then to those."""
    folder, far = tmp_path_factory.mktemp("far"), ("--host", "0.0.0.0", "--insecure")
    with serving(folder / "any", *far) as server:
        assert server.client.get("/healthz", headers={"Host": "any.example"}).status_code == 200
        assert server.client.get("/healthz", headers={"Host": "a@any.example"}).status_code == 400
    with serving(folder / "some", *far, "--allow-host", "some.example") as server:
        assert server.client.get("/healthz", headers={"Host": "some.example"}).status_code == 200
        assert server.client.get("/healthz", headers={"Host": "any.example"}).status_code == 403


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("a.example", ("http://a.example", "https://a.example")),
        ("A.example:80", ("http://a.example", "https://a.example:80")),
        ("a.example:443", ("http://a.example:443", "https://a.example")),
        ("[::1]:8000", ("http://[::1]:8000", "https://[::1]:8000")),
    ],
)
def test_origins(text: str, origins: tuple[str, ...]) -> None:
    """As browsers write them: without the port of the scheme."""
    host = Host.parse(text)
    assert host is not None and host.origins == origins


@pytest.mark.parametrize("text", ["null", "*", "", "file://", "ftp://a", "https://", "https://a/b"])
def test_no_origin(text: str) -> None:
    """Nothing but a scheme of the web and a host."""
    assert origin(text) is None
