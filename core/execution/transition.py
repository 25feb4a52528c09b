"""What an event makes of an execution."""

from dataclasses import replace

from ..errors import NotFound
from .events import Event, Submitted
from .model import Execution


def applied(event: Event, before: Execution | None) -> Execution:
    """The execution after the event, one further in its sequence; `before` is None at its start.

    Raises:
        NotFound: there is no execution, and the event does not begin one.
        IllegalMove: the event cannot happen to that execution.
    """
    if before is not None:
        return replace(event.after(before), sequence=before.sequence + 1)
    if isinstance(event, Submitted):
        return event.execution
    raise NotFound("Execution not found", path=["id"])
