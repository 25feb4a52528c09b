"""A call and its answer, as they travel to and from a worker process."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import StageError
from ...execution.stored import StoredValue
from ...json_value import JSON, dumps, loads
from ...pipelines.pipeline import PythonStage
from ..cancels import in_spite_of_cancels
from ..stages import StageCall
from ..stores import Stores
from ..worker.frames import Head
from .function import Function

SMALL = 65_536
"""A text of so many characters travels as it is; a larger one is left in a file."""


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


@dataclass(frozen=True, slots=True)
class CallBody:
    """What a function is given, and the files that were made for it."""

    content: bytes
    files: tuple[Path, ...]


async def call_body(call: StageCall[PythonStage]) -> CallBody:
    """What the function is given. Its files are to be removed when the call is over.

    Raises:
        OSError: a value cannot be read, or none be written.
    """
    if any(map(_is_large, (call.input, call.pipeline_input, *call.outputs.values()))):
        return await in_spite_of_cancels(asyncio.to_thread(_body, call))
    return _body(call)


def _is_large(value: JSON) -> bool:
    """Whether a value is in a file, or is going to be."""
    return isinstance(value, StoredValue) or (isinstance(value, str) and len(value) > SMALL)


def _body(call: StageCall[PythonStage]) -> CallBody:
    files: list[Path] = []

    def given(value: JSON) -> list[Any]:
        return _given(value, call.stores, files)

    try:
        content = dumps(
            {
                "input": given(call.input),
                "pipelineInput": given(call.pipeline_input),
                "outputs": {id: given(value) for id, value in call.outputs.items()},
            }
        )
    except BaseException:
        remove(files)
        raise
    return CallBody(content, tuple(files))


def _given(value: JSON, stores: Stores, files: list[Path]) -> list[Any]:
    """See `worker.values.read_value`: the value, or the file that it is in."""
    if isinstance(value, StoredValue):
        return [str(stores.path(value)), value.is_json, not value.is_json]
    if isinstance(value, str) and len(value) > SMALL:
        file = stores.new_file()
        files.append(file)
        file.write_bytes(value.encode("utf-8", "replace"))
        return [str(file), False, False]
    return [value]


def remove(files: Iterable[Path]) -> None:
    """Removes what is there of them."""
    for file in files:
        file.unlink(missing_ok=True)


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
