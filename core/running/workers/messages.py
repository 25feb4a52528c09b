"""A call and its answer, as they travel to and from a worker process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import StageError
from ...execution.stored import StoredValue
from ...json_value import JSON, dumps, loads
from ...pipelines.pipeline import PythonStage
from ..stages import StageCall
from ..stores import Stores
from ..worker.frames import Head
from .function import Function


class Stale(Exception):
    """The worker has imported code that has changed since; another one is needed."""


@dataclass(frozen=True, slots=True)
class FileValue:
    """A value that the worker has left in a file, because it is large."""

    path: Path
    sha256: str
    is_json: bool


def call_head(
    call: StageCall[PythonStage], function: Function, file: Path, *, is_async: bool
) -> Head:
    """The head of a call; `file` is where a large value goes."""
    return {
        "type": "call",
        "path": function.path,
        "async": is_async,
        "executionId": call.execution_id,
        "stageId": call.stage.id,
        "attempt": call.attempt,
        "workdir": str(call.workdir),
        "limit": call.stage.max_output_bytes,
        "file": str(file),
    }


def call_body(call: StageCall[PythonStage]) -> bytes:
    """What the function is given."""
    stores = call.stores
    return dumps(
        {
            "input": _given(call.input, stores),
            "pipelineInput": _given(call.pipeline_input, stores),
            "outputs": {id: _given(value, stores) for id, value in call.outputs.items()},
        }
    )


def _given(value: JSON, stores: Stores) -> list[Any]:
    """See `worker.values.read_value`: the value, or the file that it is in."""
    if isinstance(value, StoredValue):
        return [str(stores.path(value)), value.is_json, not value.is_json]
    return [value]


def answered(head: Head, body: bytes, file: Path) -> JSON | FileValue:
    """The value of an answer.

    Raises:
        StageError: the function has raised.
        Stale: it was not called.
    """
    match head["type"]:
        case "stale":
            raise Stale
        case "error":
            raise StageError(
                head["message"],
                type=head["name"],
                traceback=head["traceback"],
                retryable=head["retryable"],
            )
    if head["stored"] is not None:
        return FileValue(file, head["stored"], not head["text"])
    return body.decode() if head["text"] else loads(body)
