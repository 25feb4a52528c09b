"""Starting an execution: what is accepted, what is refused, and what is to be seen of it."""

import json
import re
from collections.abc import Callable

import pytest
from deadlines import eventually
from doors import FIELDS, START, Door, GraphQLDoor, Refused, RestDoor
from server_process import ServerProcess

Start = Callable[..., str]
MIB = 1 << 20
LIMIT = MIB + (128 << 10)


def row_of(door: Door, id: str) -> dict[str, object]:
    [row] = [row for row in door.list() if row["id"] == id]
    return row


def ended(door: Door, id: str) -> dict[str, object]:
    """The execution once it has ended."""

    def look() -> dict[str, object] | None:
        detail = door.detail(id)
        assert detail is not None
        return detail if detail["status"] != "running" else None

    return eventually(look)


def test_started_is_listed(door: Door, start: Start) -> None:
    """An execution is in the list as soon as the answer to its start is there."""
    id = start("waiting", "look")
    assert re.fullmatch(r"exec_\d+_[a-z0-9]{6,}", id)
    assert row_of(door, id)["status"] == "running"
    assert id in [row["id"] for row in door.running()]


def test_eight_fields(door: Door, start: Start) -> None:
    """A list item has these eight fields, none of them null, with these types."""
    row = row_of(door, start("several-v1", "eight"))
    assert set(row) == set(FIELDS)
    kinds = {key: type(value) for key, value in row.items()}
    numbers = ("startTime", "currentStage", "totalStages")
    assert kinds == {field: int if field in numbers else str for field in FIELDS}
    assert (row["pipelineId"], row["pipelineName"]) == ("several-v1", "Several stages")
    assert (row["totalStages"], row["inputPreview"]) == (3, "eight")


def test_doors_agree(server: ServerProcess, start: Start) -> None:
    """REST and GraphQL list the same executions in the same order with the same values."""
    newest = [start("echo", "agree"), start("failing", "agree"), start("several-v1", "agree")]
    doors = (RestDoor(server.client), GraphQLDoor(server.client))
    for id in newest:
        ended(doors[0], id)
    rest, graphql = (
        [row for row in door.list() if row["id"] in newest and row["status"]] for door in doors
    )
    assert rest == graphql
    assert [row["id"] for row in rest] == newest[::-1]


def test_file_name_starts(door: Door, start: Start) -> None:
    """A pipeline can be started by its file's name, too; the execution has the pipeline's id."""
    assert row_of(door, start("several"))["pipelineId"] == "several-v1"


def test_unknown_pipeline(door: Door) -> None:
    """An unknown pipeline is NOT_FOUND, and nothing is started."""
    before = len(door.list())
    with pytest.raises(Refused, match="Pipeline not found") as refused:
        door.start("no-such-pipeline", "hello")
    assert refused.value.code == "NOT_FOUND"
    assert len(door.list()) == before


@pytest.mark.parametrize("input", ["", " \n\t ", "\ufeff\u00a0"], ids=["empty", "blank", "exotic"])
def test_blank_input(door: Door, input: str) -> None:
    """An input of nothing, or of nothing but white space, is refused in the same words."""
    with pytest.raises(Refused, match="Input is required") as refused:
        door.start("echo", input)
    assert refused.value.code == "INVALID_INPUT"


@pytest.mark.parametrize("input", [None, 5, True, ["a"], {"a": 1}], ids=repr)
def test_input_is_text(door: Door, input: object) -> None:
    """An input that is not text is refused."""
    with pytest.raises(Refused) as refused:
        door.start("echo", input)
    assert refused.value.code == "INVALID_INPUT"
    assert "input" in refused.value.message.lower()


def test_half_character(server: ServerProcess, door: Door) -> None:
    """Half a surrogate pair is no text that could be passed on: 400, or INVALID_INPUT."""
    start = 'mutation($i: String!) { startExecution(pipelineId: "echo", input: $i) { userErrors'
    query = start + " { code message } } }"
    body = json.dumps({"input": "\ud83d", "query": query, "variables": {"i": "\ud83d"}})
    answer = door.post(body.encode())
    assert answer.status_code == 400 or "INVALID_INPUT" in answer.text
    assert "executionId" not in answer.text


