"""What the stages of the test pipelines do."""

import asyncio
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)


async def shouts(text: str) -> str:
    return text.upper()


def measures(text: str) -> dict[str, object]:
    return {"text": text, "characters": len(text)}


async def waits(text: str, context: Any) -> None:
    context.emit("begun\n")
    await asyncio.sleep(600)


def blocks(text: str, context: Any) -> None:
    context.emit("begun\n")
    time.sleep(600)


async def breaks(text: str) -> None:
    raise ValueError(f"cannot make sense of {text}")


async def talks(text: str, context: Any) -> str:
    for number in range(int(text)):
        context.emit(f"line {number}\n")
        await asyncio.sleep(0.002)
    return f"{text} lines"


async def talks_on(text: str, context: Any) -> str:
    number = 0
    while not Path(text).exists():  # noqa: ASYNC240
        context.emit(f"line {number}\n")
        await asyncio.sleep(0.002)
        number += 1
    return f"{number} lines"


async def passes(text: str, context: Any) -> str:
    context.emit("begun\n")
    await gates[text.upper()].wait()
    return text


async def opens(text: str) -> str:
    gates[text.upper()].set()
    return text


async def goes_far(text: str, context: Any) -> str:
    """Says how far it is, and waits until it is let go on each time."""
    for number, done in enumerate((0.25, -1, 7, 0.5)):
        context.progress(done, "so far")
        await gates[f"{text.upper()} {number}"].wait()
    return "done"
