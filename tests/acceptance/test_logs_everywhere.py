"""Attempts and their logs through every door: the same text everywhere, also after a restart."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import hard_text
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from server_process import ServerProcess
from subscriptions import connected, whole

STAGE = """
query ($id: ID!) { execution(id: $id) { status stages {
  id status attempt progress nextAttemptTime startTime endTime error { type message stageId }
  attempts { number status startTime endTime error { type message stageId } }
  output(limit: 1048576) { offset text isFinal truncated }
} } }"""
LOG = """
query ($id: ID!, $attempt: Int, $offset: Int! = 0, $limit: Int! = 1048576, $streams: [LogStream!])
{ execution(id: $id) { stages {
  log(attempt: $attempt, offset: $offset, limit: $limit, streams: $streams) {
    attempt pieces { stageId attempt offset stream text time } nextOffset total leftOut isFinal
  }
} } }"""
PIECES = """event sequence stage { attempt status nextAttemptTime progress }
  log { stageId attempt offset stream text time } output { offset text }"""

WARNING = "no utf-8: \ufffd\ufffd\n" + "ä" * 100_000 + "\n"
STREAMS = ("STDOUT", "STDERR", "SYSTEM")


def said(attempt: int) -> str:
    return f"attempt {attempt}\nwörds €😀\r\nnul \0 and\rend without a newline"


class Door:
    """A server, and what it says of one execution."""

    def __init__(self, server: ServerProcess, id: str) -> None:
        self.server = server
        self.id = id
        self._graphql = GraphQLDoor(server.client)

    def stage(self) -> dict[str, Any]:
        [stage] = self._graphql.ask(STAGE, id=self.id)["execution"]["stages"]
        return dict(stage)

    def log(self, attempt: int | None = None, **variables: object) -> dict[str, Any]:
        asked = self._graphql.ask(LOG, id=self.id, attempt=attempt, **variables)
        [stage] = asked["execution"]["stages"]
        return dict(stage["log"])

    def text(self, attempt: int, *streams: str) -> str:
        """What GraphQL says of an attempt on these streams; on all if none is named."""
        wanted = {"streams": list(streams)} if streams else {}
        return "".join(one["text"] for one in self.log(attempt, **wanted)["pieces"])

    def download(self, attempt: int | None = None, *streams: str, **headers: str) -> bytes:
        """What REST says of it."""
        parameters: dict[str, Any] = {"stream": [stream.lower() for stream in streams]}
        if attempt is not None:
            parameters["attempt"] = attempt
        [stage] = self._graphql.ask(STAGE, id=self.id)["execution"]["stages"]
        path = f"/api/executions/{self.id}/stages/{stage['id']}/log"
        answer = self.server.client.get(path, params=parameters, headers=headers)
        assert answer.status_code in (200, 206), answer.text
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        return answer.content

    def ended(self) -> "Door":
        eventually(lambda: self.stage()["status"] in ("COMPLETED", "FAILED", "CANCELLED"))
        return self


@pytest.fixture
def start(serve: Callable[..., ServerProcess], tmp_path: Path) -> Callable[..., Door]:
    """Starts a pipeline on a server of its own, whose data is in `data`."""

    def starting(pipeline: str, input: str = "hello") -> Door:
        server = serve("--data", str(tmp_path / "data"), "--grace", "0.5")
        return Door(server, GraphQLDoor(server.client).start(pipeline, input))

    return starting


@pytest.fixture
def restarted(serve: Callable[..., ServerProcess], tmp_path: Path) -> Callable[[Door], Door]:
    """The same execution, as another server on the same data knows it."""

    def restart(door: Door) -> Door:
        door.server.end()
        return Door(serve("--data", str(tmp_path / "data")), door.id)

    return restart


def test_every_attempt_is_told(
    start: Callable[..., Door], restarted: Callable[[Door], Door]
) -> None:
    """With its end, its error and its log; the stage's own fields are those of the latest one."""
    door = start("attempts").ended()
    before = door.stage()
    check_attempts(door)
    texts = {number: check_log(door, number) for number in (1, 2, 3)}
    again = restarted(door)
    assert again.stage() == before
    for number, text in texts.items():
        assert check_log(again, number) == text


