"""The checks of a start in their order, and their words (section 2.3 of the REST contract)."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from deadlines import eventually
from server_process import ServerProcess

RUN = "/api/pipelines/echo/run"
INPUT_REQUIRED = "Input is required and must be a non-empty string"


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize("body", ["not json", '{"input": ""}', ""])
def test_pipeline_first(rest: httpx.Client, body: str) -> None:
    """An unknown pipeline is said before the body is looked at."""
    answer = rest.post("/api/pipelines/none/run", content=body)
    assert refusal(answer) == (404, "Pipeline not found")


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
def test_content_type(rest: httpx.Client, content_type: str | None) -> None:
    """A body that does not say it is JSON is a 415, whatever is in it."""
    headers = {} if content_type is None else {"content-type": content_type}
    answer = rest.post(RUN, content=b'{"input": "hello"}', headers=headers)
    assert refusal(answer) == (415, "The body must be application/json")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_content_type_with_more(rest: httpx.Client, content_type: str) -> None:
    """Parameters and capital letters in the content type are fine."""
    answer = rest.post(RUN, content=b'{"input": "a"}', headers={"content-type": content_type})
    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"nope", b'{"input": "a",}', b"[" * 100_000])
def test_not_json(rest: httpx.Client, body: bytes) -> None:
    """A body that cannot be read is a 400, and never a 500."""
    answer = rest.post(RUN, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "not JSON" in answer.json()["error"]


@pytest.mark.parametrize("body", [{}, {"input": ""}, {"input": "\u00a0"}, {"input": 5}, [], None])
def test_input_required(rest: httpx.Client, body: object) -> None:
    """A missing, blank or strange input has one text."""
    headers = {"content-type": "application/json"}
    answer = rest.post(RUN, content=json.dumps(body), headers=headers)
    assert refusal(answer) == (400, INPUT_REQUIRED)


def test_api_mode_needs_a_key(rest: httpx.Client) -> None:
    """API mode without a key has the text that clients know."""
    answer = rest.post(RUN, json={"input": "a", "executionMode": "api"})
    expected = "API mode requires ANTHROPIC_API_KEY environment variable"
    assert refusal(answer) == (400, expected)


def test_input_before_mode(rest: httpx.Client) -> None:
    """A missing input is said before a mode that is not to be had."""
    answer = rest.post(RUN, json={"executionMode": "api"})
    assert refusal(answer) == (400, INPUT_REQUIRED)


@pytest.mark.parametrize("mode", ["bogus", "API", "", 5])
def test_unknown_mode(rest: httpx.Client, mode: object) -> None:
    """An unknown mode is refused, not taken for another one."""
    status, text = refusal(rest.post(RUN, json={"input": "a", "executionMode": mode}))
    assert status == 400
    assert "executionMode" in text


def test_unknown_tool_is_not_run(rest: httpx.Client, tmp_path: Path) -> None:
    """A CLI tool that is not one of the three known names is refused, and never run."""
    trace, tool = tmp_path / "trace", tmp_path / "tool"
    tool.write_text(f"#!/bin/sh\necho ran > {trace}\n")
    tool.chmod(0o755)
    body = {"input": "a", "executionMode": "cli", "cliTool": str(tool)}
    status, text = refusal(rest.post(RUN, json=body))
    assert status == 400
    assert text.startswith(f"CLI tool '{tool}' is not available")
    assert "claude, opencode, aider" in text
    assert not trace.exists()


def test_missing_tool(serve: Callable[..., ServerProcess]) -> None:
    """A known tool that is not on the server's PATH is refused by name."""
    rest = serve(PATH="/nowhere").client
    body = {"input": "a", "executionMode": "cli", "cliTool": "aider"}
    status, text = refusal(rest.post(RUN, json=body))
    assert (status, text) == (
        400,
        "CLI tool 'aider' is not available: it is not on the server's PATH",
    )


def test_api_mode_with_a_key(serve: Callable[..., ServerProcess]) -> None:
    """With a key API mode is there, and it is the mode of whoever does not choose."""
    rest = serve(ANTHROPIC_API_KEY="a-key").client
    chosen = rest.post(RUN, json={"input": "a", "executionMode": "api"}).json()
    assert chosen["executionMode"] == rest.post(RUN, json={"input": "a"}).json()["executionMode"]
    assert chosen["executionMode"] == "api"


def test_nothing_started(rest: httpx.Client) -> None:
    """None of the refused starts leaves an execution behind."""
    word = "nothing-of-this-starts"
    bodies: list[dict[str, object]] = [
        {"input": word, "executionMode": "bogus"},
        {"input": word, "executionMode": "api"},
        {"input": word, "cliTool": "/bin/ls"},
    ]
    for body in bodies:
        assert rest.post(RUN, json=body).status_code == 400
    listed = rest.get("/api/executions").json()["executions"]
    assert word not in [row["inputPreview"] for row in listed]


def test_output_is_the_input(rest: httpx.Client) -> None:
    """What is sent as input is what the first stage gets on its stdin, byte by byte."""
    text = "a 😀 b \\ \" ' $HOME `ls` \x00 \r\n c"
    id = rest.post(RUN, json={"input": text}).json()["executionId"]
    result = eventually(lambda: rest.get(f"/api/executions/{id}").json().get("result"))
    assert result["output"]["say"] == text
