"""The messages to a watcher of an execution: one for each event."""

from dataclasses import dataclass, field

from .events import ChangeKind, Event, StageLogged
from .log import LogPiece
from .model import Execution


@dataclass(frozen=True, slots=True)
class Change:
    """One message for a watcher: what happened `at` epoch ms, and the state that followed."""

    kind: ChangeKind
    execution: Execution
    at: int
    stage: int | None = None
    piece: LogPiece | None = None
    """OUTPUT: what is new in the stage's log."""
    output_offset: int = 0
    """OUTPUT: how long the stage's stdout was before, in characters."""
    missed: int | None = None
    """RESET: how many changes were lost; None: nobody knows."""
    terminal: bool = field(init=False, repr=False, compare=False)
    """Whether the execution has ended. Every watcher asks it of every change."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "terminal", self.execution.status.terminal)

    @classmethod
    def of(cls, event: Event, after: Execution) -> "Change":
        if isinstance(event, StageLogged):
            offset = event.output_offset
            return cls(event.kind, after, event.at, event.stage, event.piece, offset)
        return cls(event.kind, after, event.at, event.stage)