def check_attempts(door: Door) -> None:
    stage = door.stage()
    attempts = stage["attempts"]
    assert [one["number"] for one in attempts] == [1, 2, 3]
    assert [one["status"] for one in attempts] == ["FAILED", "FAILED", "COMPLETED"]
    assert [(one["error"] or {}).get("type") for one in attempts] == ["ExitStatus"] * 2 + [None]
    assert all(one["error"]["message"].startswith("exit status 1: ") for one in attempts[:2])
    times = [time for one in attempts for time in (one["startTime"], one["endTime"])]
    assert times == sorted(times)
    assert (stage["startTime"], stage["endTime"]) == (times[0], times[-1])
    assert (stage["status"], stage["attempt"], stage["error"]) == ("COMPLETED", 3, None)
    assert stage["nextAttemptTime"] is None
    assert stage["output"] == {"offset": 0, "text": said(3), "isFinal": True, "truncated": False}


def check_log(door: Door, number: int) -> str:
    """What GraphQL and REST say of an attempt is what it has said; its log."""
    system = ""
    if number < 3:
        error = door.stage()["attempts"][number - 1]["error"]
        seconds = ("1", "2")[number - 1]
        system = f"attempt {number} of 3 failed: ExitStatus: {error['message']}\n"
        system += f"attempt {number + 1} begins in {seconds} s\n"
    expected = dict(zip(STREAMS, (said(number), WARNING, system), strict=True))
    for stream, text in expected.items():
        assert door.text(number, stream) == text
        assert door.download(number, stream) == text.encode()
    assert (
        door.text(number, "STDOUT", "STDERR") == door.download(number, "STDOUT", "STDERR").decode()
    )
    whole = door.text(number)
    assert door.download(number).decode() == whole
    assert sorted(whole) == sorted("".join(expected.values()))
    log = door.log(number)
    assert (log["attempt"], log["total"], log["nextOffset"]) == (number, len(whole), len(whole))
    assert (log["leftOut"], log["isFinal"]) == (0, True)
    assert {(one["stageId"], one["attempt"]) for one in log["pieces"]} == {("stubborn", number)}
    offsets = [one["offset"] for one in log["pieces"]]
    lengths = [len(one["text"]) for one in log["pieces"]]
    assert offsets == [sum(lengths[:index]) for index in range(len(lengths))]
    assert [one["time"] for one in log["pieces"]] == sorted(one["time"] for one in log["pieces"])
    return whole


def test_a_log_is_read_part_by_part(start: Callable[..., Door]) -> None:
    """By offsets in characters, and by ranges of bytes; each part where it belongs."""
    door = start("attempts").ended()
    whole, offset, read = door.text(3), 0, ""
    while True:
        page = door.log(3, offset=offset, limit=30_011)
        text = "".join(one["text"] for one in page["pieces"])
        assert text == whole[offset : offset + 30_011]
        assert page["isFinal"] is (offset + 30_011 >= len(whole))
        read, offset = read + text, page["nextOffset"]
        if page["isFinal"]:
            break
    assert read == whole
    data = whole.encode()
    for first, last in ((0, 0), (1, 99), (100_000, 100_001), (len(data) - 1, len(data) + 50)):
        part = door.download(3, Range=f"bytes={first}-{last}")
        assert part == data[first : last + 1]
    assert door.download(3, Range="bytes=-7") == data[-7:]
    assert door.download() == data, "of the latest attempt"


@pytest.mark.anyio
async def test_a_follower_hears_all_of_it(start: Callable[..., Door]) -> None:
    """Piece by piece, over all attempts; and when the next one begins, while it is waited for."""
    door = start("attempts")
    async with connected(door.server.ws_url) as socket:
        messages = await whole(socket.progress(door.id, PIECES))
    told: dict[int, str] = {}
    for piece in (message["log"] for message in messages if message["log"]):
        begun = told.setdefault(piece["attempt"], door.text(piece["attempt"])[: piece["offset"]])
        assert piece["offset"] == len(begun)
        told[piece["attempt"]] = begun + piece["text"]
    # The first may have been over before anybody could follow it.
    assert {1: door.text(1)} | told == {number: door.text(number) for number in (1, 2, 3)}
    waits = [one["stage"]["nextAttemptTime"] for one in messages if one["stage"]]
    assert len(set(filter(None, waits))) in (1, 2), "the wait after the first may be over, too"
    pieces = [one for one in messages if one["event"] == "OUTPUT"]
    assert all((one["log"]["stream"] == "STDOUT") is bool(one["output"]) for one in pieces)
    assert "".join(
        one["output"]["text"] for one in pieces if one["output"] and one["stage"]["attempt"] == 3
    ) == said(3)


