"""What a use case works with."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.clock import Clock
from ..core.fairness import LoopBudget
from ..core.history import History
from ..core.live.manager import ExecutionManager
from ..core.pipelines.library import PipelineLibrary
from ..core.results.files import ExecutionFiles


@dataclass(frozen=True, slots=True)
class Context:
    """One for the whole server; the doors hand it to every use case."""

    manager: ExecutionManager
    pipelines: PipelineLibrary
    history: History
    files: ExecutionFiles
    clock: Clock
    version: str
    environ: Mapping[str, str]
    """The server's environment: which language models are at hand is read from it."""
    name: str = "runcast"
    """Tells this process from others of its cluster."""
    debug: bool = False
    """Whether clients may see tracebacks."""
    searching: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whoever has many executions searched by a thread: they take turns, for one is kept busy."""

    @property
    def loop_budget(self) -> LoopBudget:
        """What all work that takes long shares, whoever has asked for it."""
        return self.manager.loop_budget
