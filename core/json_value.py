"""A value of JSON, and its text."""

from typing import TypeAlias

import orjson

# Recursive aliases confuse the readers of JSON more than they help them: any JSON value.
JSON: TypeAlias = object


def dumps(value: JSON) -> bytes:
    """A value as JSON, without white space."""
    return orjson.dumps(value)


def as_text(value: JSON) -> str:
    """Text as it is, everything else as JSON with an indent of 2."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
