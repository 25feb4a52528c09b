"""What a function returns or raises, in a form that can be sent and stored."""

import traceback
from collections.abc import Iterable
from json import JSONDecoder, JSONEncoder

MAX_VALUE_BYTES = 4 << 20
MAX_DEPTH = 200
MAX_MESSAGE_CHARACTERS = 10_000
MAX_TRACEBACK_CHARACTERS = 50_000


class NotJSON(ValueError):
    """A function has returned something that JSON cannot represent."""


def encoded_value(value: object) -> bytes:
    """A function's value as JSON that every reader of JSON accepts.

    Raises:
        NotJSON: it is not JSON (NaN is not, nor is half a surrogate pair), too large, nested more
            than MAX_DEPTH deep, or has an integer of more than 64 bits in it.
    """
    try:
        text = _ENCODER.encode(value)
        encoded = text.encode()
        fits = len(encoded) <= MAX_VALUE_BYTES
        if fits:
            check_depth(_DECODER.decode(text))
    except (TypeError, ValueError, RecursionError) as error:
        raise NotJSON(
            f"the function returned a {type(value).__name__}, which is not JSON: {error}"
        ) from None
    if not fits:
        raise NotJSON(
            f"the function returned {len(encoded)} bytes, and {MAX_VALUE_BYTES} is the limit"
        )
    return encoded


def _integer(digits: str) -> int:
    number = int(digits)
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError("an integer has more than 64 bits")
    return number


_ENCODER = JSONEncoder(ensure_ascii=False, allow_nan=False)
_DECODER = JSONDecoder(parse_int=_integer)


def check_depth(value: object) -> None:
    """Raises: ValueError, if the value is nested more deeply than JSON can be written again."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _members(outer)]
    if any(isinstance(each, (dict, list)) for each in level):
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def described(error: BaseException) -> dict[str, str]:
    """The name, message and traceback of an exception, even if asking it for them fails."""
    try:
        message = str(error) or type(error).__name__
    except BaseException:
        message = f"{type(error).__name__}, which cannot say what it is"
    try:
        trace = "".join(traceback.format_exception(error))
    except BaseException:
        trace = "".join(traceback.format_tb(error.__traceback__))
    return {
        "name": type(error).__name__,
        "message": encodable(message[:MAX_MESSAGE_CHARACTERS]),
        "traceback": encodable(trace[-MAX_TRACEBACK_CHARACTERS:]),
    }


def encodable(text: str) -> str:
    """Half a surrogate pair, which UTF-8 cannot represent, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
