"""What the manager asks of an engine, and how an engine answers."""

from collections.abc import Mapping
from typing import Protocol

from ..execution.events import Event
from ..execution.model import Execution, Status
from ..pipelines.pipeline import Pipeline


class Receiver(Protocol):
    """Where an engine says what happens: the manager of this process."""

    @property
    def counts(self) -> Mapping[Status, int]:
        """See `ExecutionManager.counts`."""
        ...

    def apply(self, event: Event, sequence: int | None = None) -> Execution:
        """See `ExecutionManager.apply`."""
        ...

    def restore(self, execution: Execution) -> None:
        """See `ExecutionManager.restore`."""
        ...


class Engine(Protocol):
    """Runs executions, and says in events what happens to them.

    An engine answers by events only: the embedded one calls the manager, a distributed one writes
    to a log that the engines of all processes read, each for its own manager.
    """

    name: str

    @property
    def epoch(self) -> str:
        """Names the log: cursors into another one mean nothing. Known once it is open."""
        ...

    @property
    def stale(self) -> bool:
        """Whether there may be events that have not reached this process."""
        ...

    async def open(self, receiver: Receiver) -> None:
        """Makes ready; from now on the receiver may be called."""

    async def submit(self, execution: Execution, pipeline: Pipeline) -> str:
        """Accepts an execution: its Submitted event has reached the receiver of this process
        before this returns.

        The id is that of an earlier one if another process has started that with the same
        idempotency key.

        Raises:
            Conflict: the key belongs to another request.
            CapacityReached: the queue is full; nothing was changed.
            Unavailable: the engine takes no more; nothing was changed.
        """

    async def cancel(self, execution_id: str, reason: str | None, *, forced: bool) -> None:
        """Stops an execution: its CancelRequested event has reached the receiver of this process
        before this returns."""

    async def close(self, grace: float) -> None:
        """Takes no more, ends what waits, gives what runs `grace` seconds and stops the rest.

        Can be called again, with less grace, while an earlier call still waits.
        """
