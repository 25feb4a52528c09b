"""Executions with real stages, whose logs, values and folders are on a real disk."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from runcast.core.clock import SystemClock
from runcast.core.execution.events import Event
from runcast.core.execution.log import LogStream
from runcast.core.execution.model import Execution, RunOptions
from runcast.core.execution.stored import StoredValue
from runcast.core.json_value import loads
from runcast.core.live.launch import pending
from runcast.core.pipelines.pipeline import Pipeline, PipelineFile
from runcast.core.results.files import ExecutionFiles
from runcast.core.running.executor import PipelineExecutor
from runcast.core.running.stages import Stop
from runcast.core.running.stages.command import CommandRunner
from runcast.core.running.stages.prompt import PromptRunner
from runcast.core.running.stages.python import PythonRunner
from runcast.core.running.workers.pool import WorkerPool
from samples import an_execution

FOLDER = Path(__file__).with_name("stage_functions")
MODEL = {"providerID": "anthropic", "modelID": "a-model"}
TOOLS = {"claude": ("sh", "-c", "cat")}
"""A model that answers with the question."""


class Runs:
    """Runs pipelines, one after the other or at once; what they have said and made stays."""

    def __init__(self, files: ExecutionFiles, pool: WorkerPool, prompts: PromptRunner) -> None:
        self.files = files
        self._count = 0
        runners: dict[str, Any] = {
            "command": CommandRunner(),
            "python": PythonRunner(pool),
            "prompt": prompts,
        }
        self._executor = PipelineExecutor(runners, SystemClock(), files, files.writers)

    async def run(
        self,
        *stages: dict[str, Any],
        input: str | StoredValue = "hello",
        folder: Path = FOLDER,
        settings: dict[str, Any] | None = None,
    ) -> Execution:
        """An execution of these stages, when it has ended."""
        head = {"id": "demo", "name": "Demo", "version": "1.0.0", "settings": settings or {}}
        content = {"pipeline": head, "stages": list(stages)}
        definition = PipelineFile.model_validate(content)
        pipeline = Pipeline(definition=definition, source=content, path=folder / "demo.yaml")
        self._count += 1
        execution = replace(
            an_execution(f"exec_{self._count}"),
            input=input,
            stages=pending(pipeline),
            options=RunOptions(execution_mode="cli"),
        )

        async def sink(event: Event) -> None:
            nonlocal execution
            execution = event.after(execution)

        await self._executor.run(execution, pipeline, sink, Stop(grace=1))
        return execution

    async def value(self, execution: Execution, stage: str) -> Any:
        """The value of a stage, wherever it is."""
        value = next(one for one in execution.stages if one.id == stage).value
        if not isinstance(value, StoredValue):
            return value
        content = await self.files.content(value)
        return loads(content) if value.is_json else content.decode()

    async def log(self, execution: Execution, stage: str, attempt: int = 1) -> str:
        """What is stored of an attempt, over all streams."""
        return "".join(text for _, text in await self.pieces(execution, stage, attempt))

    async def pieces(
        self, execution: Execution, stage: str, attempt: int = 1
    ) -> list[tuple[LogStream, str]]:
        found = await self.files.log(execution.id, stage, attempt, 0, 1 << 30)
        return [(piece.stream, piece.text) for piece in found.pieces]


@asynccontextmanager
async def real_runs(data: Path, shared: Path | None = None) -> AsyncIterator[Runs]:
    """With files below `data`; logs and values in `shared`, if several processes use that."""
    async with (
        ExecutionFiles(data, log_max=64 << 20, shared=shared) as files,
        WorkerPool(max_idle=2) as pool,
        PromptRunner(os.environ, TOOLS) as prompts,
    ):
        yield Runs(files, pool, prompts)