def test_a_follower_over_rest_hears_all_of_it(start: Callable[..., Door]) -> None:
    """The answer stays open until the attempt has ended."""
    door = start("attempts")
    eventually(lambda: door.stage()["attempt"] == 2)
    path = f"/api/executions/{door.id}/stages/stubborn/log"
    parameters = {"follow": "true", "attempt": "2"}
    with door.server.client.stream("GET", path, params=parameters) as answer:
        followed = b"".join(answer.iter_raw())
    assert followed == door.download(2)
    assert followed.endswith(b"attempt 3 begins in 2 s\n")


def test_a_stage_that_waits_says_until_when(start: Callable[..., Door]) -> None:
    """It runs all the same, shows the error, and its first attempt is over."""
    door = start("attempts")
    stage = eventually(lambda: (found := door.stage())["nextAttemptTime"] and found)
    assert (stage["status"], stage["error"]["type"]) == ("RUNNING", "ExitStatus")
    latest = stage["attempts"][-1]
    assert (latest["status"], latest["error"]) == ("FAILED", stage["error"])
    assert stage["nextAttemptTime"] > latest["endTime"]
    log = door.log()
    assert (log["attempt"], log["isFinal"]) == (stage["attempt"], True)


def paged(door: Door, *streams: str) -> str:
    """What GraphQL says of these streams, page by page; of all if none is named."""
    wanted = {"streams": list(streams)} if streams else {}
    text, offset = "", 0
    while True:
        page = door.log(1, offset=offset, **wanted)
        text += "".join(one["text"] for one in page["pieces"])
        offset = page["nextOffset"]
        if page["isFinal"]:
            return text


def check_hard(door: Door) -> bytes:
    """Every door says the same of each stream; what is said of both."""
    for stream in hard_text.STREAMS:
        text = hard_text.text_of(stream)
        assert paged(door, stream) == text
        assert door.download(1, stream) == text.encode()
    assert door.stage()["output"]["text"] == hard_text.text_of("STDOUT")
    whole = door.download(1)
    assert paged(door).encode() == whole
    assert len(whole.decode()) == sum(map(len, map(hard_text.text_of, hard_text.STREAMS)))
    middle = len(whole) // 2
    assert door.download(1, Range=f"bytes={middle}-{middle + 999}") == whole[middle:][:1000]
    return whole


def test_hard_text_is_the_same_through_every_door(
    serve: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    """Split characters, NUL, invalid UTF-8, lines of 900 kB, and both streams at once."""
    folder, gate = tmp_path / "pipelines", tmp_path / "gate"
    folder.mkdir()
    (folder / "hard.yaml").write_text(
        "pipeline: {id: hard, name: Hard, version: 1.0.0}\n"
        f"stages: [{{id: hard, command: [{sys.executable}, {hard_text.__file__}, {gate}]}}]\n"
    )
    flags = ("--pipelines", str(folder), "--data", str(tmp_path / "data"))
    server = serve(*flags)
    door = Door(server, GraphQLDoor(server.client).start("hard"))
    eventually(lambda: door.stage()["attempt"])
    path = f"/api/executions/{door.id}/stages/hard/log"
    with server.client.stream("GET", path, params={"follow": "true"}) as answer:
        gate.touch()
        followed = b"".join(answer.iter_raw())
    whole = check_hard(door.ended())
    assert followed == whole
    server.end()
    assert check_hard(Door(serve(*flags), door.id)) == whole


@pytest.fixture
def gates(start: Callable[..., Door]) -> Iterator[tuple[Door, Callable[[int], None]]]:
    """An execution that says how far it is, and what lets it go on."""
    gate = uuid4().hex
    door = start("progress", gate)

    def go_on(number: int) -> None:
        GraphQLDoor(door.server.client).start("key", f"{gate} {number}")

    yield door, go_on


def test_progress_is_a_number(gates: tuple[Door, Callable[[int], None]]) -> None:
    """From 0 to 1, whatever the function says, as it has said last; its note is a line."""
    door, go_on = gates
    for number, done in enumerate((0.25, 0.0, 1.0, 0.5)):
        eventually(lambda done=done: door.stage()["progress"] == done)
        go_on(number)
    stage = door.ended().stage()
    assert (stage["status"], stage["progress"]) == ("COMPLETED", 0.5)
    assert "[ 25%] so far\n" in stage["output"]["text"]
