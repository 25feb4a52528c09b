"""What is in a pipeline file, before it is understood."""

import json
from pathlib import Path

from .document import DocumentError, Flaw

# A pure Python YAML parser takes 8 to 19 µs a byte: this is about a second.
MAX_FILE_BYTES = 1 << 17

KEYS = frozenset({"pipeline", "stages"})


class OtherJSON(DocumentError):
    """A JSON file that has neither of a pipeline's keys: something that a program has written."""


def content_of(path: Path) -> bytes:
    """The bytes of a file; of one that is too big, so many that this can be seen.

    Raises:
        DocumentError: it cannot be read.
    """
    try:
        # Opening a named pipe would wait for somebody to write.
        if path.exists() and not path.is_file():
            raise DocumentError(Flaw("it is not a regular file"))
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DocumentError(Flaw(f"it cannot be read: {reason}")) from error


def text_of(path: Path, content: bytes) -> str:
    """The text of a file with that content.

    Raises:
        OtherJSON: it is no pipeline, and does not look as if it should be one.
        DocumentError: it is too big or not UTF-8.
    """
    if path.suffix.lower() == ".json" and _is_other_json(content):
        raise OtherJSON(Flaw("a pipeline file is a mapping with `pipeline` and `stages`"))
    if len(content) > MAX_FILE_BYTES:
        raise DocumentError(Flaw(f"it is bigger than {MAX_FILE_BYTES:,} bytes"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DocumentError(Flaw("it is not UTF-8 text", (), line)) from error


def _is_other_json(content: bytes) -> bool:
    """Leniently: what a program writes may have NaN in it, and be much bigger than a pipeline."""
    if len(content) > MAX_FILE_BYTES:
        return not any(f'"{key}"'.encode() in content for key in KEYS)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return not (isinstance(value, dict) and KEYS & value.keys())
