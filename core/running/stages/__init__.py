"""How a stage runs: what a runner is given, what it returns, and how it is told to stop."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ...errors import StageError
from ...execution.model import Usage
from ...json_value import JSON
from ...pipelines.pipeline import StageDefinition
from ..attempt_log import AttemptLog
from ..stores import Stores

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
    """The value of the stage before: text or JSON, or a StoredValue where that is large; the
    execution's input for the first."""
    pipeline_input: JSON
    """The execution's input: text, or a StoredValue."""
    outputs: Mapping[str, JSON]
    """The value of each earlier stage, by stage id."""
    folder: Path
    """Where the pipeline file lies."""
    log: AttemptLog
    """Takes what the attempt says. Only from the event loop."""
    stop: Stop
    stores: Stores
    execution_mode: str | None = None
    """How a prompt stage reaches its model: `api` or `cli`; None: as the environment allows."""
    cli_tool: str | None = None
    """Which command `cli` mode uses; None: the default one."""

    def emit(self, text: str) -> None:
        """Adds text to the stage's output."""
        self.log.emit(text)

    @property
    def workdir(self) -> Path:
        """The folder for the files of the execution; it need not be there yet."""
        return self.stores.workdir(self.execution_id)

    def too_large(self) -> StageError:
        """Its value has more bytes than it may have."""
        limit = self.stage.max_output_bytes
        return StageError(
            f"the value of stage {self.stage.id} has more than {limit:,} bytes: raise "
            "maxOutputBytes in the pipeline file, or write it to a file in RUNCAST_WORKDIR",
            type="OutputTooLarge",
            retryable=False,
        )


@dataclass(frozen=True, slots=True)
class StageResult:
    """The value of an attempt for the next stage, and what it has used."""

    value: JSON
    """Text or JSON; a StoredValue where that is large."""
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
