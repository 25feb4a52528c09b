"""An execution as JSON, to be stored or sent, and back."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..json_text import NotJSON, decode
from ..json_value import JSON, dumps, loads
from .model import (
    DEFAULTS,
    NO_USAGE,
    Cancellation,
    EndReason,
    Execution,
    Failure,
    RunOptions,
    StageAttempt,
    StageRun,
    StageStatus,
    StartKey,
    Status,
    Usage,
)
from .plain import Parts, Value, built, plain
from .stage_log import EMPTY_LOG, StageLog
from .stored import StoredValue

STORED_VALUE_BYTES = 256 * 1024


def dump(execution: Execution) -> bytes:
    """The whole execution as JSON in UTF-8; half a surrogate pair is an escape in it.

    Raises:
        NotJSON: a value is not JSON; `storable` drops such values.
    """
    return dumps(plain(execution))


def load(content: bytes) -> Execution:
    """The execution that `dump` was given. Keys that are not known here are passed over.

    Raises:
        KeyError, TypeError, ValueError: this is no execution.
    """
    data = read(content)
    if "began_at" not in data:
        data["began_at"] = _begin(data)
    return built(Execution, data, PARTS)


def read(content: bytes) -> Any:
    """JSON that may have half a surrogate pair in it.

    Raises:
        ValueError: this is no JSON.
    """
    try:
        return loads(content)
    except ValueError:
        return decode(content.decode("utf-8", "surrogatepass"))


def storable(execution: Execution) -> Execution:
    """The same execution without what is too large to be stored.

    A value that is larger than 256 KiB as JSON, or cannot be JSON, becomes None; larger values are
    in files, and the record names them. Logs are in files as well.
    """
    stages = tuple(map(_storable_stage, execution.stages))
    return replace(execution, stages=stages, output=_small(execution.output))


def light(execution: Execution) -> Execution:
    """The same execution without what may be large in it: its input, values and output."""
    stages = tuple(replace(stage, value=None, log=EMPTY_LOG) for stage in execution.stages)
    return replace(execution, input="", stages=stages, output=None)


def utf8(text: str) -> bytes:
    """UTF-8 that also has a place for half a surrogate pair."""
    return text.encode("utf-8", "surrogatepass")


def _stage(data: Mapping[str, Any]) -> StageRun:
    stage = built(StageRun, data, PARTS)
    if "output" not in data:
        return stage
    # A record of version 0.1 has the beginning of the output in itself, and no log.
    text, dropped = data["output"]["text"], data["output"]["dropped"]
    return replace(stage, log=StageLog(len(text), len(text), head=text, cut=dropped > 0))


def _begin(data: Mapping[str, Any]) -> int | None:
    """When the first stage began of an execution that was dumped before it was said."""
    if not data["current_stage"]:
        return None
    started: int = data["started_at"]
    began = (stage["started_at"] for stage in data["stages"])
    # What began before the execution was taken over from the one that it repeats.
    return min((at for at in began if at is not None and at >= started), default=started)


def _of(cls: type[Value], usual: Value | None = None) -> Callable[[Mapping[str, Any]], Value]:
    """`usual` is what most have: all of them share it, which saves time and memory."""
    same = plain(usual)
    return lambda data: usual if usual is not None and data == same else built(cls, data, PARTS)


PARTS: Parts = {
    Execution: {
        "stages": lambda stages: tuple(map(_stage, stages)),
        "status": Status,
        "end_reason": EndReason,
        "labels": lambda labels: tuple((key, value) for key, value in labels),
        "options": _of(RunOptions, DEFAULTS),
        "error": _of(Failure),
        "cancellation": _of(Cancellation),
        "start_key": _of(StartKey),
    },
    StageRun: {
        "status": StageStatus,
        "usage": _of(Usage, NO_USAGE),
        "log": _of(StageLog, EMPTY_LOG),
        "attempts": lambda attempts: tuple(map(_of(StageAttempt), attempts)),
        "error": _of(Failure),
    },
    StageAttempt: {"status": StageStatus, "error": _of(Failure)},
}
"""What is not in an execution as JSON has it."""


def _storable_stage(stage: StageRun) -> StageRun:
    value = _small(stage.value)
    dropped = stage.value_dropped or (value is None and stage.value is not None)
    return replace(stage, value=value, value_dropped=dropped)


def _small(value: JSON) -> JSON:
    if isinstance(value, StoredValue):
        return value
    try:
        return value if len(dumps(value)) <= STORED_VALUE_BYTES else None
    except NotJSON:
        return None
