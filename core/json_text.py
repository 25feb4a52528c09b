"""JSON text, read and written exactly with the standard library alone: a worker has nothing else.

Exactly means: integers of up to MAX_DIGITS digits, the order of keys, -0.0 and 1.0 as they are.
"""

import math
import os
from json import JSONDecoder, JSONEncoder
from typing import Any, NoReturn, TypeAlias

# Recursive aliases confuse the readers of JSON more than they help them: any JSON value.
JSON: TypeAlias = object

MAX_DIGITS = 100_000
"""In one integer: to read or to write that many takes about 25 ms."""
MAX_DEPTH = 254
"""Lists and objects within each other: as deep as orjson writes them."""
VALUE_DEPTH = 200
"""In the value of a stage: what is made around it is not too deep either."""

PLAIN_DIGITS = 640
"""Python itself reads and writes so many, whatever its own limit is set to.

https://docs.python.org/3/library/stdtypes.html#integer-string-conversion-length-limitation
"""
PLAIN_BITS = 2048
"""An integer of so many bits has fewer digits than that."""
MAX_BITS = math.ceil(MAX_DIGITS * math.log2(10))

DIGITS_AS_0 = bytes(ord("0" if chr(byte) in "0123456789" else " ") for byte in range(256))
"""For `bytes.translate`, after which a run of digits is found ten times as fast as by a pattern."""


class NotJSON(ValueError):
    """JSON cannot represent a value, or a text holds a number that cannot be read exactly."""


def decode(text: str, max_digits: int = MAX_DIGITS) -> JSON:
    """The value of a JSON text; half a surrogate pair may be in it, as an escape.

    Raises:
        ValueError: it is no JSON; NotJSON if its numbers or its depth are the reason.
    """

    def read_integer(digits: str) -> int:
        _check_length(len(digits.removeprefix("-")), max_digits)
        return _integer(digits)

    plain = min(max_digits, PLAIN_DIGITS)
    long = b"0" * (plain + 1) in text.encode("utf-8", "surrogatepass").translate(DIGITS_AS_0)
    decoder = JSONDecoder(
        parse_float=_finite,
        # None leaves them to the library, which is much faster than a call for each of them.
        parse_int=read_integer if long else None,
        parse_constant=_refuse_constant,
    )
    try:
        return decoder.decode(text)
    except RecursionError:
        raise _too_deep(MAX_DEPTH) from None


def encode(value: JSON, indent: int | None = None) -> str:
    """A value as JSON text; half a surrogate pair is in it as it is.

    Raises:
        NotJSON: JSON cannot represent it, or an integer has more than MAX_DIGITS digits.
    """
    encoder = JSONEncoder(
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        separators=(",", ":") if indent is None else (",", ": "),
    )
    try:
        return _encoded(value, encoder)
    except RecursionError:
        raise _too_deep(MAX_DEPTH) from None
    except (TypeError, ValueError) as error:
        raise NotJSON(str(error)) from None


def check_depth(value: JSON, limit: int = MAX_DEPTH) -> None:
    """
    Raises:
        NotJSON: more than `limit` lists and objects are within each other.
    """
    level: list[Any] = [value]
    for _ in range(limit + 1):
        level = [each for each in level if type(each) is dict or type(each) is list]
        if not level:
            return
        level = [
            each for outer in level for each in (outer.values() if type(outer) is dict else outer)
        ]
    raise _too_deep(limit)


def _encoded(value: JSON, encoder: JSONEncoder) -> str:
    try:
        return encoder.encode(value)
    except ValueError:
        long: list[int] = []
        mark = os.urandom(16).hex()
        marked = _marked(value, mark, long)
        if not long:
            raise
    first, *rest = encoder.encode(marked).split(f'"{mark}"')
    return first + "".join(
        _digits(number) + piece for number, piece in zip(long, rest, strict=True)
    )


def _marked(value: JSON, mark: str, long: list[int]) -> JSON:
    """The value with a mark in place of each integer that Python may refuse to write."""
    match value:
        case int() if value.bit_length() > PLAIN_BITS:
            long.append(value)
            return mark
        case dict():
            return {key: _marked(each, mark, long) for key, each in value.items()}
        case list() | tuple():
            return [_marked(each, mark, long) for each in value]
    return value


def _integer(digits: str) -> int:
    """As `int`, which takes quadratic time for many digits, and refuses them."""
    if len(digits) <= PLAIN_DIGITS:
        return int(digits)
    if digits[0] == "-":
        return -_integer(digits[1:])
    low = len(digits) // 2
    power: int = 10**low
    return _integer(digits[:-low]) * power + _integer(digits[-low:])


def _digits(number: int) -> str:
    """As `str`, which takes quadratic time for many digits, and refuses them."""
    bits = number.bit_length()
    if bits > MAX_BITS:
        _check_length(int(bits / math.log2(10)), MAX_DIGITS)
    digits = _DecimalNumbers().text(abs(number))
    _check_length(len(digits), MAX_DIGITS)
    return f"-{digits}" if number < 0 else digits


class _DecimalNumbers:
    """Integers in base 10, made of halves: multiplication is fast there."""

    def __init__(self) -> None:
        # Imported here: hardly any value needs it, and a worker is to begin with few modules.
        import decimal

        self._small = decimal.Decimal
        self._exact = decimal.Context(
            prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN
        )
        self._powers: dict[int, Any] = {}

    def text(self, number: int) -> str:
        """The digits of a number that is not negative."""
        return str(self._converted(number, number.bit_length()))

    def _converted(self, number: int, bits: int) -> Any:
        if bits <= PLAIN_BITS:
            return self._small(number)
        low = bits // 2
        high = number >> low
        rest = self._converted(number - (high << low), low)
        return self._exact.fma(self._converted(high, bits - low), self._power_of_two(low), rest)

    def _power_of_two(self, bits: int) -> Any:
        if bits <= PLAIN_BITS:
            return self._small(1 << bits)
        if bits not in self._powers:
            low, high = self._power_of_two(bits // 2), self._power_of_two(bits - bits // 2)
            self._powers[bits] = self._exact.multiply(low, high)
        return self._powers[bits]


def _check_length(length: int, limit: int) -> None:
    if length > limit:
        raise NotJSON(f"an integer has {length} digits, and {limit} is the limit")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotJSON("a number is too large to be read")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise NotJSON(f"{name} is not a number of JSON")


def _too_deep(limit: int) -> NotJSON:
    return NotJSON(f"it is nested more than {limit} deep")
