"""The checks of pipelines that have loaded: whether they can run."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from ..text import printable
from .catalog import File
from .pipeline import Pipeline
from .problem import Problem

PATIENCE_SECONDS = 2.0
END_SECONDS = 1.0
MAX_CHECKS = 4

Check: TypeAlias = Callable[[Pipeline], Awaitable[Iterable[Problem]]]
"""Finds what keeps a pipeline from running, as errors, or may do so, as warnings."""

log = logging.getLogger("runcast.pipelines")


class Checks:
    """Checks files, several at a time, and hands each of them to `put` with its result.

    A file that has waited PATIENCE_SECONDS is handed over as it was, and once more with its result.
    """

    def __init__(self, check: Check, put: Callable[[File], None]) -> None:
        self._check = check
        self._put = put
        self._turns = asyncio.Semaphore(MAX_CHECKS)
        self._by_name: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> tuple["asyncio.Task[None]", ...]:
        """Those that have not ended."""
        return tuple(self._by_name.values())

    def start(self, file: File) -> None:
        """Checks the file's pipeline; a check of what it said earlier is given up."""
        name = file.path.name
        self.cancel(name)
        task = asyncio.create_task(self._run(file))
        self._by_name[name] = task
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._forget(name, done))

    def again(self, file: File) -> None:
        """Checks the file's pipeline once more, unless it is being checked."""
        if file.path.name not in self._by_name:
            self.start(file)

    def cancel(self, name: str) -> None:
        """Gives up the check of the file of that name."""
        if task := self._by_name.pop(name, None):
            task.cancel()

    async def close(self) -> None:
        """Gives up all checks; one that goes on in spite of that is left to itself."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_SECONDS)

    async def _run(self, file: File) -> None:
        assert file.pipeline is not None
        problems = file.problems
        impatience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._put, file)
        try:
            async with self._turns:
                problems = tuple(await self._check(file.pipeline))
        except Exception:
            log.exception("%s could not be checked", printable(str(file.path)))
        finally:
            impatience.cancel()
        self._put(replace(file, problems=problems))

    def _forget(self, name: str, done: "asyncio.Task[None]") -> None:
        self._tasks.discard(done)
        if self._by_name.get(name) is done:
            del self._by_name[name]
