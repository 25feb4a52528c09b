"""What runs stages in this process, put together in one place for servers and workers."""

import os
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Self

from ..core.clock import Clock
from ..core.pipelines.library import PipelineLibrary
from ..core.pipelines.reader import FileReader
from ..core.results.files import ExecutionFiles
from ..core.running.executor import PipelineExecutor
from ..core.running.keeper import Keeper
from ..core.running.stages import StageRunner
from ..core.running.stages.command import CommandRunner
from ..core.running.stages.prompt import PromptRunner
from ..core.running.stages.python import PythonRunner
from ..core.running.workers.pool import WorkerPool
from .check import find_missing
from .process_settings import ProcessSettings


class Runners:
    """One for each kind of stage, with the processes that they need. An async context manager."""

    def __init__(self, files: ExecutionFiles, clock: Clock) -> None:
        self.keeper = Keeper()
        self._clock = clock
        self._pool = WorkerPool(max_idle=os.cpu_count() or 1, keeper=self.keeper)
        self._prompts = PromptRunner(os.environ, keeper=self.keeper)
        runners: dict[str, StageRunner[Any]] = {
            "command": CommandRunner(keeper=self.keeper),
            "python": PythonRunner(self._pool),
            "prompt": self._prompts,
        }
        self.executor = PipelineExecutor(runners, clock, files, files.writers)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for part in (self.keeper, self._prompts, self._pool):
                await stack.enter_async_context(part)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def library(self, settings: ProcessSettings, reader: FileReader | None) -> PipelineLibrary:
        """The pipelines of the folder; what one needs and these runners lack is told with it.

        Raises:
            InvalidInput: there is no such folder.
        """
        find = partial(find_missing, self._pool, os.environ)
        return PipelineLibrary(settings.pipelines_folder, self._clock, find, reader)
