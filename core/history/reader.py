"""Reads the history, merged with executions that are not in it yet."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeAlias, cast

from sqlalchemy import BigInteger, ColumnElement, Connection, Engine, Select, func, literal, select

from ..execution.filter import ExecutionFilter
from ..execution.model import Execution, Status
from ..execution.page import Order, Page, PageRequest, paginate
from .damage import Damages
from .dialect import dialect_of
from .gate import Gate, Interruptible, Read
from .records import LIGHT_ROW, ROW, executions_of
from .table import COLUMNS, LARGEST, around, conditions

InMemory: TypeAlias = Mapping[str, Execution]
MOST_BYTES = 64 << 20
"""Of all records of a page that is wanted whole."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A page of a filtered list, how long the list is, and how many there are of each status."""

    page: Page[Execution]
    total: int
    counts: Mapping[Status, int]


@dataclass(frozen=True, slots=True)
class HistoryReader:
    """Each method reads one state of the database, and may be called in any thread. They block.

    An execution that is `in_memory` counts in place of what is stored of it; of the rest only those
    that have ended are returned. Whatever goes wrong is raised as SQLAlchemy's DatabaseError.
    """

    _engine: Engine
    _damages: Damages
    _gate: Gate = field(default_factory=Gate)
    _read: Read | None = None

    def during(self, read: Read) -> Self:
        """The same for one read, which whoever has `read` can end."""
        return replace(self, _read=read)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Whoever reads is interrupted; nobody has it open until the block is left."""
        with self._gate.shut():
            self._engine.dispose()
            yield

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        read = self._read or Read()
        # No commit at the end: SQLite refuses it where it has met a damaged page.
        with (
            self._gate.passed(read),
            self._engine.connect() as connection,
            read.using(cast(Interruptible, connection.connection.driver_connection)),
        ):
            yield connection

    def get(self, execution_id: str) -> Execution | None:
        """The stored state of an execution, also of one that has not ended."""
        return self._first(ROW.where(COLUMNS.id == execution_id))

    def started_by(self, key: str) -> Execution | None:
        """The stored state of the execution that was started with this idempotency key."""
        newest = COLUMNS.started_at.desc(), COLUMNS.id.desc()
        return self._first(ROW.where(COLUMNS.start_key == key).order_by(*newest).limit(1))

    def _first(self, rows: Select[Any]) -> Execution | None:
        with self._reading() as connection:
            found = connection.execute(rows).all()
            return next(iter(executions_of(connection, found, self._damages, self._read)), None)

    def page(
        self,
        in_memory: InMemory,
        filter: ExecutionFilter,
        order: Order,
        request: PageRequest,
        now: int,
        *,
        whole: bool = True,
    ) -> HistoryPage:
        """What `paginate` finds among everything in memory and in the database; `now` in epoch ms.

        Unless `whole`, what comes from the database is `light`.

        Raises:
            InvalidInput: a cursor or a number is off, or the page is too large to be whole.
        """
        live, live_counts = filter.counted(list(in_memory.values()))
        row = ROW if whole else LIGHT_ROW
        rows = row.where(*self._wanted(in_memory, filter))
        counted = select(COLUMNS.status, func.count()).where(
            *self._wanted(in_memory, filter.of_any_status())
        )
        with self._reading() as connection:
            near = {
                row.id: row
                for statement in around(rows, order, request)
                for row in connection.execute(statement)
            }
            stored = executions_of(
                connection,
                near.values(),
                self._damages,
                self._read,
                whole=whole,
                most_bytes=MOST_BYTES,
            )
            by_status = connection.execute(counted.group_by(COLUMNS.status))
            counts = Counter({Status(status): number for status, number in by_status})
        counts.update(live_counts)
        return HistoryPage(
            paginate([*live, *stored], order, request, now),
            sum(number for status, number in counts.items() if filter.admits(status)),
            {status: counts[status] for status in Status},
        )

    def ended(
        self,
        in_memory: InMemory,
        filter: ExecutionFilter,
        offset: int,
        limit: int,
        *,
        whole: bool = True,
        among: ColumnElement[bool] | None = None,
    ) -> tuple[list[Execution], int]:
        """At most `limit` of those that have ended, newest end first, and how many there are.

        `among` is what else must hold for a row. Unless `whole`, what comes from the database is
        `light`.
        """
        found = [one for one in in_memory.values() if filter.matches(one)]
        from_memory = [one for one in found if one.ended_at is not None]
        wanted = [*self._wanted(in_memory, filter), *([] if among is None else [among])]
        # So many at most come before the offset because they are in memory.
        first = max(0, offset - len(from_memory))
        row = ROW if whole else LIGHT_ROW
        rows = row.where(*wanted).order_by(COLUMNS.ended_at.desc(), COLUMNS.id.desc())
        rows = rows.limit(limit + len(from_memory))
        rows = rows.offset(literal(min(first, LARGEST), BigInteger))
        with self._reading() as connection:
            stored = executions_of(
                connection,
                connection.execute(rows).all(),
                self._damages,
                self._read,
                whole=whole,
            )
            number = connection.execute(select(func.count()).where(*wanted)).scalar_one()
        merged = sorted([*stored, *from_memory], key=_end, reverse=True)
        return merged[offset - first :][:limit], number + len(from_memory)

    def _wanted(
        self, in_memory: InMemory, filter: ExecutionFilter
    ) -> Iterator[ColumnElement[bool]]:
        dialect = dialect_of(self._engine)
        yield COLUMNS.ended_at.is_not(None)
        if in_memory:
            yield COLUMNS.id.not_in(dialect.listed(in_memory))
        yield from conditions(filter, dialect)


def _end(execution: Execution) -> tuple[int, str]:
    return execution.ended_at or 0, execution.id
