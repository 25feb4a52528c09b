"""Functions that return what is hard to pass on, by its name."""

import time
from typing import Any


def _nested(depth: int) -> object:
    value: object = "core"
    for _ in range(depth):
        value = [value]
    return value


def _returned(name: str) -> object:
    match name:
        case "object":
            return {"a": object()}
        case "nan":
            return [float("nan")]
        case "infinity":
            return {"a": float("-inf")}
        case "nan beside 5000 digits":
            return [10**5000, float("nan")]
        case "surrogate":
            return "half a pair: \ud800"
        case "64 bits":
            return [2**64 - 1, -(2**63)]
        case "70 bits":
            return 2**70
        case "400 digits":
            return 10**400
        case "5000 digits":
            return -(10**5000)
        case "100000 digits":
            return 10**99_999
        case "100001 digits":
            return 10**100_000
        case "a billion bits":
            return 1 << 1_000_000_000
        case "floats":
            return [-0.0, 1.0, 1, 5e-324]
        case "keys":
            return {"b": 1, "a": {"z": 2**64, "y": 0}, "": -0.0}
        case "100 MB":
            return "x" * 100_000_000
        case "nested 100":
            return _nested(100)
        case "nested 201":
            return _nested(201)
        case "nested 300":
            return _nested(300)
        case "nested 100000":
            return _nested(100_000)
        case "itself":
            cycle: list[object] = []
            cycle.append(cycle)
            return cycle
        case _:
            return time


def at_once(name: str) -> object:
    return _returned(name)


async def later(name: str) -> object:
    return _returned(name)


def given_at_once(input: object, context: Any) -> object:
    return [input, dict(context.outputs)]


async def given_later(input: object, context: Any) -> object:
    return [input, dict(context.outputs)]
