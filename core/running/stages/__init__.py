"""How a stage runs: what a runner is given, what it returns, and how it is told to stop."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ...execution.model import Usage
from ...json_value import JSON
from ...pipelines.pipeline import StageDefinition

Definition = TypeVar("Definition", bound=StageDefinition, covariant=True)
Accepted = TypeVar("Accepted", bound=StageDefinition, contravariant=True)

GRACE_SECONDS = 5.0


@dataclass(slots=True)
class Stop:
    """How gently a run is to be stopped; shared by the engine, the executor and the runner.

    The engine cancels the run's task. A runner that has something to end (a process) then asks
    politely, waits for `grace` seconds or until `force` is set, and ends it.
    """

    grace: float = GRACE_SECONDS
    force: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class StageCall(Generic[Definition]):
    """One attempt of one stage."""

    execution_id: str
    stage: Definition
    attempt: int
    input: JSON
    """What the stage before handed over (text or JSON); the execution's input for the first."""
    pipeline_input: str
    outputs: Mapping[str, JSON]
    """What each earlier stage handed over, by stage id."""
    folder: Path
    """Where the pipeline file lies."""
    emit: Callable[[str], None]
    """Puts out a piece of text, at once and without waiting. Only from the event loop."""
    stop: Stop
    execution_mode: str | None = None
    """How a prompt stage reaches its model: `api` or `cli`; None: as the environment allows."""
    cli_tool: str | None = None
    """Which command `cli` mode uses; None: the default one."""


@dataclass(frozen=True, slots=True)
class StageResult:
    """What an attempt came to: the value for the next stage, and what it has used."""

    value: JSON
    usage: Usage = field(default_factory=Usage)
    model: str | None = None


class StageRunner(Protocol[Accepted]):
    """Runs one kind of stage."""

    async def run(self, call: "StageCall[Accepted]") -> StageResult:
        """One attempt. Its time limit is the executor's business: it cancels the task.

        When it is cancelled, everything that belongs to the attempt (tasks, threads, processes and
        their children) has ended before CancelledError leaves this method.

        Raises:
            StageError: the attempt failed.
        """
        ...
