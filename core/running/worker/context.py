"""What a stage's function can ask and tell, as its second argument."""

import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .output import CallOutput


@dataclass(frozen=True, slots=True)
class StageContext:
    """One attempt at a stage, as its function sees it."""

    execution_id: str
    stage_id: str
    attempt: int
    """Its number, from 1."""
    pipeline_input: str
    """The text that the execution was started with."""
    outputs: Mapping[str, Any]
    """The value of each earlier stage, by stage id."""
    _workdir: str
    _output: CallOutput
    _stopped: threading.Event = field(default_factory=threading.Event)

    def emit(self, text: str) -> None:
        """Adds text to the stage's output, to be seen live."""
        self._output.write("stdout", text)

    def progress(self, done: float, note: str = "") -> None:
        """Says how far the stage is, `done` from 0 to 1, and adds a line to the output."""
        self._output.progress(done)
        self.emit(f"[{done:4.0%}] {note}".rstrip() + "\n")

    @property
    def workdir(self) -> Path:
        """The folder for the files of this execution, which all of its stages share."""
        folder = Path(self._workdir)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def cancelled(self) -> bool:
        """Whether the stage is to stop."""
        return self._stopped.is_set()


def arguments(
    function: Callable[..., Any], input: object, context: StageContext
) -> tuple[Any, ...]:
    """The input, and the context if the function needs a second argument or calls it `context`."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return (input,)
    second = [each for each in parameters if each.kind <= each.POSITIONAL_OR_KEYWORD][1:2]
    wanted = any(each.default is each.empty or each.name == "context" for each in second)
    return (input, context) if wanted else (input,)
