"""`…/stages/:stage/log` and `…/value` over a real connection."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from server_process import ServerProcess, serving

FAILS_TWICE = """\
gate=$0/$(cat)
echo attempt $RUNCAST_ATTEMPT
echo no luck >&2
test $RUNCAST_ATTEMPT = 3 || exit 1
until test -e "$gate"; do sleep 0.02; done
echo the end
"""


def pipeline(gates: Path) -> dict[str, object]:
    """A stage that fails twice and ends when there is a file with the name of its input, and one
    whose value is JSON."""
    last = {"command": ["echo", '{"a": 1}'], "output": {"format": "json"}}
    command = ["sh", "-c", FAILS_TWICE, str(gates)]
    first = {"id": "third-time", "command": command, "retryCount": 2, "retryDelayMs": 1}
    return {"pipeline": {"id": "lucky", "name": "L"}, "stages": [first, {"id": "json", **last}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lucky")


@pytest.fixture(scope="module")
def lucky(folder: Path) -> Iterator[ServerProcess]:
    """A server with that pipeline."""
    pipelines = folder / "pipelines"
    pipelines.mkdir()
    (pipelines / "lucky.json").write_text(json.dumps(pipeline(folder)))
    with serving(folder, "--pipelines", str(pipelines), "--grace", "1") as server:
        yield server


def stages(server: ServerProcess, gate: str) -> str:
    """Where the stages of a new execution are."""
    return f"/api/executions/{GraphQLDoor(server.client).start('lucky', gate)}/stages"


@pytest.fixture(scope="module")
def ended(lucky: ServerProcess, folder: Path) -> Callable[..., httpx.Response]:
    """Asks about the stages of an execution that has ended."""
    (folder / "open").touch()
    path = stages(lucky, "open")
    eventually(lambda: lucky.client.get(f"{path}/json/value").status_code == 200)
    return lambda of, method="GET", **headers: lucky.client.request(
        method, f"{path}/{of}", headers=headers
    )


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_the_log_of_each_attempt(ended: Callable[..., httpx.Response], attempt: int) -> None:
    """As plain text that no browser takes for a page; the streams that are asked for."""
    answer = ended(f"third-time/log?attempt={attempt}&stream=stderr")
    assert (answer.status_code, answer.text) == (200, "no luck\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in answer.headers
    said = f"attempt {attempt}\n" + "the end\n" * (attempt == 3)
    assert ended(f"third-time/log?attempt={attempt}&stream=stdout").text == said
    both = ended(f"third-time/log?attempt={attempt}&stream=stdout&stream=stderr").text
    assert sorted(both) == sorted(said + "no luck\n")


def test_the_latest_attempt_is_meant(ended: Callable[..., httpx.Response]) -> None:
    """Where none is named."""
    assert ended("third-time/log").text == ended("third-time/log?attempt=3").text


@pytest.mark.parametrize(
    ("of", "content", "type", "filename"),
    [
        ("third-time/value", "attempt 3\nthe end", "text/plain; charset=utf-8", "third-time.txt"),
        ("json/value", '{"a":1}', "application/json", "json.json"),
        ("json/log", '{"a": 1}\n', "text/plain; charset=utf-8", "json.1.log"),
    ],
)
def test_a_download(
    ended: Callable[..., httpx.Response], of: str, content: str, type: str, filename: str
) -> None:
    """It has a name, and an ending that says what it is."""
    answer = ended(f"{of}?download=true")
    assert (answer.status_code, answer.text.rstrip()) == (200, content.rstrip())
    assert answer.headers["content-type"] == type
    assert answer.headers["content-disposition"].endswith(f"''{filename}")


@pytest.mark.parametrize(
    ("range", "part", "where"),
    [
        ("bytes=0-0", "a", "0-0"),
        ("bytes=8-9", "3\n", "8-9"),
        ("bytes=10-", "the end\n", "10-17"),
        ("bytes=-4", "end\n", "14-17"),
        ("bytes=-99", "attempt 3\nthe end\n", "0-17"),
        ("bytes=17-99", "\n", "17-17"),
    ],
)
def test_a_part(ended: Callable[..., httpx.Response], range: str, part: str, where: str) -> None:
    """RFC 9110, section 14: first and last byte, from one on, or the last ones."""
    answer = ended("third-time/log?stream=stdout", range=range)
    assert (answer.status_code, answer.text) == (206, part)
    assert answer.headers["content-range"] == f"bytes {where}/18"
    head = ended("third-time/log?stream=stdout", "HEAD", range=range)
    assert (head.status_code, head.headers["content-length"]) == (206, str(len(part)))
    assert head.content == b""


@pytest.mark.parametrize("range", ["bytes=18-", "bytes=5-4", "bytes=-", "bytes=-0"])
def test_no_part(ended: Callable[..., httpx.Response], range: str) -> None:
    """416 says how much there is."""
    answer = ended("third-time/log?stream=stdout", range=range)
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */18")


@pytest.mark.parametrize(
    ("of", "status"),
    [
        ("third-time/log?attempt=0", 404),
        ("third-time/log?attempt=4", 404),
        ("third-time/log?attempt=-1", 400),
        ("third-time/log?attempt=", 400),
        ("third-time/log?attempt=1234567890", 400),
        ("third-time/log?stream=stdin", 400),
        ("third-time/log?download=yes", 400),
        ("third-time/log?follow=1", 400),
        ("nothing/log", 404),
        ("nothing/value", 404),
    ],
)
def test_what_cannot_be_shown(ended: Callable[..., httpx.Response], of: str, status: int) -> None:
    """What is not there is not found, what cannot be meant is refused."""
    assert ended(of).status_code == status


def test_a_log_is_followed_to_its_end(lucky: ServerProcess, folder: Path) -> None:
    """From its beginning until that attempt has ended, and no longer; there is no value before."""
    path = f"{stages(lucky, 'closed')}/third-time"
    assert lucky.client.get(f"{path}/value").status_code == 404
    eventually(lambda: lucky.client.get(f"{path}/log?attempt=3").status_code == 200)
    query = "log?follow=true&stream=stdout"
    assert lucky.client.get(f"{path}/{query}&attempt=1").text == "attempt 1\n"
    with lucky.client.stream("GET", f"{path}/{query}&attempt=3") as answer:
        pieces = answer.iter_text()
        assert next(pieces) == "attempt 3\n"
        (folder / "closed").touch()
        assert "".join(pieces) == "the end\n"
