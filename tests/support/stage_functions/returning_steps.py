"""Functions that return what is hard to pass on, by its name."""

import time


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
        case "surrogate":
            return "half a pair: \ud800"
        case "64 bits":
            return [2**64 - 1, -(2**63)]
        case "70 bits":
            return 2**70
        case "400 digits":
            return 10**400
        case "5000 digits":
            return 10**5000
        case "100 MB":
            return "x" * 100_000_000
        case "nested 100":
            return _nested(100)
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
