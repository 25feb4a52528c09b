"""Result files, written beside the live state and never in its way."""

import asyncio
import logging
from contextlib import suppress
from typing import Self

from ..errors import RuncastError, Unavailable
from ..execution.model import Execution
from .ended_executions import EndedExecutions, latest_ended
from .files import ExecutionFiles
from .missing_results import MissingResults
from .outputs import Outputs
from .result import OUTPUT_UNITS

logger = logging.getLogger("runcast.outputs")

MOST_WAITING = 1000
COMMIT_SECONDS = 2.0
CLOSE_SECONDS = 5.0
MADE_UP_SECONDS = 0.02
"""Between two files that are made up for, so that the disk is there for others."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
"""After a failure. What has only just ended is tried at once."""
EARLIER = "they were not written before the server was started"


class OutputWriter:
    """Saves ended executions one after the other. An async context manager.

    At most `limit` wait; beyond that the one that has waited longest is missing for now. What is
    missing is made up for, from the history, when nobody waits: what could not be written, and, of
    the executions that ended last, those that never had a file, as their server was killed.
    """

    def __init__(
        self,
        outputs: Outputs,
        files: ExecutionFiles,
        past: EndedExecutions,
        *,
        limit: int = MOST_WAITING,
    ) -> None:
        self._outputs = outputs
        self._files = files
        self._past = past
        self._limit = limit
        self._missing = MissingResults(outputs.max_files)
        self._due = 0.0
        """When the next one is made up for."""
        self._pause = FIRST_PAUSE_SECONDS
        self._waiting: dict[str, Execution] = {}
        self._settled: dict[str, asyncio.Event] = {}
        """For each execution that waits or is being written: when it no longer is."""
        self._something_to_do = asyncio.Event()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._outputs.remove_leftovers)
        self._tasks = [
            asyncio.create_task(self._writing(), name="runcast outputs"),
            asyncio.create_task(self._looking_back(), name="runcast missing outputs"),
        ]
        return self

    async def __aexit__(self, *error: object) -> None:
        """Writes what waits, for CLOSE_SECONDS at most: a disk that hangs delays nobody."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._settled:
                    await self.committed(next(iter(self._settled)))
        except TimeoutError:
            logger.warning("%d result files were not written in time", len(self._settled))
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    @property
    def problem(self) -> str | None:
        """How many files are missing, and why; None while none is."""
        return self._missing.problem

    def note(self, execution: Execution) -> None:
        """Has an execution saved once it has ended, soon. Never waits."""
        if execution.status.terminal:
            self._put(execution)

    def _put(self, execution: Execution) -> None:
        if execution.id not in self._waiting and len(self._waiting) >= self._limit:
            self._give_up(next(iter(self._waiting)))
        self._waiting[execution.id] = execution
        self._settled.setdefault(execution.id, asyncio.Event())
        self._something_to_do.set()

    async def committed(self, execution_id: str) -> None:
        """Returns once the execution's file is written or given up; at once if none is due.

        After COMMIT_SECONDS in any case: a disk that hangs delays nobody.
        """
        if settled := self._settled.get(execution_id):
            with suppress(TimeoutError):
                async with asyncio.timeout(COMMIT_SECONDS):
                    await settled.wait()

    def departed(self, execution_id: str) -> None:
        """Result files stay when an execution leaves the lists."""

    async def _writing(self) -> None:
        while True:
            self._something_to_do.clear()
            while self._waiting:
                await self._save_next()
            if self._missing and self._due_in() <= 0:
                await self._make_up(self._missing.oldest)
            else:
                await self._rest()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._due_in() if self._missing else None):
                await self._something_to_do.wait()

    async def _save_next(self) -> None:
        id, execution = next(iter(self._waiting.items()))
        del self._waiting[id]
        await self._save(execution)
        if id not in self._waiting:
            self._settle(id)

    async def _make_up(self, execution_id: str) -> None:
        try:
            execution = await self._past.get(execution_id)
        except Unavailable:
            self._try_later()  # The history says itself what is wrong with it.
            return
        if execution is None:
            self._missing.discard(execution_id)
        elif execution.status.terminal:
            await self._save(execution)
        else:
            self._failed(execution_id, "the end is missing in the history")

    async def _save(self, execution: Execution) -> None:
        try:
            await asyncio.to_thread(self._save_whole, execution)
        except OSError as error:
            self._missing.add(execution.id, _in_words(error))
            self._try_later()
        except Exception as error:
            # Whatever it is: the one execution has no file, and those behind it want theirs.
            self._failed(execution.id, _in_words(error))
        else:
            self._missing.discard(execution.id)
            self._try_soon()

    def _save_whole(self, execution: Execution) -> None:
        try:
            shown = self._files.with_texts(execution, OUTPUT_UNITS + 1)
        except OSError as error:
            # That says nothing of where the result files are.
            raise Unavailable(f"a log or a value cannot be read: {_in_words(error)}") from error
        self._outputs.save(shown)

    def _failed(self, execution_id: str, reason: str) -> None:
        self._missing.failed(execution_id, reason)
        self._try_soon()

    def _try_soon(self) -> None:
        self._pause = FIRST_PAUSE_SECONDS
        wait = FIRST_PAUSE_SECONDS if self._missing.only_failures else MADE_UP_SECONDS
        self._due = asyncio.get_running_loop().time() + wait

    def _try_later(self) -> None:
        self._due = asyncio.get_running_loop().time() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def _due_in(self) -> float:
        return self._due - asyncio.get_running_loop().time()

    async def _looking_back(self) -> None:
        """Finds what has ended and never had a file, once the history has all ends."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            has_all = self._past.unwritable is None
            with suppress(Unavailable, OSError):
                await self._look_back()
                if has_all:
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _look_back(self) -> None:
        ended = await latest_ended(self._past, self._outputs.max_files)
        never = await asyncio.to_thread(self._outputs.never_saved, ended)
        self._missing.add_earlier([id for id in never if id not in self._settled], EARLIER)
        self._something_to_do.set()

    def _give_up(self, execution_id: str) -> None:
        del self._waiting[execution_id]
        self._settle(execution_id)
        reason = f"more than {self._limit} executions wait for their file to be written"
        self._missing.add(execution_id, reason)

    def _settle(self, execution_id: str) -> None:
        if settled := self._settled.pop(execution_id, None):
            settled.set()


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, RuncastError):
        return error.message
    return f"{type(error).__name__}: {error}"
