"""The states of executions on disk: beyond their time in memory, and across restarts."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, TypeVarTuple

from sqlalchemy.exc import DatabaseError

from ..clock import Clock
from ..errors import Unavailable
from ..execution.filter import EVERYTHING, ExecutionFilter
from ..execution.model import Execution
from ..execution.page import Order, PageRequest
from .damage import HistoryProblem
from .database import READERS, is_damage
from .file import HistoryFile
from .gate import Read
from .identity import Replaced
from .reader import HistoryPage, HistoryReader
from .record_files import RecordFiles
from .store import HistoryStore, reason_of
from .writer import Bounds, HistoryWriter

FILE_NAME = "history.db"
MAX_RECORDS = 10_000
MAX_AGE_SECONDS = 90 * 86_400.0
MAX_BYTES = 4096 << 20
PATIENCE_SECONDS = 2.0
AGAIN_SECONDS = 0.05
LONGEST_PAUSE = 0.1
"""How long no server may have run, as a share of the greatest age. More is a wrong wall clock."""

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class History:
    """Stores the states of executions that it is given, in `<folder>/history.db` or a PostgreSQL
    database, which several servers may share.

    An async context manager. On entering, executions that an earlier process left without an end
    become FAILED with SERVER_RESTART (CANCELLED, where a cancel had been accepted). On leaving,
    everything that it was given is written, if that can be done in time.

    What is open is compared with what is there before and after everything that is written, and
    once a second. If it was removed or replaced, all that has not `departed` is written anew.

    A failure of the database never raises in `note` or `committed`; see `problem`.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        max_records: int = MAX_RECORDS,
        max_age_seconds: float = MAX_AGE_SECONDS,
        max_bytes: int = MAX_BYTES,
        files: RecordFiles | None = None,
        hold: Callable[[], None] | None = None,
        database: str | None = None,
    ) -> None:
        """`hold` makes sure that no other process uses the folder, or raises an OSError; it is
        called in a thread, before and after whatever is written. `database` is the URL of one in
        PostgreSQL; which executions of that are ours is noted in the folder.

        Raises:
            ImportError: that needs `runcast[postgres]`.
            ValueError: it is no URL of a PostgreSQL database.
        """
        pause = max_age_seconds * LONGEST_PAUSE
        self._store = store = _store(folder, clock, pause, files, hold, database)
        self._clock = clock
        self._reader = store.reader
        self._damages = store.damages
        self._writer = HistoryWriter(store, Bounds(max_records, max_age_seconds, max_bytes))
        self._threads = ThreadPoolExecutor(READERS, "runcast-history-reader")
        self._reads: set[asyncio.Future[Any]] = set()

    async def __aenter__(self) -> Self:
        await self._writer.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        # What was asked for before is answered first.
        if self._reads:
            await asyncio.wait(self._reads)
        self._threads.shutdown()
        await self._writer.close()

    @property
    def problem(self) -> str | None:
        """What is wrong, for people; None while all is well."""
        found = [self._writer.problem, self._damages.problem]
        return "; ".join(one for one in found if one is not None) or None

    @property
    def problems(self) -> list[HistoryProblem]:
        """What is wrong now, and what was lost since the start, one by one."""
        now = self._clock.now()
        at_all = [] if self.unwritable is None else [HistoryProblem(self.unwritable, now)]
        return [*at_all, *self._damages.all()]

    @property
    def unwritable(self) -> str | None:
        """Why nothing can be written at the moment; None while it can."""
        return self._writer.problem

    # Writing

    def note(self, execution: Execution) -> None:
        """Stores this state soon, in place of earlier ones of the same execution. Never waits."""
        self._writer.note(execution)

    def departed(self, execution_id: str) -> None:
        """From now on only the database has it: until then it is written anew if that goes."""
        self._writer.departed(execution_id)

    async def committed(self, execution_id: str) -> bool:
        """Returns when what was noted of an execution so far would survive a kill -9.

        False, without an exception and within 2 s, if the history has a problem.
        """
        return await self._writer.committed(execution_id)

    # Reading. Everything raises Unavailable if the database cannot be read.

    async def get(self, execution_id: str) -> Execution | None:
        """The latest state that was noted; None if there is none, or no more."""
        waiting = self._writer.backlog.waiting.get(execution_id)
        return waiting or await self._read(HistoryReader.get, execution_id)

    async def started_by(self, key: str) -> Execution | None:
        """The execution that was started with this idempotency key; None if there is none."""
        for waiting in self._writer.backlog.waiting.values():
            if waiting.start_key is not None and waiting.start_key.key == key:
                return waiting
        return await self._read(HistoryReader.started_by, key)

    async def merged_page(
        self,
        live: Sequence[Execution],
        filter: ExecutionFilter = EVERYTHING,
        order: Order | None = None,
        request: PageRequest | None = None,
        *,
        whole: bool = True,
    ) -> HistoryPage:
        """A page of the live executions, all of which must be given, and what has ended before.

        It is the page that `paginate` would make of all of them; START_TIME, newest first, if no
        order is given. Unless `whole`, those that come from the database have no input, values and
        output.

        Raises:
            InvalidInput: a cursor or a number is off, or the page is too large to be whole.
        """
        in_memory = {**self._writer.backlog.waiting, **{one.id: one for one in live}}
        return await self._read(
            partial(HistoryReader.page, whole=whole),
            in_memory,
            filter,
            order or Order(),
            request or PageRequest(),
            self._clock.now(),
        )

    async def ended_page(
        self,
        page: int,
        page_size: int,
        filter: ExecutionFilter = EVERYTHING,
        *,
        whole: bool = True,
        own: bool = False,
    ) -> tuple[list[Execution], int]:
        """Page 1, 2... of what has ended, newest end first, and how much that is in total.

        If `own`, of what this server has run, which may share its database with others. Unless
        `whole`, those that come from the database have no input, values and output.
        """
        waiting, offset = dict(self._writer.backlog.waiting), (page - 1) * page_size
        among = self._store.is_own() if own else None
        return await self._read(
            partial(HistoryReader.ended, whole=whole, among=among),
            waiting,
            filter,
            offset,
            page_size,
        )

    async def _read(
        self,
        act: Callable[[HistoryReader, *Arguments], Result],
        *arguments: *Arguments,
    ) -> Result:
        seconds = self._store.read_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(act, *arguments)
        except TimeoutError:
            raise Unavailable(f"the history has not answered for {seconds:g} s") from None

    async def _answer(
        self,
        act: Callable[[HistoryReader, *Arguments], Result],
        *arguments: *Arguments,
    ) -> Result:
        """A read in a thread, which ends when whoever waits for it is cancelled.

        While the database is opened anew it begins again, for a while.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_SECONDS
        while True:
            read = Read()
            reading = loop.run_in_executor(
                self._threads, act, self._reader.during(read), *arguments
            )
            self._reads.add(reading)
            reading.add_done_callback(self._reads.discard)
            try:
                return await reading
            except (DatabaseError, OSError) as error:
                if loop.time() > end or not self._may_pass(read, error):
                    raise Unavailable(f"the history cannot be read: {reason_of(error)}") from error
            finally:
                read.end()
            await asyncio.sleep(AGAIN_SECONDS)

    def _may_pass(self, read: Read, error: Exception) -> bool:
        """Whether it helps to read again: the database is opened anew, or is to be rebuilt."""
        if isinstance(error, DatabaseError) and is_damage(error):
            self._writer.rebuild(str(error.orig))
            return True
        self._writer.look()
        # Its connection was made before the database went away, which may be back.
        stale = isinstance(error, DatabaseError) and error.connection_invalidated
        return stale or read.ended or isinstance(error, Replaced)


def _store(
    folder: Path,
    clock: Clock,
    longest_pause: float,
    files: RecordFiles | None,
    hold: Callable[[], None] | None,
    database: str | None,
) -> HistoryStore:
    if database is None:
        return HistoryFile(folder / FILE_NAME, clock, longest_pause, files, hold)
    # Only who has such a database needs its client.
    from .postgres import PostgresHistory

    return PostgresHistory(database, folder, clock, longest_pause, files, hold)
