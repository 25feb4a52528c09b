"""What SQLite and PostgreSQL are asked in different words."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Insert,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    cast,
    func,
    literal,
    select,
)

from ..execution.record import utf8

if TYPE_CHECKING:
    # A server imports that of its own database only.
    from sqlalchemy.dialects import postgresql, sqlite

SCHEMA = Table(
    "schema_version",
    MetaData(),
    Column("version", BigInteger, nullable=False),
    # Made with the tables: others that are made in their place have another one.
    Column("identity", String, nullable=False),
)
"""One row; PostgreSQL has no number for it as SQLite's files do."""
MIGRATION_LOCK = 0x72756E63617374
PRUNING_LOCK = MIGRATION_LOCK + 1
"""Of the whole database, so others must not come upon them: `runcast`, as a number."""


class Dialect(ABC):
    """A kind of database. Bytes compare as bytes in both, and so do the texts that they stand for:
    no collation has a say in the order of a page."""

    def upsert(self, table: Table, changing: Sequence[str]) -> Insert:
        """Adds rows to a table; of those that are there by their id, changes these columns."""
        new = self._insert(table)
        changed = {name: new.excluded[name] for name in changing}
        return new.on_conflict_do_update(index_elements=[table.c.id], set_=changed)

    @abstractmethod
    def listed(self, ids: Iterable[str]) -> Select[tuple[bytes]]:
        """These ids as a table: a statement can have only so many parameters."""

    @abstractmethod
    def contains(self, column: ColumnElement[bytes], part: bytes) -> ColumnElement[bool]:
        """Whether the bytes of a column have these among them."""

    @abstractmethod
    def version(self, connection: Connection) -> int:
        """That of the schema; 0 if there are no tables. Nobody else changes it until the
        transaction ends."""

    @abstractmethod
    def set_version(self, connection: Connection, version: int) -> None:
        """The tables are of this version now."""

    @abstractmethod
    def may_prune(self, connection: Connection) -> bool:
        """Whether nobody else prunes; nor does anybody until the transaction ends."""

    @abstractmethod
    def excess(self, connection: Connection, most_bytes: int) -> int:
        """How many bytes are in use beyond so many, about; 0 or less if there are none."""

    @abstractmethod
    def _insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """One that knows what to do about a conflict."""


class SQLite(Dialect):
    """One process writes, and has the file to itself while it does."""

    def _insert(self, table: Table) -> "sqlite.Insert":
        from sqlalchemy.dialects.sqlite import insert

        return insert(table)

    def listed(self, ids: Iterable[str]) -> Select[tuple[bytes]]:
        # An id has no NUL character; SQLite's JSON functions cut a text off there.
        each = func.json_each(json.dumps(list(ids))).table_valued("value")
        return select(cast(each.c.value, LargeBinary))

    def contains(self, column: ColumnElement[bytes], part: bytes) -> ColumnElement[bool]:
        return func.instr(column, part) > 0

    def version(self, connection: Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())

    def set_version(self, connection: Connection, version: int) -> None:
        connection.exec_driver_sql(f"PRAGMA user_version = {version}")

    def may_prune(self, connection: Connection) -> bool:
        return True

    def excess(self, connection: Connection, most_bytes: int) -> int:
        pages, free, size = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size - most_bytes


class PostgreSQL(Dialect):
    """Several servers write, each with its own transactions."""

    def _insert(self, table: Table) -> "postgresql.Insert":
        from sqlalchemy.dialects.postgresql import insert

        return insert(table)

    def listed(self, ids: Iterable[str]) -> Select[tuple[bytes]]:
        return select(func.unnest(literal(list(map(utf8, ids)), ARRAY(LargeBinary))))

    def contains(self, column: ColumnElement[bytes], part: bytes) -> ColumnElement[bool]:
        return func.position(literal(part, LargeBinary).op("IN")(column)) > 0

    def version(self, connection: Connection) -> int:
        connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        SCHEMA.create(connection, checkfirst=True)
        return connection.execute(select(SCHEMA.c.version)).scalar_one_or_none() or 0

    def set_version(self, connection: Connection, version: int) -> None:
        changed: Any = connection.execute(SCHEMA.update().values(version=version))
        if not changed.rowcount:
            connection.execute(SCHEMA.insert().values(version=version, identity=uuid4().hex))

    def may_prune(self, connection: Connection) -> bool:
        # Two that delete the same rows in different orders would wait for each other.
        free: bool = connection.execute(
            select(func.pg_try_advisory_xact_lock(PRUNING_LOCK))
        ).scalar_one()
        return free

    def excess(self, connection: Connection, most_bytes: int) -> int:
        on_disk = "SELECT pg_total_relation_size('executions') + pg_total_relation_size('records')"
        if int(connection.exec_driver_sql(on_disk).scalar_one()) <= most_bytes:
            return 0
        # What was deleted takes room on the disk until it is vacuumed: that does not count.
        stored = (
            "SELECT (SELECT coalesce(sum(pg_column_size(content)), 0) FROM records)"
            " + (SELECT coalesce(sum(pg_column_size(light)), 0) FROM executions)"
        )
        return int(connection.exec_driver_sql(stored).scalar_one()) - most_bytes


DIALECTS: dict[str, Dialect] = {"sqlite": SQLite(), "postgresql": PostgreSQL()}


def dialect_of(database: Connection | Engine) -> Dialect:
    """That of a database which is connected to, or can be."""
    return DIALECTS[database.dialect.name]
