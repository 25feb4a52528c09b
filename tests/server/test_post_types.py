"""Which POSTs may act: those that no form of another site can send."""

import httpx
import pytest
from doors import reason
from server_process import ServerProcess

ROUTES = ["/api/executions/exec_1_a/cancel", "/api/executions/exec_1_a/retry"]
RUN = "/api/pipelines/echo/run"
FORMS = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "text/plain; application/json",
    "application/jsonp",
    "application/json-seq",
    "*/*",
    "",
]


@pytest.mark.parametrize("body", [b"", b"a=b", b"{}"])
@pytest.mark.parametrize("type", FORMS)
@pytest.mark.parametrize("path", [*ROUTES, RUN])
def test_forms(server: ServerProcess, path: str, type: str, body: bytes) -> None:
    """Whatever is in them, and be it nothing, they are a 415."""
    answer = server.client.post(path, content=body, headers={"Content-Type": type})
    assert (answer.status_code, reason(answer)) == (415, "The body must be application/json")


@pytest.mark.parametrize("path", [*ROUTES, RUN])
def test_a_body_without_a_type(server: ServerProcess, path: str) -> None:
    """A page can send that, too (a Blob), announced or in chunks."""
    for body in (b"{}", iter([b"{", b"}"])):
        assert server.client.post(path, content=body).status_code == 415


@pytest.mark.parametrize("type", [None, "application/json", "Application/JSON; charset=utf-8"])
def test_no_body(server: ServerProcess, type: str | None) -> None:
    """As old clients cancel: without a type, or with the one that they send everywhere."""
    headers = {} if type is None else {"Content-Type": type}
    cancel, retry = (server.client.post(path, headers=headers) for path in ROUTES)
    assert (cancel.status_code, cancel.json()) == (200, {"cancelled": False})
    assert (retry.status_code, retry.json()) == (404, {"error": "Execution not found"})


def test_no_body_and_no_length(server: ServerProcess) -> None:
    """Not every client says how long nothing is."""
    request = httpx.Request("POST", server.url + ROUTES[0])
    del request.headers["Content-Length"]
    assert server.client.send(request).json() == {"cancelled": False}


def test_a_body_that_nobody_reads(server: ServerProcess) -> None:
    """JSON to a cancel is taken, as it always was."""
    answer = server.client.post(ROUTES[0], json={"reason": "none"})
    assert (answer.status_code, answer.json()) == (200, {"cancelled": False})
