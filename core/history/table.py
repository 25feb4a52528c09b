"""The tables of the history: a row for each execution, and how they are searched."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect as SQLAlchemyDialect,
    Index,
    Insert,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    literal,
    tuple_,
)
from sqlalchemy.types import TypeDecorator

from ..execution.filter import ExecutionFilter
from ..execution.model import Execution, Status
from ..execution.page import Key, Order, OrderField, PageRequest, decode_place
from ..execution.record import dump, light, storable, utf8
from .dialect import Dialect, dialect_of

LARGEST = 2**63 - 1
LARGE_RECORD = 16 << 10
"""Bytes. Beyond it, lists read a smaller copy of the record."""


class Words(TypeDecorator[str]):
    """Text as its UTF-8 bytes: they take half surrogate pairs, which a TEXT column does not.

    The bytes of two texts compare as the texts do in Python.
    """

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: SQLAlchemyDialect) -> bytes | None:
        return None if value is None else utf8(value)

    def process_result_value(self, value: bytes | None, dialect: SQLAlchemyDialect) -> str | None:
        return None if value is None else value.decode("utf-8", "surrogatepass")


class Number(TypeDecorator[float]):
    """An integer. One to compare with may have any size: there is nothing beyond 64 bits."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: SQLAlchemyDialect) -> int | None:
        return None if value is None else int(min(max(value, -LARGEST), LARGEST))


