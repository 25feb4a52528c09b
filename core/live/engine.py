"""What the manager asks of an engine, and how an engine answers."""

from typing import Protocol

from ..execution.events import Sink
from ..execution.model import Execution
from ..pipelines.pipeline import Pipeline


class Engine(Protocol):
    """Runs executions, and reports to a sink, in events, what happens to them.

    An engine answers by events only: the embedded one calls the manager, a distributed one writes
    to a log that every manager reads.
    """

    name: str

    async def open(self, sink: Sink) -> None:
        """Makes ready; from now on events may come."""

    async def submit(self, execution: Execution, pipeline: Pipeline) -> None:
        """Accepts an execution: its Submitted event reaches the sink before this returns.

        Raises:
            CapacityReached: the queue is full; nothing was changed.
            Unavailable: the engine takes no more; nothing was changed.
        """

    async def cancel(self, execution_id: str, reason: str | None, *, forced: bool) -> None:
        """Stops an execution: its CancelRequested event reaches the sink first."""

    async def close(self, grace: float) -> None:
        """Takes no more, ends what waits, gives what runs `grace` seconds and stops the rest.

        Can be called again, with less grace, while an earlier call still waits.
        """
