"""A run of the executor over scripted stages, and everything that it says."""

import asyncio
from typing import Any

from memory_stores import AtOnce, ListWriter, MemoryStores
from runcast.core.execution.events import Event, StageLogged
from runcast.core.execution.log import LogStream
from runcast.core.execution.model import Execution, StageStatus
from runcast.core.live.launch import pending
from runcast.core.pipelines.pipeline import Pipeline
from runcast.core.running.executor import PipelineExecutor
from runcast.core.running.stages import StageCall, Stop
from samples import an_execution
from scripted_stages import Act, ScriptedRunner
from virtual_clock import VirtualClock


class Course:
    """A run of the executor, and everything that it says; every event is tried on the model."""

    def __init__(self, pipeline: Pipeline, clock: VirtualClock, **acts: Act) -> None:
        self.runner = ScriptedRunner(**acts)
        self.pipeline = pipeline
        self.execution = an_execution(stages=pending(pipeline))
        self.events: list[Event] = []
        self.stores = MemoryStores()
        runners = {"python": self.runner, "prompt": self.runner}
        self._executor = PipelineExecutor(runners, clock, self.stores, AtOnce())

    def begin(self) -> "asyncio.Task[None]":
        run = self._executor.run(self.execution, self.pipeline, self.sink, Stop())
        return asyncio.create_task(run)

    async def run(self) -> Execution:
        async with asyncio.timeout(30):
            await self.begin()
        return self.execution

    async def sink(self, event: Event) -> None:
        self.execution = event.after(self.execution)
        self.events.append(event)

    @property
    def said(self) -> list[str]:
        """The kinds of the events but for output."""
        return [type(one).__name__ for one in self.events if not isinstance(one, StageLogged)]

    def told(self, index: int) -> str:
        """What was told of a stage while it ran, over all of its attempts."""
        logged = (one for one in self.events if isinstance(one, StageLogged))
        return "".join(one.piece.text for one in logged if one.index == index)

    def log(self, attempt: int, stage: str = "one") -> list[tuple[LogStream, str]]:
        """What is stored of an attempt."""
        writer = self.stores.logs.get((self.execution.id, stage, attempt), ListWriter())
        return [(piece.stream, piece.text) for piece in writer.pieces]

    @property
    def stages(self) -> list[StageStatus]:
        return [stage.status for stage in self.execution.stages]


def failing(error: BaseException, times: int = 100) -> Act:
    """An act that raises so often and then succeeds."""
    left = [error] * times

    async def act(call: StageCall[Any]) -> object:
        if left:
            raise left.pop()
        return "at last"

    return act
