"""What the python stages of the runners' tests call."""

import asyncio
import ctypes
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def pid(input: object) -> int:
    return os.getpid()


def shouts(text: str) -> str:
    return text.upper()


async def shouts_async(text: str) -> str:
    return text.upper()


def facts(input: object, context: Any) -> dict[str, object]:
    names = ("execution_id", "stage_id", "attempt", "pipeline_input", "outputs", "cancelled")
    context.emit("begun\n")
    context.progress(0.5, "half")
    return {"input": input} | {name: getattr(context, name) for name in names}


async def facts_async(input: object, context: Any) -> dict[str, object]:
    return facts(input, context)


def shortens(text: str, limit: int = 3) -> str:
    return text[:limit]


def prints(text: str) -> None:
    print("print", text)
    sys.stdout.write("write\n")


def prints_a_lot(megabytes: int) -> str:
    sys.stdout.write("x" * (megabytes << 20))
    return "done"


def floods(input: object) -> NoReturn:
    while True:
        print("y" * 1000)


def burns(seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pass
    return "burnt"


def sleeps(folder: str, context: Any) -> None:
    try:
        context.emit(f"{os.getpid()}\n")
        time.sleep(600)
    finally:
        Path(folder, "cleaned").write_text(str(context.cancelled))


def sleeps_on(input: object, context: Any) -> None:
    context.emit(f"{os.getpid()}\n")
    while True:
        try:
            time.sleep(600)
        except BaseException:
            context.emit("no\n")


def starts_a_child(input: object, context: Any) -> None:
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; echo up; sleep 600"], stdout=-1)
    assert child.stdout
    child.stdout.readline()
    context.emit(f"{os.getpid()}\n")
    time.sleep(600)


def leaves_a_child(input: object) -> int:
    return subprocess.Popen(["sleep", "600"]).pid


def leaves_a_thread(input: object) -> int:
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return os.getpid()


def exits(status: int) -> NoReturn:
    os.write(2, b"the last words")
    os._exit(status)


def exits_with_a_fork(input: object) -> NoReturn:
    if os.fork() == 0:
        time.sleep(600)
    os._exit(3)


def segfaults(input: object) -> None:
    ctypes.string_at(0)


def breaks(name: str) -> NoReturn:
    raise _error(name)


async def breaks_async(name: str) -> NoReturn:
    raise _error(name)


def _error(name: str) -> BaseException:
    if name == "Unspeakable":
        return Unspeakable()
    return {
        "ValueError": ValueError("bad \ud800 value"),
        "SystemExit": SystemExit(3),
        "KeyboardInterrupt": KeyboardInterrupt(),
        "GeneratorExit": GeneratorExit(),
        "huge": ValueError("x" * 50_000_000),
    }[name]


def emits(kind: str, context: Any) -> str:
    context.emit({"surrogate": "a\ud800b", "number": 5, "much": "x" * 70_000_000}[kind])
    return "done"


def returns(kind: str) -> object:
    return _value(kind)


async def returns_async(kind: str) -> object:
    return _value(kind)


def _value(kind: str) -> object:
    deep: list[object] = []
    for _ in range(400):
        deep = [deep]
    return {
        "object": object(),
        "nan": float("nan"),
        "infinity": [float("inf")],
        "surrogate": "\ud800",
        "deep": deep,
        "integer": 10**100_000,
        "much": "x" * 40_000_000,
        "keys": {(1, 2): 3},
        "fine": {"text": "é", "list": [1, 2.5, None, True]},
    }[kind]


def returns_much_and_leaves(size: int, context: Any) -> str:
    """Returns once it is told to stop."""
    context.emit("begun")
    try:
        time.sleep(600)
    except BaseException:
        return "x" * size
    return ""


async def returns_much_later(size: int, context: Any) -> str:
    """Returns once it is told to stop."""
    context.emit("begun")
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        return "x" * size
    return ""


async def waits(input: object, context: Any) -> None:
    context.emit("begun")
    try:
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0.6)
        context.emit(f", cleaned {context.cancelled}")


async def swallows(input: object, context: Any) -> str:
    context.emit("begun")
    for _ in range(3):
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            context.emit(", no")
    return "done"


async def cancels_itself(input: object) -> NoReturn:
    raise asyncio.CancelledError


not_callable = 5
