"""An event as JSON, to be sent to other processes, and back."""

from collections.abc import Mapping
from typing import Any

from ..json_value import dumps
from .events import (
    Began,
    CancelRequested,
    Ended,
    Event,
    StageCancelled,
    StageCompleted,
    StageFailed,
    StageLogged,
    StageProgressed,
    StageRetrying,
    StageSkipped,
    StageStarted,
    Submitted,
)
from .log import LogPiece, LogStream
from .model import EndReason, Execution, Failure, Status, Usage
from .plain import Parts, built, plain
from .record import PARTS, read

VERSION = 1
"""Of what is written here. A process that is older than the event cannot know what it means."""

TYPES: Mapping[str, type[Event]] = {
    type.__name__: type
    for type in (
        Submitted,
        Began,
        CancelRequested,
        Ended,
        StageStarted,
        StageLogged,
        StageProgressed,
        StageRetrying,
        StageCompleted,
        StageSkipped,
        StageFailed,
        StageCancelled,
    )
}


def dump(event: Event) -> bytes:
    """The event as JSON in UTF-8. Large values are in files, and it names them.

    Raises:
        NotJSON: a value is not JSON.
    """
    return dumps({"version": VERSION, "type": type(event).__name__, "event": plain(event)})


def load(content: bytes) -> Event:
    """The event that `dump` was given. Keys that are not known here are passed over.

    Raises:
        KeyError, TypeError, ValueError: this is no event, or one of a later version.
    """
    data = read(content)
    if data["version"] > VERSION:
        raise ValueError(f"an event of version {data['version']}; this process knows {VERSION}")
    return built(TYPES[data["type"]], data["event"], EVENT_PARTS)


def _failure(data: Mapping[str, Any]) -> Failure:
    return built(Failure, data, PARTS)


EVENT_PARTS: Parts = {
    Submitted: {"execution": lambda data: built(Execution, data, PARTS)},
    Ended: {"status": Status, "reason": EndReason, "error": _failure},
    StageLogged: {"piece": lambda data: built(LogPiece, data, EVENT_PARTS)},
    StageRetrying: {"error": _failure},
    StageCompleted: {"usage": lambda data: built(Usage, data, PARTS)},
    StageFailed: {"error": _failure},
    LogPiece: {"stream": LogStream},
}
"""What is not in an event as JSON has it."""
