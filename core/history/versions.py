"""The versions of the schema, and how a file of an earlier one is brought up to date."""

import logging
from itertools import chain

from sqlalchemy import Connection, bindparam, func, insert, select, update

from ..errors import Unavailable
from .records import ROW, executions_of
from .table import AGE, COLUMNS, EXECUTIONS, TABLES

logger = logging.getLogger("runcast.history")

SCHEMA_VERSION = 3
ADDED_AFTER = {
    1: ("kept_since BIGINT", "start_key BLOB", "start_digest VARCHAR"),
    2: ("light BLOB",),
}
"""What the table of executions lacks in files of a version. Records that were large before there
was `light` are read whole by lists, as they were."""
AT_ONCE = 200


def bring_up_to_date(connection: Connection, now: int) -> None:
    """Makes the tables, or those of an earlier version into those of this one; `now` in epoch ms.

    To be called in a transaction: all of it happens, or nothing.

    Raises:
        Unavailable: the file is of a later version; nothing was changed.
    """
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if version > SCHEMA_VERSION:
        raise Unavailable(f"the history is of a newer version of runcast ({version})")
    if version == SCHEMA_VERSION:
        return
    TABLES.create_all(connection)
    if version:
        logger.info("the history is of version %d and becomes one of %d", version, SCHEMA_VERSION)
        for column in chain(*(ADDED_AFTER[earlier] for earlier in range(version, SCHEMA_VERSION))):
            connection.exec_driver_sql(f"ALTER TABLE executions ADD COLUMN {column}")
    if version == 1:
        _fill(connection, now)
        for index in EXECUTIONS.indexes:
            index.create(connection, checkfirst=True)
    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


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
