"""Result files, written beside the live state and never in its way."""

import asyncio
import logging
from contextlib import suppress
from typing import Self

from ..errors import RuncastError
from ..execution.model import Execution
from .files import ExecutionFiles
from .outputs import Outputs
from .result import OUTPUT_UNITS

logger = logging.getLogger("runcast.outputs")

MOST_WAITING = 1000
COMMIT_SECONDS = 2.0
CLOSE_SECONDS = 5.0


class OutputWriter:
    """Saves ended executions one after the other. An async context manager.

    At most `limit` wait; beyond that the one that has waited longest is given up. What goes wrong
    is logged once per change, and `problem` has it until everything that waited could be written.
    """

    def __init__(
        self, outputs: Outputs, files: ExecutionFiles, *, limit: int = MOST_WAITING
    ) -> None:
        self.problem: str | None = None
        self._outputs = outputs
        self._files = files
        self._limit = limit
        self._waiting: dict[str, Execution] = {}
        self._settled: dict[str, asyncio.Event] = {}
        """For each execution that waits or is being written: when it no longer is."""
        self._someone_waits = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._writing(), name="runcast outputs")
        return self

    async def __aexit__(self, *error: object) -> None:
        """Writes what waits, for CLOSE_SECONDS at most: a disk that hangs delays nobody."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._settled:
                    await self.committed(next(iter(self._settled)))
        except TimeoutError:
            logger.warning("%d result files were not written in time", len(self._settled))
        self._task.cancel()
        await asyncio.wait([self._task])

    def note(self, execution: Execution) -> None:
        """Has an execution saved once it has ended, soon. Never waits."""
        if execution.status.terminal:
            self._put(execution)

    def _put(self, execution: Execution) -> None:
        if execution.id not in self._waiting and len(self._waiting) >= self._limit:
            self._give_up(next(iter(self._waiting)))
        self._waiting[execution.id] = execution
        self._settled.setdefault(execution.id, asyncio.Event())
        self._someone_waits.set()

    async def committed(self, execution_id: str) -> None:
        """Returns once the execution's file is written or given up; at once if none is due.

        After COMMIT_SECONDS in any case: a disk that hangs delays nobody.
        """
        if settled := self._settled.get(execution_id):
            with suppress(TimeoutError):
                async with asyncio.timeout(COMMIT_SECONDS):
                    await settled.wait()

    async def _writing(self) -> None:
        while True:
            await self._someone_waits.wait()
            while self._waiting:
                id, execution = next(iter(self._waiting.items()))
                del self._waiting[id]
                await self._save(execution)
                if id not in self._waiting:
                    self._settle(id)
            self._someone_waits.clear()

    async def _save(self, execution: Execution) -> None:
        try:
            await asyncio.to_thread(self._save_whole, execution)
        except Exception as error:
            # Whatever it is: the one execution has no file, and those behind it want theirs.
            self._tell(_in_words(error))
        else:
            if not self._waiting:
                self._tell(None)

    def _save_whole(self, execution: Execution) -> None:
        self._outputs.save(self._files.with_texts(execution, OUTPUT_UNITS + 1))

    def departed(self, execution_id: str) -> None:
        """Result files stay when an execution leaves the lists."""

    def _give_up(self, execution_id: str) -> None:
        del self._waiting[execution_id]
        self._settle(execution_id)
        self._tell(f"more than {self._limit} executions wait for their file to be written")

    def _settle(self, execution_id: str) -> None:
        if settled := self._settled.pop(execution_id, None):
            settled.set()

    def _tell(self, problem: str | None) -> None:
        if problem == self.problem:
            return
        self.problem = problem
        if problem is None:
            logger.info("result files are written again")
        else:
            logger.warning("result files are not written: %s", problem)


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, RuncastError):
        return error.message
    return f"{type(error).__name__}: {error}"
