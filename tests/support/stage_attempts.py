"""Attempts at real stages, and what they put out."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from memory_stores import HeardLog, MemoryStores
from runcast.core.errors import StageError
from runcast.core.pipelines.pipeline import CommandStage, PythonStage
from runcast.core.running.attempt_log import AttemptLog
from runcast.core.running.stages import StageCall, StageRunner, Stop
from runcast.core.running.stores import Stores

STORES = MemoryStores()
FUNCTIONS = Path(__file__).with_name("stage_functions")
OF_A_COMMAND = {"env", "cwd", "max_output_bytes"}


class Emitted:
    """An `emit` that remembers what it was given."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def __call__(self, text: str) -> None:
        self.pieces.append(text)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def command_call(*argv: str, folder: Path = FUNCTIONS, **values: Any) -> StageCall[CommandStage]:
    """An attempt at a command stage; `env`, `cwd` and `max_output_bytes` are the stage's own."""
    of_stage = {name: values.pop(name) for name in OF_A_COMMAND & values.keys()}
    return _call(CommandStage(id="shell", command=argv, **of_stage), folder, **values)


def shell_call(script: str, **values: Any) -> StageCall[CommandStage]:
    """An attempt at `sh -c script`."""
    return command_call("sh", "-c", script, **values)


def python_call(call: str, folder: Path = FUNCTIONS, **values: Any) -> StageCall[PythonStage]:
    """An attempt at a python stage."""
    return _call(PythonStage(id="function", call=call), folder, **values)


def _call(
    stage: Any,
    folder: Path,
    *,
    input: object = "",
    outputs: Mapping[str, object] | None = None,
    emit: Callable[[str], None] = lambda text: None,
    stop: Stop | None = None,
    log: AttemptLog | None = None,
    stores: Stores = STORES,
) -> StageCall[Any]:
    return StageCall(
        execution_id=f"exec_{uuid4().hex}",
        stage=stage,
        attempt=1,
        input=input,
        pipeline_input="what the execution was started with",
        outputs=outputs or {},
        folder=folder,
        log=log or HeardLog(emit),
        stop=stop or Stop(),
        stores=stores,
    )


async def failure(runner: StageRunner[Any], call: StageCall[Any]) -> StageError:
    """What an attempt that must fail says."""
    with pytest.raises(StageError) as caught:
        await runner.run(call)
    return caught.value


def left_of(execution_id: str) -> list[psutil.Process]:
    """The processes that run with that execution's id in their environment; no zombies."""
    return [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get("RUNCAST_EXECUTION_ID") == execution_id
    ]
