#!/usr/bin/env python3
"""How long exact JSON takes, in times of what orjson takes alone: to read it and to write it.

python benchmarks/json_values.py
"""

import json
from collections.abc import Callable
from time import perf_counter

import orjson
from runcast.core.json_value import dumps, loads

RECORD = {
    "id": "exec_1",
    "status": "running",
    "items": [1, 2, 3],
    "text": "hello " * 5,
    "cost": 0.1,
}
VALUES = {
    "a small object": {"rows": 7},
    "a record": RECORD,
    "1 MB of records": [RECORD] * 8000,
    "1 MB of integers": list(range(150_000)),
    "1 MB of rows": [[1, 2.5, 3, 4, 5, 6, 7, 8, 9, 10]] * 45_000,
    "1 MB of text": "what a stage has put out\n" * 40_000,
    "1 MB, one integer of 70 bits": [*[RECORD] * 8000, 2**70],
}


def main() -> None:
    print(f"{'':30}{'reading':>10}{'(stdlib)':>10}{'writing':>10}{'(stdlib)':>10}")
    for name, value in VALUES.items():
        text = json.dumps(value, separators=(",", ":")).encode()
        read = [best(load, text) for load in (orjson.loads, loads, json.loads)]
        # orjson cannot write integers beyond 64 bits: there the others are compared with reading.
        alone = read[0] if "bits" in name else best(orjson.dumps, value)
        write = [alone, best(dumps, value), best(json.dumps, value)]
        ratios = [times / of[0] for of in (read, write) for times in of[1:]]
        print(f"{name:30}" + "".join(f"{ratio:9.1f}x" for ratio in ratios))


def best(act: Callable[[object], object], value: object, seconds: float = 1.0) -> float:
    """The shortest of many times that it took, in seconds."""
    shortest, until = float("inf"), perf_counter() + seconds
    while (began := perf_counter()) < until:
        act(value)
        shortest = min(shortest, perf_counter() - began)
    return shortest


if __name__ == "__main__":
    main()