SPELLINGS: dict[str, tuple[str, Callable[[str], str]]] = {
    "letters": ("a", str),
    "escaped letters": ("a", lambda text: r"\u0061" * len(text)),
    "accents": ("é", str),
    "escaped accents": ("é", lambda text: json.dumps(text)[1:-1]),
    "emoji": ("😀", lambda text: json.dumps(text)[1:-1]),
    "lines": ("a\na", lambda text: json.dumps(text)[1:-1]),
    "quotes": ('"', lambda text: json.dumps(text)[1:-1]),
    "backslashes": ("\\", lambda text: json.dumps(text)[1:-1]),
    "escapes": (r"\u00e9", lambda text: json.dumps(text)[1:-1]),
    "NUL": ("\0", lambda text: json.dumps(text)[1:-1]),
}


def starting(door: Door, spelled: str) -> bytes:
    """A body that starts `echo` with an input as JSON spells it."""
    if isinstance(door, RestDoor):
        return f'{{"input": "{spelled}"}}'.encode()
    head = json.dumps({"query": START, "variables": {"pipelineId": "echo"}})
    return f'{head[:-2]}, "input": "{spelled}"}}}}'.encode()


@pytest.mark.parametrize("name", SPELLINGS)
def test_longest_input(door: Door, name: str) -> None:
    """1 MiB of input is accepted and kept whole, however JSON spells it; a byte more is not."""
    piece, spell = SPELLINGS[name]
    text = piece * (MIB // len(piece.encode()))
    text = "x" * (MIB - len(text.encode())) + text
    assert len(text.encode()) == MIB
    answer = door.post(starting(door, spell(text)))
    assert answer.status_code == 200, answer.text
    [id] = re.findall("exec_[0-9a-z_]+", answer.text)
    assert ended(door, id)["input"] == text
    refused = door.post(starting(door, "x" + spell(text)))
    assert "1048577 bytes, and 1048576 (1 MiB) is the limit" in refused.text


def of_length(door: Door, length: int) -> bytes:
    """A body that starts an execution of `echo`, or asks something, and has that many bytes."""
    graphql = isinstance(door, GraphQLDoor)
    body = {"query": "{ server { engine } }"} if graphql else {"input": "as long as it may be"}
    return json.dumps(body).encode().ljust(length)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in pieces"])
@pytest.mark.parametrize(("length", "status"), [(LIMIT - 1, 200), (LIMIT, 200), (LIMIT + 1, 413)])
def test_longest_body(door: Door, length: int, status: int, announced: bool) -> None:
    """There is room for 128 KiB beside the input, and not for a byte more."""
    body = of_length(door, length)
    pieces = (body[start : start + 100_000] for start in range(0, length, 100_000))
    answer = door.post(body if announced else pieces)
    assert answer.status_code == status, answer.text


def test_too_long_body(door: Door) -> None:
    """A body that cannot be an input is refused as too large, and nothing is started."""
    with pytest.raises(Refused, match="1179648 bytes") as refused:
        door.start("echo", "too long " + "a" * LIMIT)
    assert refused.value.code == "TOO_LARGE"
    assert not [row for row in door.list() if str(row["inputPreview"]).startswith("too long")]


def test_malformed_json(door: Door) -> None:
    """What is not JSON gets a 400 that says so."""
    answer = door.post(b'{"input": "hello",')
    assert answer.status_code == 400
    assert "JSON" in answer.text


@pytest.mark.parametrize("body", [b"null", b"1", b'"x"', b"[]", b"\xff\xfe"], ids=repr)
def test_strange_json(door: Door, body: bytes) -> None:
    """JSON that is no object, or no UTF-8, gets a 400 as well."""
    assert door.post(body).status_code == 400


def test_preview_is_short(door: Door, start: Start) -> None:
    """The preview is the first 100 characters, without an ellipsis."""
    text = "0123456789" * 11
    assert row_of(door, start("echo", text))["inputPreview"] == text[:100]


def test_preview_of_100(door: Door, start: Start) -> None:
    """An input of exactly 100 characters is its own preview."""
    text = "x" * 100
    assert row_of(door, start("echo", text))["inputPreview"] == text


def test_preview_has_whole_characters(door: Door, start: Start) -> None:
    """An emoji on the border of the preview is left out, not cut in two."""
    text = "x" * 99 + "😀 and more"
    assert row_of(door, start("echo", text))["inputPreview"] == "x" * 99


def test_trimmed_as_javascript(door: Door, start: Start) -> None:
    """White space around the input goes as JavaScript's trim takes it: U+FEFF, but not U+001C."""
    id = start("echo", "\ufeff\u00a0 \x1ca\u2028b\x1f \r\n")
    detail = door.detail(id)
    assert detail is not None
    assert detail["input"] == "\x1ca\u2028b\x1f"
    assert row_of(door, id)["inputPreview"] == "\x1ca\u2028b\x1f"
