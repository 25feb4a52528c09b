"""A value of JSON, and its text: the one way in and out for what stages and clients say.

orjson does the work where it has the same answer as the standard library, which is nearly always.
"""

import re
from typing import Literal

import orjson

from .json_text import (
    DIGITS_AS_0,
    JSON,
    MAX_DEPTH,
    MAX_DIGITS,
    NotJSON,
    check_depth,
    decode,
    encode,
)

__all__ = ["CLIENT_DIGITS", "JSON", "EncodedJSON", "NotJSON", "as_text", "dumps", "loads"]

CLIENT_DIGITS = 400
"""In a number of a client: nobody counts that far, and it is read while others wait."""

LONG = b"0" * 19
"""An integer of so many digits may not fit into 64 bits: orjson silently makes a float of it."""
CONSTANT = re.compile("NaN|Infinity")
TOO_DEEP = ("depth limit exceeded", "failed to allocate memory")
"""What orjson says of it: of lists that are closed, and of those that are not."""
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class EncodedJSON:
    """A value as its text in UTF-8: `dumps` writes it as it is, wherever it stands.

    For what is large and has been read, checked or made elsewhere.
    """

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text


def loads(text: str | bytes, max_digits: int = MAX_DIGITS) -> JSON:
    """The value of a JSON text in UTF-8.

    Raises:
        ValueError: it is no JSON, or none that could be kept exactly: a number is too large, it is
            nested more than MAX_DEPTH deep, or has half a surrogate pair in it. It says so.
    """
    try:
        encoded = text.encode() if isinstance(text, str) else text
        value = _exactly(encoded, max_digits) if _is_long(encoded) else orjson.loads(encoded)
    except orjson.JSONDecodeError as error:
        raise _in_words(error) from None
    except UnicodeDecodeError:
        raise NotJSON("it is not UTF-8") from None
    except UnicodeEncodeError:
        raise NotJSON("it has half a surrogate pair in it") from None
    if len(encoded) > 2 * MAX_DEPTH:
        _check_depth(value)
    return value


def dumps(value: JSON, indent: Literal[2] | None = None) -> bytes:
    """A value as JSON in UTF-8; half a surrogate pair is written as an escape.

    Raises:
        NotJSON: JSON cannot represent it. (NaN, which `loads` lets through nowhere, becomes null.)
    """
    try:
        return orjson.dumps(value, _fragment, orjson.OPT_INDENT_2 if indent else None)
    except orjson.JSONEncodeError:
        return encode(_without_encoded(value), indent).encode("utf-8", "backslashreplace")


def as_text(value: JSON) -> str:
    """Text as it is, everything else as JSON with an indent of 2."""
    return value if isinstance(value, str) else dumps(value, indent=2).decode()


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, EncodedJSON):
        return orjson.Fragment(value.text)
    raise TypeError


def _without_encoded(value: JSON) -> JSON:
    try:
        return _decoded(value)
    except RecursionError:
        return value  # It is refused, as everything that is nested so deep.


def _decoded(value: JSON) -> JSON:
    match value:
        case EncodedJSON():
            return loads(value.text)
        case dict():
            return {key: _decoded(each) for key, each in value.items()}
        case list() | tuple():
            return [_decoded(each) for each in value]
    return value


def _is_long(encoded: bytes) -> bool:
    """Whether there may be an integer that orjson would change."""
    if len(encoded) < len(LONG):
        return False
    # Two digits that are nine bytes apart are in every such number, and in hardly any prose.
    return b"00" in encoded[::9].translate(DIGITS_AS_0) and LONG in encoded.translate(DIGITS_AS_0)


def _exactly(encoded: bytes, max_digits: int) -> JSON:
    value = decode(encoded.decode(), max_digits)
    if SURROGATE.search(encoded):
        encode(value).encode()
    return value


def _in_words(error: orjson.JSONDecodeError) -> ValueError:
    """orjson does not say how deep is too deep, nor what an unexpected character begins."""
    if error.msg.startswith(TOO_DEEP):
        return NotJSON(f"it is nested more than {MAX_DEPTH} deep")
    constant = CONSTANT.match(error.doc, error.pos)
    if constant is None:
        return error
    return NotJSON(
        f"{constant[0]} is not a number of JSON: line {error.lineno} column {error.colno}"
    )


def _check_depth(value: JSON) -> None:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        # Too deep for orjson, which looks ten times as fast, or there is a long integer.
        check_depth(value)
