"""An execution as JSON, to be kept or sent, and back."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from ..json_value import JSON
from .model import (
    Cancellation,
    EndReason,
    Execution,
    Failure,
    RunOptions,
    StageRun,
    StageStatus,
    Status,
    Usage,
)
from .output import Output

STORED_OUTPUT_CHARACTERS = 51_200
STORED_VALUE_BYTES = 256 * 1024

Value = TypeVar("Value")


def dump(execution: Execution) -> bytes:
    """The whole execution as JSON in UTF-8; half a surrogate pair is kept as it is.

    Raises:
        TypeError, ValueError, RecursionError: a value is not JSON; `storable` drops such values.
    """
    return _as_json(execution)


def load(content: bytes) -> Execution:
    """The execution that `dump` was given. Keys that are not known here are passed over.

    Raises:
        KeyError, TypeError, ValueError, RecursionError: this is no execution.
    """
    return _built(Execution, json.loads(content))


def storable(execution: Execution) -> Execution:
    """The same without what is too much to keep.

    Of each stage's output the first 51,200 characters stay, the rest counts as dropped. A value
    that is larger than 256 KiB as JSON, or cannot be JSON, becomes None.
    """
    stages = tuple(map(_storable_stage, execution.stages))
    return replace(execution, stages=stages, output=_small(execution.output))


def utf8(text: str) -> bytes:
    """UTF-8 that also has a place for half a surrogate pair."""
    return text.encode("utf-8", "surrogatepass")


def _as_json(value: object) -> bytes:
    return utf8(json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":")))


def _plain(value: object) -> Mapping[str, object]:
    if isinstance(value, Output):
        return {"text": value.text(), "dropped": value.dropped}
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} is not JSON")


def _built(cls: type[Value], data: Mapping[str, Any]) -> Value:
    names = (field.name for field in fields(cls))  # type: ignore[arg-type]
    known = {name: data[name] for name in names if name in data}
    for name, convert in PARTS.get(cls, {}).items():
        if known.get(name) is not None:
            known[name] = convert(known[name])
    return cls(**known)


def _of(cls: type[Value]) -> Callable[[Mapping[str, Any]], Value]:
    return lambda data: _built(cls, data)


PARTS: Mapping[type, Mapping[str, Callable[[Any], object]]] = {
    Execution: {
        "stages": lambda stages: tuple(_built(StageRun, stage) for stage in stages),
        "status": Status,
        "end_reason": EndReason,
        "labels": lambda labels: tuple((key, value) for key, value in labels),
        "options": _of(RunOptions),
        "error": _of(Failure),
        "cancellation": _of(Cancellation),
    },
    StageRun: {
        "status": StageStatus,
        "usage": _of(Usage),
        "output": lambda data: Output().appended(data["text"], data["dropped"]),
        "error": _of(Failure),
    },
}
"""What is not in an execution as JSON has it."""


def _storable_stage(stage: StageRun) -> StageRun:
    value = _small(stage.value)
    dropped = stage.value_dropped or (value is None and stage.value is not None)
    return replace(stage, output=_cut(stage.output), value=value, value_dropped=dropped)


def _cut(output: Output) -> Output:
    if output.length <= STORED_OUTPUT_CHARACTERS:
        return output
    rest = len(utf8(output.text(STORED_OUTPUT_CHARACTERS)))
    return Output().appended(output.text(limit=STORED_OUTPUT_CHARACTERS), output.dropped + rest)


def _small(value: JSON) -> JSON:
    try:
        return value if len(_as_json(value)) <= STORED_VALUE_BYTES else None
    except (TypeError, ValueError, RecursionError):
        return None
