"""What stages say and make: logs, outputs and values, wherever they are."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ..core.errors import InvalidInput, NotFound
from ..core.execution.log import LogPiece, LogSlice, LogStream
from ..core.execution.model import Execution, StageRun
from ..core.execution.stored import StoredValue
from ..core.json_value import JSON, EncodedJSON, dumps
from ..core.results.result import OUTPUT_UNITS, value_text
from .context import Context

Spelled = TypeVar("Spelled")


@dataclass(frozen=True, slots=True)
class OutputPiece:
    """A piece of a stage's stdout; offsets in characters of stdout alone."""

    offset: int
    text: str
    is_final: bool
    """Whether the stage has ended and nothing comes after this piece."""
    left_out: bool
    """Whether some of the stage's output is not stored."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """A part of the log of one attempt; offsets and sizes in characters over all streams."""

    attempt: int
    pieces: tuple[LogPiece, ...]
    next_offset: int
    total: int
    left_out: int
    is_final: bool


def find_stage(execution: Execution, stage_id: str) -> StageRun:
    """
    Raises:
        NotFound: the execution has no such stage.
    """
    for stage in execution.stages:
        if stage.id == stage_id:
            return stage
    raise NotFound("Stage not found", path=["stage"])


def checked_attempt(stage: StageRun, attempt: int | None) -> int:
    """The number of an attempt; of the latest one if none is named.

    Raises:
        NotFound: the stage has made no such attempt.
    """
    if attempt is None:
        return stage.attempt
    if not 1 <= attempt <= stage.attempt:
        raise NotFound(
            f"stage {stage.id} has made {stage.attempt} attempts, not {attempt}", path=["attempt"]
        )
    return attempt


async def spelled(
    ctx: Context, execution: Execution, spell: Callable[[Execution], Spelled]
) -> Spelled:
    """What REST says of an execution: `spell` is given it with the beginning of what its stages
    have said and made.

    In a thread, unless there is little to read and to spell: nobody else waits for it.
    """
    return await ctx.files.spelled(execution, OUTPUT_UNITS + 1, spell)


async def read_output(
    ctx: Context, execution_id: str, stage: StageRun, offset: int, limit: int
) -> OutputPiece:
    """At most `limit` characters of what the latest attempt has written to stdout."""
    if piece := output_in_memory(stage, offset, limit):
        return piece
    stored = await ctx.files.output(execution_id, stage.id, stage.attempt, offset, limit)
    is_final = _is_the_end(stage, stored.next_offset)
    return OutputPiece(offset, stored.text, is_final, stored.left_out > 0)


def output_in_memory(stage: StageRun, offset: int, limit: int) -> OutputPiece | None:
    """As `read_output`; None if it is in a file."""
    text = stage.log.output(offset, limit)
    if text is None and stage.log.of_value:
        text = value_text(stage)[offset : offset + limit]
    if text is None:
        return None
    return OutputPiece(offset, text, _is_the_end(stage, offset + len(text)), stage.log.cut)


def _is_the_end(stage: StageRun, offset: int) -> bool:
    return stage.ended_at is not None and offset >= stage.log.output_length


async def read_log(
    ctx: Context,
    execution_id: str,
    stage: StageRun,
    attempt: int | None,
    offset: int,
    limit: int,
    streams: Collection[LogStream] | None,
) -> LogPage:
    """At most `limit` characters of an attempt's log.

    Raises:
        NotFound: the stage has made no such attempt.
    """
    number = checked_attempt(stage, attempt)
    wanted = streams or frozenset(LogStream)
    text = _not_in_a_file(stage, number)
    if text is not None:
        found = _only_stdout(stage, text, offset, limit, wanted)
    else:
        found = await ctx.files.log(execution_id, stage.id, number, offset, limit, wanted)
    return LogPage(
        number,
        tuple(found.pieces),
        found.next_offset,
        found.total,
        found.left_out,
        _is_over(stage, number) and found.next_offset >= found.total,
    )


def _is_over(stage: StageRun, attempt: int) -> bool:
    """Whether nothing more comes of an attempt; the stage may wait for the next one."""
    if not 1 <= attempt <= len(stage.attempts):
        return stage.ended_at is not None
    return stage.attempts[attempt - 1].ended_at is not None


def _not_in_a_file(stage: StageRun, attempt: int) -> str | None:
    """The whole log of an attempt, which has said nothing but its value, or which version 0.1 has
    stored in its record; None if it is in a file."""
    if attempt == stage.attempt and stage.log.of_value:
        return value_text(stage)
    return stage.log.head if not stage.attempts else None


def _only_stdout(
    stage: StageRun, text: str, offset: int, limit: int, streams: Collection[LogStream]
) -> LogSlice:
    part = text[offset : offset + limit]
    piece = LogPiece(offset, LogStream.STDOUT, part, stage.ended_at or 0)
    wanted = (piece,) if part and LogStream.STDOUT in streams else ()
    return LogSlice(wanted, min(offset + limit, len(text)), len(text), 0)


async def log_size(
    ctx: Context, execution_id: str, stage: StageRun, attempt: int, streams: Collection[LogStream]
) -> int:
    """How many bytes the log of an attempt has as text in UTF-8."""
    if (text := _not_in_a_file(stage, attempt)) is not None:
        return len(text.encode("utf-8", "replace")) if LogStream.STDOUT in streams else 0
    return await ctx.files.log_size(execution_id, stage.id, attempt, streams)


def log_bytes(
    ctx: Context,
    execution_id: str,
    stage: StageRun,
    attempt: int,
    part: tuple[int, int],
    streams: Collection[LogStream],
) -> Iterator[bytes]:
    """A part of the log of an attempt, from one byte to another. To be read in a thread."""
    start, end = part
    if (text := _not_in_a_file(stage, attempt)) is not None:
        return iter([text.encode("utf-8", "replace")[start:end]])
    return ctx.files.log_bytes(execution_id, stage.id, attempt, start, end, streams)


async def read_value(ctx: Context, value: JSON, *, most_bytes: int) -> JSON:
    """A value as text or JSON; JSON that is in a file as `EncodedJSON`.

    Raises:
        InvalidInput: it has more than `most_bytes`.
        NotFound: its file has gone.
    """
    if not isinstance(value, StoredValue):
        return value
    if value.size > most_bytes:
        raise InvalidInput(
            f"the value has {value.size:,} bytes; GET /api/executions/:id/stages/:stage/value "
            "has all of it"
        )
    data = await ctx.files.content(value)
    return EncodedJSON(data) if value.is_json else data.decode("utf-8", "replace")


def value_size(value: JSON) -> int:
    """How many bytes a value has as it is: text in UTF-8, or JSON."""
    return value.size if isinstance(value, StoredValue) else len(_encoded(value))


def value_bytes(ctx: Context, value: JSON, start: int, end: int) -> Iterator[bytes]:
    """A part of a value as it is. To be read in a thread."""
    if isinstance(value, StoredValue):
        return ctx.files.read(value, start, end)
    return iter([_encoded(value)[start:end]])


def _encoded(value: JSON) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else dumps(value)
