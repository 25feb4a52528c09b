"""A process that reads pipeline files, started before the event loop that needs it."""

from pathlib import Path

import pytest
from pipeline_files import ids, put, reading_processes
from runcast.core.pipelines.library import PipelineLibrary
from runcast.core.pipelines.reader import FileReader, StartedProcess
from virtual_clock import VirtualClock


async def test_the_first_process_is_the_one_that_was_started_early(
    tmp_path: Path, clock: VirtualClock
) -> None:
    """No second one is started for the first files."""
    put(tmp_path, "a.yaml", "a")
    with FileReader.started_early() as reader:
        (early,) = reading_processes()
        async with PipelineLibrary(tmp_path, clock, reader=reader) as library:
            assert ids(library) == ["a"]
            assert reading_processes() == [early]
    assert reading_processes() == []


def test_a_process_that_nobody_has_needed_ends() -> None:
    """A server that cannot start leaves nothing behind."""
    with FileReader.started_early():
        assert len(reading_processes()) == 1
    assert reading_processes() == []


@pytest.mark.parametrize("reads", [False, True], ids=["before READY is read", "afterwards"])
def test_a_process_whose_server_has_gone_ends_without_a_word(
    reads: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whether or not the server has read what it was sent."""
    started = StartedProcess.start()
    if reads:
        started.connection.recv(64)
    started.connection.close()
    started.process.wait(timeout=30)
    assert capfd.readouterr().err == ""
