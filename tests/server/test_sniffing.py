"""Every answer tells browsers to take it for what it says it is."""

import socket
from pathlib import Path

import httpx
import pytest
from runcast.server.app import create_app
from runcast.server.settings import Settings
from server_process import ServerProcess

ANSWERS = [
    (200, "GET", "/"),
    (200, "GET", "/dashboard/main.js"),
    (200, "GET", "/playground/playground.js"),
    (200, "GET", "/healthz"),
    (200, "GET", "/readyz"),
    (200, "GET", "/api/executions"),
    (200, "HEAD", "/api/pipelines"),
    (200, "GET", "/api/outputs"),
    (200, "GET", "/graphql?query={server{engine}}"),
    (204, "OPTIONS", "/graphql"),
    (400, "GET", "/ws"),
    (400, "GET", "/graphql"),
    (400, "GET", "/api/executions?status=bogus"),
    (404, "GET", "/nothing"),
    (404, "GET", "/api/nothing"),
    (404, "GET", "/api/executions/exec_1_a/events"),
    (404, "GET", "/api/outputs/result-none.json"),
    (405, "DELETE", "/api/executions"),
    (405, "PUT", "/graphql"),
    (415, "POST", "/graphql"),
    (415, "POST", "/api/pipelines/echo/run"),
]
MALFORMED = {
    "no HTTP": b"\x16\x03\x01\r\n\r\n",
    "a long address": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a large head": b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 40_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize(("status", "method", "path"), ANSWERS)
def test_answers(server: ServerProcess, status: int, method: str, path: str) -> None:
    """Pages, their files, data, and every refusal; once each."""
    answer = server.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_refusals_at_the_door(server: ServerProcess, headers: dict[str, str]) -> None:
    """Before any route is asked."""
    answer = server.client.post("/graphql", headers=headers)
    assert answer.status_code == 403
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


@pytest.mark.parametrize("accept", ["text/event-stream", "multipart/mixed"])
def test_streams(server: ServerProcess, accept: str) -> None:
    """Before their first event."""
    asked = {"query": "subscription { executionsChanged { change } }"}
    with server.client.stream("POST", "/graphql", json=asked, headers={"Accept": accept}) as answer:
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
def test_what_no_route_ever_sees(server: ServerProcess, request_: bytes) -> None:
    """Refused by the connection itself."""
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 80), timeout=30) as connection:
        connection.sendall(request_)
        connection.settimeout(30)
        answer = connection.recv(4096)
    assert answer.lower().count(b"x-content-type-options: nosniff\r\n") == 1


async def test_an_internal_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bug, too: no middleware of an application sees that answer."""

    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    app = create_app(Settings(data=tmp_path))
    monkeypatch.setattr(type(app.state.ctx.manager), "list", broken)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/api/executions")
    assert answer.status_code == 500
    assert answer.headers["x-content-type-options"] == "nosniff"
