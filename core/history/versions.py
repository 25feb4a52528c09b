"""The versions of the schema, and how a database of an earlier one is brought up to date."""

import logging
from itertools import chain
from typing import Any

from sqlalchemy import Column, Connection, bindparam, func, insert, inspect, select, update
from sqlalchemy.schema import CreateColumn

from ..errors import Unavailable
from .dialect import dialect_of
from .records import ROW, executions_of
from .table import AGE, COLUMNS, EXECUTIONS, TABLES

logger = logging.getLogger("runcast.history")

SCHEMA_VERSION = 4
ADDED_AFTER = {
    1: (COLUMNS.kept_since, COLUMNS.start_key, COLUMNS.start_digest),
    2: (COLUMNS.light,),
    3: (COLUMNS.owner, AGE.c.owner),
}
"""What the tables of a version lack; PostgreSQL's begin with 4. Records that were large before
there was `light` are read whole by lists, as they were."""
AT_ONCE = 200


def bring_up_to_date(connection: Connection, now: int) -> None:
    """Makes the tables, or those of an earlier version into those of this one; `now` in epoch ms.

    To be called in a transaction: all of it happens, or nothing.

    Raises:
        Unavailable: the database is of a later version; nothing was changed.
    """
    dialect = dialect_of(connection)
    version = dialect.version(connection)
    if version > SCHEMA_VERSION:
        raise Unavailable(f"the history is of a newer version of runcast ({version})")
    if version == SCHEMA_VERSION:
        return
    # Of those that are made now, nothing is lacking.
    there = set(inspect(connection).get_table_names())
    TABLES.create_all(connection)
    if version:
        logger.info("the history is of version %d and becomes one of %d", version, SCHEMA_VERSION)
        for column in chain(*(ADDED_AFTER[earlier] for earlier in range(version, SCHEMA_VERSION))):
            if column.table.name in there:
                _add(connection, column)
    if version == 1:
        _fill(connection, now)
        for index in EXECUTIONS.indexes:
            index.create(connection, checkfirst=True)
    dialect.set_version(connection, SCHEMA_VERSION)


def _add(connection: Connection, column: Column[Any]) -> None:
    definition = CreateColumn(column).compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {column.table.name} ADD COLUMN {definition}")


def _fill(connection: Connection, now: int) -> None:
    """What version 1 did not have, and durations without the time in which executions waited.

    The history's age is that of its newest execution.
    """
    _set_durations(connection)
    connection.execute(update(EXECUTIONS).values(kept_since=COLUMNS.ended_at))
    newest = func.max(func.coalesce(COLUMNS.ended_at, COLUMNS.started_at))
    latest = connection.execute(select(newest)).scalar_one()
    if latest is not None:
        connection.execute(insert(AGE).values(seen_at=min(now, latest), behind=0))


def _set_durations(connection: Connection) -> None:
    ended = ROW.where(COLUMNS.ended_at.is_not(None)).order_by(COLUMNS.id).limit(AT_ONCE)
    put = update(EXECUTIONS).where(COLUMNS.id == bindparam("of"))
    put = put.values(duration=bindparam("lasted"))
    last = ""
    while rows := connection.execute(ended.where(COLUMNS.id > last)).all():
        found = zip(rows, executions_of(connection, rows), strict=True)
        lasted = [{"of": row.id, "lasted": one.duration_ms(row.ended_at)} for row, one in found]
        connection.execute(put, lasted)
        last = rows[-1].id
