"""What REST answers to what it does not have (section 0 of the REST contract)."""

import httpx
import pytest

ALLOWED = {
    "/api/executions": "GET, HEAD",
    "/api/executions/running": "GET, HEAD",
    "/api/executions/exec_1_a": "GET, HEAD",
    "/api/pipelines": "GET, HEAD",
    "/api/pipelines/echo": "GET, HEAD",
    "/healthz": "GET, HEAD",
}
SLASHED = ["/api/executions/", "/api/executions/running/", "/api/pipelines/"]
ACTIONS = [
    "/api/executions/exec_1_a/cancel",
    "/api/executions/exec_1_a/retry",
    "/api/pipelines/echo/run",
]


def said(answer: httpx.Response) -> str:
    """The text of an error, which is an object with one key."""
    assert answer.headers["content-type"].startswith("application/json")
    content = answer.json()
    assert list(content) == ["error"]
    assert content["error"]
    return str(content["error"])


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/no", "/no", "/api/executions/a/b"])
def test_unknown_route(rest: httpx.Client, path: str) -> None:
    """An unknown route is a 404 in JSON that names it."""
    answer = rest.get(path)
    assert answer.status_code == 404
    assert path in said(answer)


@pytest.mark.parametrize("path", SLASHED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_trailing_slash(rest: httpx.Client, method: str, path: str) -> None:
    """A slash too many is a 404 and no redirect."""
    answer = rest.request(method, path, follow_redirects=False)
    assert answer.status_code == 404
    said(answer)


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "POST"])
@pytest.mark.parametrize("path", ALLOWED)
def test_method_not_allowed(rest: httpx.Client, method: str, path: str) -> None:
    """A method that a route does not have is a 405 that tells the allowed ones."""
    answer = rest.request(method, path)
    assert answer.status_code == 405
    allow = answer.headers["allow"]
    assert sorted(allow.split(", ")) == ALLOWED[path].split(", ")
    assert said(answer) == f"{method} is not allowed here; use {allow}"


@pytest.mark.parametrize("path", ACTIONS)
def test_get_of_an_action(rest: httpx.Client, path: str) -> None:
    """A GET of a route that acts is a 404, and does nothing."""
    answer = rest.get(path)
    assert answer.status_code == 404
    assert "POST" in said(answer)


@pytest.mark.parametrize("path", ACTIONS)
def test_delete_of_an_action(rest: httpx.Client, path: str) -> None:
    """Any other method on a route that acts is a 405 that tells of POST."""
    answer = rest.delete(path)
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
    said(answer)


@pytest.mark.parametrize("path", ["/api/executions", "/api/executions/running", "/api/pipelines"])
def test_head(rest: httpx.Client, path: str) -> None:
    """HEAD answers as GET does, without the body."""
    answer = rest.head(path)
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-type"].startswith("application/json")


def test_unknown_execution(rest: httpx.Client) -> None:
    """The text of an unknown execution is one that clients know."""
    answer = rest.get("/api/executions/exec_1_abcdef")
    assert (answer.status_code, said(answer)) == (404, "Execution not found")


def test_unknown_pipeline(rest: httpx.Client) -> None:
    """The text of an unknown pipeline is one that clients know."""
    answer = rest.get("/api/pipelines/none")
    assert (answer.status_code, said(answer)) == (404, "Pipeline not found")


@pytest.mark.parametrize("word", ["bogus", "", "RUNNING", "cancelling", "running,failed"])
def test_unknown_status(rest: httpx.Client, word: str) -> None:
    """A status word that does not exist is a 400 that tells those that do."""
    answer = rest.get("/api/executions", params={"status": word})
    assert answer.status_code == 400
    text = f"unknown status {word!r}: use one of running, completed, failed, cancelled"
    assert said(answer) == text


def test_other_parameters(rest: httpx.Client) -> None:
    """A parameter that nobody knows is ignored, as the old server did."""
    assert rest.get("/api/executions", params={"_": "1"}).status_code == 200
