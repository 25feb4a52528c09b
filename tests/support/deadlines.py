"""Waiting for a fact about another process, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def eventually(fact: Callable[[], Value], seconds: float = 30.0) -> Value:
    """What `fact` gives as soon as that is true; an AssertionError if it is not in time."""
    deadline = time.monotonic() + seconds
    while not (value := fact()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(0.02)
    return value
