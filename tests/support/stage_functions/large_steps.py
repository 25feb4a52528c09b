"""Functions that make and measure large values."""

import hashlib
from collections.abc import Mapping
from typing import Any


def text_of(size: int) -> str:
    """So many bytes of UTF-8, no two parts of which are alike; no white space at its end."""
    whole = max(0, size - 1) // 10
    text = "".join(f"{number:06x} é\n" for number in range(whole))
    return text + "x" * (size - len(text.encode()))


def makes(size: int) -> str:
    return text_of(size)


async def makes_async(size: int) -> str:
    return text_of(size)


def makes_of_text(size: str) -> str:
    return text_of(int(size))


async def makes_of_text_async(size: str) -> str:
    return text_of(int(size))


def makes_list_of_text(size: str) -> list[str]:
    """Four bytes of JSON more."""
    return ["x" * int(size)]


async def makes_list_of_text_async(size: str) -> list[str]:
    return makes_list_of_text(size)


def makes_json_of_text(size: str) -> dict[str, Any]:
    return makes_json(int(size))


async def makes_json_of_text_async(size: str) -> dict[str, Any]:
    return makes_json(int(size))


def makes_json(size: int) -> dict[str, Any]:
    """An object whose text has that size."""
    return {"text": text_of(size), "end": True}


async def makes_json_async(size: int) -> dict[str, Any]:
    return makes_json(size)


def measures(value: Any) -> dict[str, Any]:
    """What a function is given."""
    text = value if isinstance(value, str) else value["text"]
    kind = type(value).__name__
    return {"md5": hashlib.md5(text.encode()).hexdigest(), "size": len(text.encode()), "is": kind}


async def measures_async(value: Any) -> dict[str, Any]:
    return measures(value)


def measures_outputs(value: object, context: Any) -> dict[str, Any]:
    """What an earlier stage, called `big`, has handed over."""
    return measures(_big(context.outputs))


async def measures_outputs_async(value: object, context: Any) -> dict[str, Any]:
    return measures(_big(context.outputs))


def _big(outputs: Mapping[str, Any]) -> Any:
    assert "big" in outputs and next(iter(outputs)) == "big" and len(outputs) >= 1
    return outputs["big"]


def measures_the_start(value: object, context: Any) -> dict[str, Any]:
    """What the execution was started with."""
    return measures(context.pipeline_input)


def writes(words: str, context: Any) -> str:
    """Into data.txt in the execution's folder; which folder that is."""
    (context.workdir / "data.txt").write_text(words)
    return str(context.workdir)


async def reads(value: object, context: Any) -> str:
    return (context.workdir / "data.txt").read_text()
