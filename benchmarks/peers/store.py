"""The executions that the peer in Python serves: from the file EXECUTIONS, changed by stdin."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Store:
    """What is listed is sorted at each request, as plain servers do it."""

    def __init__(self) -> None:
        content = json.loads(Path(os.environ["EXECUTIONS"]).read_text())
        self.executions: list[Row] = content["executions"]
        self._rows: list[Row] = content["rows"]

    def list_rows(self) -> list[Row]:
        """The list as REST has it."""
        return sorted(self._rows, key=lambda row: int(row["startTime"]), reverse=True)


async def follow_changes(
    progress: Callable[[str], None], output: Callable[[str, str], None]
) -> None:
    """Each line is `progress ID SHARE`, it has got so far, or `output ID TEXT`."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    async for line in lines:
        what, id, *text = line.decode().split()
        if what == "progress":
            progress(id)
        else:
            output(id, text[0] + "\n")
