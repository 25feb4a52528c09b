"""Reads records; one that is damaged hides no other."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlalchemy.exc import DatabaseError

from ..errors import InvalidInput
from ..execution.model import Execution, Failure, StartKey, Status
from ..execution.record import light, load
from .damage import Damages
from .database import is_damage
from .dialect import dialect_of
from .gate import Read
from .table import COLUMNS, RECORDS

SUMMARY = (
    *("id", "pipeline_id", "pipeline_name", "status", "started_at", "ended_at", "duration"),
    *("start_key", "start_digest"),
)
ROW = select(*(COLUMNS[name] for name in SUMMARY))
LIGHT_ROW = ROW.add_columns(COLUMNS.light)
"""For lists."""
AT_ONCE = 8
"""So many records, which may be large, are in memory before they are made smaller."""
DAMAGED = "its record in the history is damaged: what is not shown is lost"
UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What `load` raises of a record that is none."""


def executions_of(
    connection: Connection,
    rows: Iterable[Row[Any]],
    damages: Damages | None = None,
    read: Read | None = None,
    *,
    whole: bool = True,
    most_bytes: int | None = None,
) -> list[Execution]:
    """The stored states of the executions of these rows; of a damaged one, what its row says.

    Unless `whole`, without what may be large: the rows are `LIGHT_ROW`, and only small records are
    read, or those of files that come from version 2.

    Raises:
        InvalidInput: the records have more than `most_bytes` together.
    """
    remaining = iter(rows)
    executions: list[Execution] = []
    total = 0
    while batch := list(islice(remaining, AT_ONCE)):
        if read is not None:
            read.check()
        contents = {} if whole else {row.id: row.light for row in batch if row.light is not None}
        unknown = [row.id for row in batch if row.id not in contents]
        contents |= _contents(connection, unknown, damages)
        total += sum(map(len, contents.values()))
        if whole and most_bytes is not None and total > most_bytes:
            raise InvalidInput(
                f"the executions of the page have more than {most_bytes >> 20} MiB: ask for fewer, "
                "or without their inputs, outputs and logs",
                path=["first"],
            )
        for row in batch:
            execution = _execution(row, contents.pop(row.id, None), damages)
            executions.append(execution if whole else light(execution))
    return executions


def _contents(
    connection: Connection, ids: Sequence[str], damages: Damages | None
) -> dict[str, bytes]:
    """Of those that can be read."""
    try:
        return _found(connection, ids)
    except DatabaseError as error:
        if not is_damage(error):
            raise
        if len(ids) == 1:
            if damages is not None:
                damages.note(ids[0], str(error.orig))
            return {}
    half = len(ids) // 2
    return _contents(connection, ids[:half], damages) | _contents(connection, ids[half:], damages)


def _found(connection: Connection, ids: Sequence[str]) -> dict[str, bytes]:
    listed = dialect_of(connection).listed(ids)
    records = connection.execute(select(RECORDS).where(RECORDS.c.id.in_(listed)))
    return {record.id: record.content for record in records}


def _execution(row: Row[Any], content: bytes | None, damages: Damages | None) -> Execution:
    reason = "there is none"
    if content is not None:
        try:
            return load(content)
        except UNREADABLE as error:
            reason = f"{type(error).__name__}: {error}"
    if damages is not None:
        damages.note(row.id, reason)
    return remnant({name: getattr(row, name) for name in SUMMARY})


def remnant(row: Mapping[str, Any]) -> Execution:
    """What is known of an execution without its record."""
    ended, lasted, key = row["ended_at"], row["duration"], row["start_key"]
    return Execution(
        id=row["id"],
        pipeline_id=row["pipeline_id"],
        pipeline_name=row["pipeline_name"],
        input="",
        input_preview="",
        started_at=row["started_at"],
        stages=(),
        status=Status(row["status"]),
        began_at=None if lasted is None else ended - lasted,
        ended_at=ended,
        error=None if ended is None else Failure("DamagedRecord", DAMAGED),
        start_key=None if key is None else StartKey(key, row["start_digest"]),
    )
