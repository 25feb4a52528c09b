"""Sync functions for python stages: they block, compute, print and start processes."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def takes_one(text: str) -> dict[str, object]:
    return {"input": text, "pid": os.getpid()}


def takes_two(text: str, context: Any) -> list[object]:
    context.emit("it begins\n")
    context.progress(0.5, "half of it")
    return [text, context.pipeline_input, context.outputs, context.stage_id, context.attempt]


def prints(name: str) -> None:
    long = {"half a pair": "half a pair: \ud800", "70 MB": "x" * 70_000_000}
    print(long.get(name, name))


def prints_and_waits(path: str) -> None:
    """Prints, and waits until the file is there."""
    print("first")
    while not Path(path).exists():
        time.sleep(0.01)
    print("second")


def emits_a_number(text: str, context: Any) -> None:
    context.emit(5)


def meets(given: dict[str, str]) -> int:
    """Shows that it is here and waits for the other one to come; gives its process id."""
    Path(given["mine"]).touch()
    while not Path(given["theirs"]).exists():
        time.sleep(0.01)
    return os.getpid()


def sleeps(text: str, context: Any) -> None:
    context.emit(f"{os.getpid()}\n")
    time.sleep(600)


def sleeps_and_cleans_up(path: str, context: Any) -> None:
    """Its clean-up prints more than a pipe holds."""
    try:
        context.emit("begun")
        time.sleep(600)
    finally:
        print("x" * 2_000_000)
        Path(path).write_text(f"cancelled: {context.cancelled}")


def ignores_the_stop(text: str, context: Any) -> None:
    while True:
        try:
            context.emit(f"{os.getpid()}\n")
            time.sleep(600)
        except BaseException as error:
            context.emit(f"ignored {type(error).__name__}\n")


def starts_a_child(text: str, context: Any) -> None:
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 600"], stdout=subprocess.DEVNULL)
    context.emit(f"{os.getpid()} {child.pid}\n")
    child.wait()


def burns(seconds: float) -> int:
    """Computes, and holds the interpreter's lock nearly all of the time."""
    number, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        number += sum(range(10_000))
    return number


def exits(text: str) -> None:
    print("last words", file=sys.stderr, flush=True)
    os._exit(3)


def exits_and_leaves_a_child(text: str) -> None:
    """The child has what the worker has open, also its connection to the server."""
    if os.fork() == 0:
        time.sleep(600)
    os._exit(3)


def crashes(text: str) -> None:
    import ctypes

    ctypes.string_at(0)
