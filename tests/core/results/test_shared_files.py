"""Logs and values in a folder that several processes share."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from patience import until
from runcast.core.encoded_text import EncodedText
from runcast.core.execution.log import LogStream
from runcast.core.execution.stored import StoredValue
from runcast.core.results.files import SHARED_INLINE_BYTES, ExecutionFiles


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[list[ExecutionFiles]]:
    """Two, each with a data folder of its own."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                ExecutionFiles(
                    tmp_path / name, log_max=1 << 20, shared=tmp_path / "shared", has_history=False
                )
            )
            for name in ("one", "two")
        ]


def a_value(files: ExecutionFiles, size: int) -> bytes | StoredValue:
    return files.spool("exec_1", "stage", 1, limit=1 << 20).store(b"x" * size)


async def test_what_one_writes_the_other_reads(processes: list[ExecutionFiles]) -> None:
    """The log while it is written, and values."""
    writer, reader = processes
    log = writer.open_log("exec_1", "stage", 1)
    log.append(LogStream.STDOUT, EncodedText.of("a line\n"), 1)
    assert (await reader.log("exec_1", "stage", 1, 0, 100)).pieces[0].text == "a line\n"
    value = a_value(writer, 100_000)
    assert isinstance(value, StoredValue)
    assert await reader.content(value) == b"x" * 100_000
    log.close()


async def test_values_are_in_files_sooner(processes: list[ExecutionFiles]) -> None:
    """All of an execution's together are sent with each of its steps."""
    files, _ = processes
    assert isinstance(a_value(files, SHARED_INLINE_BYTES), bytes)
    assert isinstance(a_value(files, SHARED_INLINE_BYTES + 1), StoredValue)


async def test_everything_goes_when_the_execution_leaves_the_lists(
    processes: list[ExecutionFiles], tmp_path: Path
) -> None:
    """Whichever process notices it first."""
    writer, other = processes
    writer.open_log("exec_1", "stage", 1).close()
    a_value(writer, 100_000)
    assert other.remains.owners() == {"exec_1"}
    for files in processes:
        files.departed("exec_1")
    await until(lambda: not other.remains.owners())


async def test_a_process_that_begins_leaves_alone_what_others_make(tmp_path: Path) -> None:
    """A value that a stage is writing there, and the folder that it works in."""
    shared = tmp_path / "shared"
    async with ExecutionFiles(tmp_path / "one", log_max=1 << 20, shared=shared) as one:
        file = one.new_file()
        file.write_bytes(b"half of it")
        one.workdir("exec_1").mkdir(parents=True)
        async with ExecutionFiles(tmp_path / "two", log_max=1 << 20, shared=shared) as two:
            assert file.exists() and one.workdir("exec_1").exists()
            assert two.new_file().parent != file.parent
        assert file.exists()
    assert not file.exists()
