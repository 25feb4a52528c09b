"""Attempts of command and python stages, as small as a test needs them."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from memory_stores import HeardLog, MemoryStores
from patience import until
from runcast.core.pipelines.pipeline import CommandStage, PythonStage
from runcast.core.running.contents import content
from runcast.core.running.stages import StageCall, StageRunner, Stop

STORES = MemoryStores()
FOLDER = Path(__file__).with_name("stage_functions")


class Attempt:
    """One attempt: what goes in, and the text that has come out so far."""

    def __init__(
        self,
        stage: CommandStage | PythonStage,
        input: object = "hello",
        folder: Path = FOLDER,
        grace: float = 30.0,
    ) -> None:
        self.texts: list[str] = []
        self.stop = Stop(grace=grace)
        self.log = HeardLog(self.texts.append)
        self.call: StageCall[Any] = StageCall(
            execution_id="exec_1",
            stage=stage,
            attempt=2,
            input=input,
            pipeline_input="the first input",
            outputs={"before": {"a": 1}},
            folder=folder,
            log=self.log,
            stop=self.stop,
            stores=STORES,
        )

    @property
    def text(self) -> str:
        return "".join(self.texts)

    async def run(self, runner: StageRunner[Any]) -> Any:
        """The value, also of one that is in a file."""
        return content((await runner.run(self.call)).value, STORES)

    async def begun(self, runner: StageRunner[Any]) -> "asyncio.Task[Any]":
        """The attempt in a task of its own, once it has put out something."""
        task = asyncio.create_task(self.run(runner))
        await until(lambda: self.texts or task.done())
        assert not task.done(), task
        return task


def a_command(*argv: str, **keys: Any) -> CommandStage:
    return CommandStage(id="say", command=argv, **keys)


def a_function(name: str, **keys: Any) -> PythonStage:
    call = name if ":" in name else f"stage_functions_of_tests:{name}"
    return PythonStage(id="think", call=call, **keys)


async def cancelled(task: "asyncio.Task[Any]", times: int = 1) -> None:
    """Cancels a task, and again while it cleans up; returns when it has ended as cancelled."""
    for _ in range(times):
        task.cancel()
        await asyncio.wait([task], timeout=0.05)
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


def group_of(pid: int) -> list[psutil.Process]:
    """The processes that run in a group; a zombie that nobody has reaped does not run."""
    return [each for each in psutil.process_iter() if _runs_in(each.pid, pid)]


def _runs_in(pid: int, group: int) -> bool:
    try:
        runs = psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        return os.getpgid(pid) == group and runs
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
