"""What a use case works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.clock import Clock
from ..core.history import History
from ..core.library import PipelineLibrary
from ..core.manager import ExecutionManager
from ..core.pace import Turns


@dataclass(frozen=True, slots=True)
class Context:
    """One for the whole server; the doors hand it to every use case."""

    manager: ExecutionManager
    pipelines: PipelineLibrary
    history: History
    clock: Clock
    version: str
    environ: Mapping[str, str]
    """The server's environment: which language models are at hand is read from it."""
    debug: bool = False
    """Whether clients may see tracebacks."""
    turns: Turns = field(default_factory=Turns)
