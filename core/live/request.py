"""A request to start a pipeline, checked on arrival."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import InvalidInput
from ..execution.model import RunOptions
from ..execution.stored import StoredValue
from ..text import trimmed

MAX_INPUT_BYTES = 1 << 20
MAX_LABELS = 32
MAX_LABEL_CHARACTERS = 200
MAX_KEY_CHARACTERS = 200
MAX_REASON_BYTES = 1000
LONGEST_TIMEOUT_MS = 2**31 - 1

INPUT_REQUIRED = "Input is required and must be a non-empty string"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A pipeline and its input, as `checked` lets them through."""

    pipeline_id: str
    input: str | StoredValue
    labels: tuple[tuple[str, str], ...] = ()
    options: RunOptions = field(default_factory=RunOptions)
    idempotency_key: str | None = None
    retry_of: str | None = None
    input_preview: str | None = None
    """Of an input that is in a file."""

    @classmethod
    def checked(
        cls,
        pipeline_id: str,
        input: object,
        *,
        labels: Sequence[tuple[str, str]] = (),
        timeout_ms: int | None = None,
        execution_mode: str | None = None,
        cli_tool: str | None = None,
        idempotency_key: str | None = None,
    ) -> "StartRequest":
        """The request for these arguments of a caller.

        Raises:
            InvalidInput: one of them is invalid; its `path` says which.
        """
        return cls(
            pipeline_id,
            checked_input(input),
            _checked_labels(labels),
            RunOptions(_checked_timeout(timeout_ms), execution_mode, cli_tool),
            _checked_key(idempotency_key),
        )

    def digest(self) -> str:
        """The same for two requests that ask for the same; a retry by the same key compares it."""
        said = [
            self.pipeline_id,
            self.input if isinstance(self.input, str) else self.input.sha256,
            sorted(self.labels),
            self.options.timeout_ms,
            self.options.execution_mode,
            self.options.cli_tool,
            self.retry_of,
        ]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def checked_input(input: object) -> str:
    """The input without white space around it.

    Raises:
        InvalidInput: it is no text, an empty one, or more than MAX_INPUT_BYTES.
    """
    text = trimmed(input) if isinstance(input, str) else ""
    if not text:
        raise InvalidInput(INPUT_REQUIRED, path=["input"])
    size = _size(text, "input")
    if size > MAX_INPUT_BYTES:
        raise InvalidInput(
            f"the input has {size} bytes, and {MAX_INPUT_BYTES} (1 MiB) is the limit",
            path=["input"],
        )
    return text


def _checked_labels(labels: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    path = ["options", "labels"]
    if len(labels) > MAX_LABELS:
        raise InvalidInput(f"{len(labels)} labels are more than {MAX_LABELS}", path=path)
    keys = set()
    for index, (key, value) in enumerate(labels):
        here = [*path, str(index)]
        _checked_words(key, "a label's key", [*here, "key"], MAX_LABEL_CHARACTERS)
        if value:
            _checked_words(value, "a label's value", [*here, "value"], MAX_LABEL_CHARACTERS)
        if key in keys:
            raise InvalidInput(f"two labels have the key {key!r}", path=[*here, "key"])
        keys.add(key)
    return tuple(labels)


def checked_reason(reason: str | None) -> str | None:
    """Why somebody cancels, as it may be shown.

    Raises:
        InvalidInput: it is too long, or not valid UTF-8.
    """
    if reason is not None and _size(reason, "reason") > MAX_REASON_BYTES:
        raise InvalidInput(f"the reason has more than {MAX_REASON_BYTES} bytes", path=["reason"])
    return reason


def _size(text: str, argument: str) -> int:
    """In bytes of UTF-8."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInput(
            f"the {argument} has half a surrogate pair in it", path=[argument]
        ) from None


def _checked_timeout(timeout_ms: int | None) -> int | None:
    if timeout_ms is not None and not 0 < timeout_ms <= LONGEST_TIMEOUT_MS:
        raise InvalidInput(
            f"timeoutMs must be between 1 and {LONGEST_TIMEOUT_MS}, not {timeout_ms}",
            path=["options", "timeoutMs"],
        )
    return timeout_ms


def _checked_key(key: str | None) -> str | None:
    if key is None:
        return None
    path = ["options", "idempotencyKey"]
    return _checked_words(key, "an idempotency key", path, MAX_KEY_CHARACTERS)


def _checked_words(words: str, what: str, path: Sequence[str], limit: int) -> str:
    if not words.strip() or len(words) > limit:
        raise InvalidInput(f"{what} must have 1 to {limit} characters", path=path)
    if not words.isprintable():
        raise InvalidInput(f"{what} must not have control characters in it", path=path)
    return words
