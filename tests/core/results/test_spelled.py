"""What is said of an execution is made where it holds up nobody."""

import threading
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runcast.core.encoded_text import EncodedText
from runcast.core.execution.log import LogStream
from runcast.core.execution.model import Execution
from runcast.core.execution.stage_log import StageLog
from runcast.core.results.files import ExecutionFiles
from samples import an_execution

LARGE: dict[str, Any] = {
    "many lists": [[] for _ in range(2000)],
    "lists in lists": [[[[number]] for number in range(40)] for _ in range(40)],
    "many keys": {str(number): number for number in range(2000)},
    "a long text": "x" * 100_000,
    "long texts": ["x" * 50_000, "y" * 60_000],
}
SMALL: dict[str, Any] = {
    "nothing": None,
    "a number": 10**30,
    "a text": "x" * 1000,
    "a list": [1, [2, {"a": "b" * 100}]],
}


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[ExecutionFiles]:
    async with ExecutionFiles(tmp_path, log_max=1 << 20) as files:
        yield files


def with_value(value: object) -> Execution:
    execution = an_execution()
    first, *rest = execution.stages
    return replace(execution, stages=(replace(first, value=value), *rest))


async def thread_of(files: ExecutionFiles, execution: Execution) -> int:
    return await files.spelled(execution, 100, lambda _: threading.get_ident())


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
async def test_what_is_large_is_spelled_in_a_thread(files: ExecutionFiles, value: object) -> None:
    """Others are served meanwhile."""
    assert await thread_of(files, with_value(value)) != threading.get_ident()


@pytest.mark.parametrize("value", SMALL.values(), ids=SMALL)
async def test_what_is_small_is_spelled_at_once(files: ExecutionFiles, value: object) -> None:
    """To hand it to a thread would take longer."""
    assert await thread_of(files, with_value(value)) == threading.get_ident()


async def test_what_is_in_a_file_is_read_in_a_thread(files: ExecutionFiles) -> None:
    """A log, as much of it as is asked for."""
    with closing(files.open_log("exec_1", "one", 1)) as log:
        log.append(LogStream.STDOUT, EncodedText.of("é" * 500), 1)
    execution = an_execution("exec_1")
    first, *rest = execution.stages
    said = replace(first, id="one", attempt=1, log=StageLog(500, 500))
    execution = replace(execution, stages=(said, *rest))
    found = await files.spelled(
        execution, 100, lambda shown: (threading.get_ident(), shown.stages[0].log.head)
    )
    assert found[0] != threading.get_ident()
    assert found[1] == "é" * 100
