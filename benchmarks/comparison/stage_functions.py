"""The stages of the executions on the server that is measured; they do as the benchmark says."""

import asyncio
from pathlib import Path
from typing import Any

WIRES: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}


async def nothing(text: str) -> str:
    return text


async def fail(text: str) -> None:
    raise ValueError("as it is meant to")


async def report(text: str, context: Any) -> str:
    """Gets as far as each line says that the benchmark sends to this execution."""
    async for line in await _wire(context.execution_id):
        context.progress(float(line))
    return text


async def talk(text: str, context: Any) -> str:
    """Says each line that the benchmark sends to this execution."""
    async for line in await _wire(context.execution_id):
        context.emit(line.decode())
    return text


async def _wire(id: str) -> asyncio.StreamReader:
    port = int(Path(__file__).with_name("port").read_text())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{id}\n".encode())
    WIRES[id] = reader, writer  # without a reference it would be closed
    return reader
