"""What stages say: in memory, in a file, in the value that stands for it, or in an old record."""

from dataclasses import replace

import pytest
from runcast.core.encoded_text import EncodedText
from runcast.core.errors import NotFound
from runcast.core.execution.log import LogPiece, LogStream
from runcast.core.execution.model import Failure, StageRun, StageStatus
from runcast.core.execution.stage_log import StageLog
from runcast.resolvers.context import Context
from runcast.resolvers.logs import log_bytes, log_size, read_log, read_output

OUT, ERR, SYSTEM = LogStream.STDOUT, LogStream.STDERR, LogStream.SYSTEM
ALL = frozenset(LogStream)
FAILURE = Failure("ExitStatus", "exit status 1", "one")


async def stored(
    context: Context, stage: StageRun, attempt: int, streams: frozenset[LogStream]
) -> str:
    """All of an attempt's log, as REST sends it; the numbers of GraphQL must agree."""
    size = await log_size(context, "exec_1", stage, attempt, streams)
    parts = log_bytes(context, "exec_1", stage, attempt, (0, size), streams)
    data = b"".join(parts)
    assert len(data) == size
    page = await read_log(context, "exec_1", stage, attempt, 0, 1 << 20, streams)
    assert "".join(piece.text for piece in page.pieces) == data.decode()
    return data.decode()


@pytest.mark.parametrize("text", ["héllo\n", "", "x" * 51_200])
async def test_the_output_in_an_old_record_is_its_log(context: Context, text: str) -> None:
    """Version 0.1 had no logs: what it has stored of the output is all that there is."""
    log = StageLog(len(text), len(text), head=text, cut=len(text) > 50_000)
    stage = StageRun("one", "One", "python", StageStatus.COMPLETED, 2, 1000, 2000, log=log)
    assert await stored(context, stage, 2, ALL) == text
    assert await stored(context, stage, 2, frozenset({OUT})) == text
    assert await stored(context, stage, 2, frozenset({ERR, SYSTEM})) == ""
    page = await read_log(context, "exec_1", stage, None, 0, 1 << 20, None)
    assert (page.attempt, page.total, page.next_offset, page.is_final) == (
        2,
        len(text),
        len(text),
        True,
    )
    piece = await read_output(context, "exec_1", stage, 0, 1 << 20)
    assert (piece.text, piece.is_final, piece.left_out) == (text, True, len(text) > 50_000)


@pytest.mark.parametrize(
    ("value", "text"), [("the välue", "the välue"), ({"a": "é"}, '{\n  "a": "é"\n}'), ("", "")]
)
async def test_a_value_stands_for_what_a_stage_could_have_said(
    context: Context, value: object, text: str
) -> None:
    """It is in no log of its own, and the same everywhere."""
    stage = StageRun("one", "One", "python").begun(1, 1000)
    piece = LogPiece(0, OUT, text, 1500)
    stage = replace(stage, log=stage.log.appended(piece, 0, of_value=True), value=value)
    stage = stage.over(StageStatus.COMPLETED, 2000, None)
    assert await stored(context, stage, 1, ALL) == text
    assert await stored(context, stage, 1, frozenset({ERR})) == ""
    page = await read_log(context, "exec_1", stage, 1, 2, 3, None)
    assert [piece.text for piece in page.pieces] == ([text[2:5]] if text else [])
    assert (page.total, page.is_final) == (len(text), len(text) <= 5)
    assert (await read_output(context, "exec_1", stage, 1, 3)).text == text[1:4]


@pytest.mark.parametrize("where", ["runs", "waits", "runs again", "failed"])
async def test_the_log_of_an_attempt_is_final_when_that_is_over(
    context: Context, where: str
) -> None:
    """Whatever becomes of the stage: it may wait for the next attempt, or be in it."""
    writer = context.files.open_log("exec_1", "one", 1)
    writer.append(ERR, EncodedText.of("words\n"), 1500)
    writer.close()
    stage = StageRun("one", "One", "python", StageStatus.RUNNING).begun(1, 1000)
    if where in ("waits", "runs again"):
        stage = stage.attempt_over(StageStatus.FAILED, 2000, FAILURE)
        stage = replace(stage, next_attempt_at=3000)
    if where == "runs again":
        stage = stage.begun(2, 3000)
    if where == "failed":
        stage = stage.over(StageStatus.FAILED, 2000, FAILURE)
    page = await read_log(context, "exec_1", stage, 1, 0, 100, None)
    assert [piece.text for piece in page.pieces] == ["words\n"]
    assert page.is_final is (where != "runs")
    assert not (await read_log(context, "exec_1", stage, 1, 0, 3, None)).is_final
    if where == "runs again":
        page = await read_log(context, "exec_1", stage, None, 0, 100, None)
        assert (page.attempt, page.pieces, page.is_final) == (2, (), False)


@pytest.mark.parametrize("attempt", [0, 3, -1])
async def test_an_attempt_that_was_not_made_is_not_found(context: Context, attempt: int) -> None:
    """Also where the stage has made others."""
    stage = StageRun("one", "One", "python").begun(1, 1000).begun(2, 2000)
    with pytest.raises(NotFound, match="stage one has made 2 attempts"):
        await read_log(context, "exec_1", stage, attempt, 0, 100, None)


async def test_a_stage_that_has_not_begun_has_an_empty_log(context: Context) -> None:
    """Which is not final: it may come to say something."""
    stage = StageRun("one", "One", "python")
    page = await read_log(context, "exec_1", stage, None, 0, 100, None)
    assert (page.attempt, page.pieces, page.total, page.is_final) == (0, (), 0, False)
