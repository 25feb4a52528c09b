"""What a function returns or raises, in a form that can be sent and stored."""

import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from types import TracebackType
from typing import Any

from ...json_text import VALUE_DEPTH, NotJSON, check_depth, decode, encode

INLINE_BYTES = 256 * 1024
"""A value of more bytes than that goes to a file, and so does one that comes."""
MAX_MESSAGE_CHARACTERS = 10_000
MAX_TRACEBACK_CHARACTERS = 50_000


class OutputTooLarge(ValueError):
    """A function has returned more than the stage's maxOutputBytes."""


def encoded_value(value: object, limit: int) -> tuple[bool, bytes]:
    """Whether a function's value is text, and the text or its JSON in UTF-8.

    Raises:
        NotJSON: it is not JSON (NaN is not, nor is half a surrogate pair), nested more than
            VALUE_DEPTH deep, or has an integer of more than MAX_DIGITS digits in it.
        OutputTooLarge: it has more than `limit` bytes.
    """
    try:
        text = value if isinstance(value, str) else encode(value)
        encoded = text.encode()
        fits = len(encoded) <= limit
        if fits and not isinstance(value, str):
            check_depth(decode(text), VALUE_DEPTH)
    except ValueError as error:
        raise NotJSON(
            f"the function returned a {type(value).__name__}, which is not JSON: {error}"
        ) from None
    if not fits:
        raise OutputTooLarge(
            f"the function returned {len(encoded):,} bytes, and {limit:,} is the limit: raise "
            "maxOutputBytes in the pipeline file, or write to a file in context.workdir"
        )
    return isinstance(value, str), encoded


def store_value(encoded: bytes, file: str) -> str | None:
    """Puts a value that is too large for a message into the file; its SHA-256, else None.

    Raises:
        OSError: it cannot be written.
    """
    if len(encoded) <= INLINE_BYTES:
        return None
    try:
        with open(file, "wb") as stored:  # noqa: PTH123
            stored.write(encoded)
    except OSError:
        with suppress(OSError):
            os.unlink(file)  # noqa: PTH108
        raise
    return sha256(encoded).hexdigest()


def read_value(given: Any) -> Any:
    """A value from a message, or from the file that it names."""
    if not (isinstance(given, list) and len(given) == 3):
        return given[0]
    file, is_json, strip = given
    with open(file, "rb") as stored:  # noqa: PTH123
        content = stored.read()
    if is_json:
        return decode(content.decode())
    return content.decode("utf-8", "replace").rstrip("\n" if strip else "")


def outputs_of(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of earlier stages: a dict, unless one of them is in a file."""
    if all(len(value) == 1 for value in given.values()):
        return {stage_id: value for stage_id, (value,) in given.items()}
    return Outputs(given)


class Outputs(Mapping[str, Any]):
    """The values of earlier stages, each read when it is first asked for."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self._read: dict[str, Any] = {}

    def __getitem__(self, stage_id: str) -> Any:
        if stage_id not in self._read:
            self._read[stage_id] = read_value(self._given[stage_id])
        return self._read[stage_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def __repr__(self) -> str:
        return repr(dict(self))


def described(error: BaseException) -> dict[str, str]:
    """The name, message and traceback of an exception, even if asking it for them fails."""
    try:
        message = str(error) or type(error).__name__
    except BaseException:
        message = f"{type(error).__name__}, which cannot say what it is"
    try:
        error = error.with_traceback(_of_the_function(error.__traceback__))
        trace = "".join(traceback.format_exception(error))
    except BaseException:
        trace = "".join(traceback.format_tb(error.__traceback__))
    return {
        "name": type(error).__name__,
        "message": encodable(message[:MAX_MESSAGE_CHARACTERS]),
        "traceback": encodable(trace[-MAX_TRACEBACK_CHARACTERS:]),
    }


def _of_the_function(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the worker's own frames at its beginning."""
    own, rest = os.path.dirname(__file__), trace  # noqa: PTH120  # pathlib takes time to import
    while rest is not None and rest.tb_frame.f_code.co_filename.startswith(own):
        rest = rest.tb_next
    return trace if rest is None else rest


def encodable(text: str) -> str:
    """Half a surrogate pair, which UTF-8 cannot represent, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
