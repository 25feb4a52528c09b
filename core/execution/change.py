"""What a watcher of an execution is told: one message for each event."""

from dataclasses import dataclass

from .events import ChangeKind, Event, StageOutput
from .model import Execution


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a stage's output that is new; `offset` in characters."""

    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One message for a watcher: what happened `at` epoch ms, and the state that followed."""

    kind: ChangeKind
    execution: Execution
    at: int
    stage: int | None = None
    piece: Piece | None = None
    missed: int | None = None
    """RESET: how many changes were lost; None: nobody knows."""

    @classmethod
    def of(cls, event: Event, after: Execution) -> "Change":
        piece = None
        if isinstance(event, StageOutput):
            offset = after.stages[event.index].output.length - len(event.text)
            piece = Piece(offset, event.text)
        return cls(event.kind, after, event.at, event.stage, piece)

    @property
    def terminal(self) -> bool:
        return self.execution.status.terminal