TABLES = MetaData()
# What is searched and counted is apart from what is large, and small enough to be scanned.
EXECUTIONS = Table(
    "executions",
    TABLES,
    Column("id", Words, primary_key=True),
    Column("pipeline_id", Words, nullable=False),
    Column("pipeline_name", Words, nullable=False),
    Column("status", String, nullable=False),
    Column("started_at", Number, nullable=False),
    Column("ended_at", Number),
    Column("duration", Number),
    # The end in the history's own time, by which it forgets: see age.py.
    Column("kept_since", Number),
    Column("start_key", Words),
    Column("start_digest", String),
    # Whose it is, where several write: only that one ends what it has left without an end.
    Column("owner", Words),
    Column("labels", LargeBinary, nullable=False),
    Column("said", LargeBinary, nullable=False),
    # Last, for SQLite passes over what it comes to only afterwards: the record, if that is large,
    # without what may be large in it.
    Column("light", LargeBinary),
    Index("executions_by_start", "started_at", "id"),
    Index("executions_by_end", "ended_at", "id"),
    Index("executions_by_age", "kept_since", "ended_at", "id"),
    Index("executions_by_key", "start_key"),
    Index("executions_by_duration", "duration", "id"),
    # A name may be longer than an entry of an index of PostgreSQL.
    Index("executions_by_name", "pipeline_name", "id").ddl_if(dialect="sqlite"),
    Index("executions_by_status", "status", "ended_at", "id"),
)
RECORDS = Table(
    "records",
    TABLES,
    Column("id", Words, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
AGE = Table(
    "age",
    TABLES,
    Column("seen_at", Number, nullable=False),
    Column("behind", Number, nullable=False),
    Column("owner", Words),
)
COLUMNS = EXECUTIONS.c
ORDER_COLUMNS = {
    OrderField.START_TIME: COLUMNS.started_at,
    OrderField.END_TIME: COLUMNS.ended_at,
    OrderField.DURATION: COLUMNS.duration,
    OrderField.PIPELINE_NAME: COLUMNS.pipeline_name,
}


ROW_CHANGES = ("status", "ended_at", "duration", "kept_since", "light")
Rows: TypeAlias = Sequence[Mapping[str, object]]


def put(connection: Connection, rows: Rows, contents: Rows) -> None:
    """Stores rows of executions and their records in place of earlier ones."""
    put_row, put_content = _statements(dialect_of(connection))
    if rows:
        connection.execute(put_row, rows)
        connection.execute(put_content, contents)


@cache  # To make them takes longer than to store a row.
def _statements(dialect: Dialect) -> tuple[Insert, Insert]:
    return dialect.upsert(EXECUTIONS, ROW_CHANGES), dialect.upsert(RECORDS, ["content"])


def row_of(execution: Execution, record_size: int) -> dict[str, object]:
    """What an execution is found by, and what lists show of it if its record has so many bytes."""
    ended, key = execution.ended_at, execution.start_key
    lasted = None if ended is None else execution.duration_ms(ended)
    said = (execution.id, execution.pipeline_name, execution.input_preview)
    return {
        "id": execution.id,
        "pipeline_id": execution.pipeline_id,
        "pipeline_name": execution.pipeline_name,
        "status": execution.status.value,
        "started_at": execution.started_at,
        "ended_at": ended,
        "duration": lasted,
        "kept_since": None,
        "start_key": None if key is None else key.key,
        "start_digest": None if key is None else key.digest,
        "owner": None,
        "labels": b"".join(_label(*label) for label in execution.labels),
        "said": b"\xff".join(utf8(words.casefold()) for words in said),
        "light": dump(light(execution)) if record_size > LARGE_RECORD else None,
    }


def content_of(execution: Execution) -> bytes:
    """The record of an execution."""
    return dump(storable(execution))


def conditions(filter: ExecutionFilter, dialect: Dialect) -> Iterator[ColumnElement[bool]]:
    """What must hold for a row that `filter.matches`."""
    if filter.status is not None or filter.not_status is not None:
        admitted = [status.value for status in Status if filter.admits(status)]
        yield COLUMNS.status.in_(admitted)
    if filter.pipeline_id is not None:
        yield COLUMNS.pipeline_id.in_(filter.pipeline_id)
    for label in filter.labels:
        yield dialect.contains(COLUMNS.labels, _label(*label))
    if filter.started_after is not None:
        yield COLUMNS.started_at > filter.started_after
    if filter.started_before is not None:
        yield COLUMNS.started_at < filter.started_before
    if filter.text is not None:
        yield dialect.contains(COLUMNS.said, utf8(filter.text))


def around(
    rows: Select[*tuple[Any, ...]], order: Order, request: PageRequest
) -> Iterator[Select[*tuple[Any, ...]]]:
    """Of these rows those that `paginate` needs to find the same page as among all of them.

    One more than the page has, and the nearest one beyond either cursor.

    Raises:
        InvalidInput: a cursor or a number is off.
    """
    after, before = (
        None if cursor is None else decode_place(cursor, path, order).key
        for cursor, path in ((request.after, "after"), (request.before, "before"))
    )
    low, high = (before, after) if order.descending else (after, before)
    column = ORDER_COLUMNS[order.field]
    place = tuple_(column, COLUMNS.id)

    def at(key: Key) -> ColumnElement[Any]:
        value, id = key
        if isinstance(value, float) and not value.is_integer() and math.isfinite(value):
            # Between two whole numbers: before whatever is at the greater one.
            value, id = math.ceil(value), ""
        return tuple_(literal(value, column.type), literal(id, COLUMNS.id.type))

    upwards, downwards = (column, COLUMNS.id), (column.desc(), COLUMNS.id.desc())
    from_the_end = (request.last is None) == order.descending
    inside = rows.order_by(*(downwards if from_the_end else upwards)).limit(request.size() + 1)
    if low is not None:
        yield rows.where(place <= at(low)).order_by(*downwards).limit(1)
        inside = inside.where(place > at(low))
    if high is not None:
        yield rows.where(place >= at(high)).order_by(*upwards).limit(1)
        # With cursors that have crossed the page is empty, and lies at the lower one.
        if low is None or low < high:
            inside = inside.where(place < at(high))
    yield inside


def _label(key: str, value: str) -> bytes:
    # UTF-8 has no such bytes, so that a label is only ever found as a whole.
    return b"\xff" + utf8(key) + b"\xfe" + utf8(value) + b"\xff"
