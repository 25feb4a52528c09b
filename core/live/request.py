"""A request to start a pipeline, checked on arrival."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import InvalidInput
from ..execution.model import RunOptions, StartKey
from ..execution.stored import StoredValue
from ..text import trimmed

MAX_INPUT_BYTES = 1 << 20
MAX_LABELS = 32
MAX_LABEL_CHARACTERS = 200
MAX_KEY_CHARACTERS = 200
MAX_REASON_BYTES = 1000
LONGEST_TIMEOUT_MS = 2**31 - 1

START_KEY_PATH = ("options", "idempotencyKey")
RETRY_KEY_PATH = ("idempotencyKey",)

INPUT_REQUIRED = "Input is required and must be a non-empty string"


def key_path(retry_of: str | None) -> Sequence[str]:
    """Where a caller gives the idempotency key of a start, or of a retry of that execution."""
    return START_KEY_PATH if retry_of is None else RETRY_KEY_PATH


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A pipeline and its input, as `checked` lets them through."""

    pipeline_id: str
    input: str | StoredValue
    labels: tuple[tuple[str, str], ...] = ()
    options: RunOptions = field(default_factory=RunOptions)
    idempotency_key: str | None = None
    retry_of: str | None = None
    from_stage: str | None = None
    """Of a retry: the first stage that runs again; None: all of them do."""
    mode_is_default: bool = False
    """Whether the execution mode is not the caller's choice."""
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
        mode_is_default: bool = False,
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
            checked_key(idempotency_key, START_KEY_PATH),
            mode_is_default=mode_is_default,
        )

    @property
    def start_key(self) -> StartKey | None:
        """The idempotency key, and what tells another request with the same key from this one."""
        if self.idempotency_key is None:
            return None
        return StartKey(self.idempotency_key, self.digest())

    @property
    def key_path(self) -> Sequence[str]:
        """Where the caller has given the idempotency key."""
        return key_path(self.retry_of)

    def digest(self) -> str:
        """The same for two requests that ask for the same.

        It is stored with the execution, and compared by later releases, too: what they add to it
        must be left out where it is not asked for, as everything is here.
        """
        said: dict[str, object] = {"pipeline": self.pipeline_id}
        if self.retry_of is not None:
            said |= {"retry_of": self.retry_of, "from_stage": self.from_stage}
        else:
            said |= {
                "input": self.input,
                "labels": sorted(self.labels),
                "timeout": self.options.timeout_ms,
                "mode": None if self.mode_is_default else self.options.execution_mode,
                "tool": self.options.cli_tool,
            }
        asked = {name: value for name, value in said.items() if value}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


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


def checked_key(key: str | None, path: Sequence[str]) -> str | None:
    """An idempotency key that was given at that path.

    Raises:
        InvalidInput: it is empty, too long, or not printable.
    """
    if key is None:
        return None
    return _checked_words(key, "an idempotency key", path, MAX_KEY_CHARACTERS)


def _checked_words(words: str, what: str, path: Sequence[str], limit: int) -> str:
    if not words.strip() or len(words) > limit:
        raise InvalidInput(f"{what} must have 1 to {limit} characters", path=path)
    if not words.isprintable():
        raise InvalidInput(f"{what} must not have control characters in it", path=path)
    return words
