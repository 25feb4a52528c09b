"""How the files of a library are read: in processes of their own, with deadlines."""

import asyncio
import os
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from patience import until
from pipeline_files import BIG_STAGES, blocking, ids, messages, put, reading_processes
from runcast.core.pipelines import library as library_module, loader, reader
from runcast.core.pipelines.library import PipelineLibrary
from virtual_clock import VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")


@pytest.mark.usefixtures("impatient")
async def test_a_file_that_blocks_holds_up_nobody(
    tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to it neither: both are problems after their deadline, and the others are there."""
    monkeypatch.setattr(reader, "OPEN_SECONDS", 4.0)
    blocked = put(tmp_path, "a.yaml", "a")
    (tmp_path / "link.yaml").symlink_to(blocked)
    for name in ("b", "z"):
        put(tmp_path, f"{name}.yaml", name)
    with blocking(blocked):
        async with PipelineLibrary(tmp_path, clock) as library:
            await until(lambda: ids(library) == ["b", "z"])
            assert library.ready
            assert library.problems() == ()
            await library.settled()
            assert messages(library) == [
                "a.yaml: it could not be read within 4 s",
                "link.yaml: it could not be read within 4 s",
            ]
            await until(lambda: len(reading_processes()) <= 1)
            put(tmp_path, "b.yaml", "changed")
            await library.settled()
            assert ids(library) == ["changed", "z"]
    assert reading_processes() == []


@pytest.mark.usefixtures("impatient")
async def test_a_file_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it has been read, and not twice at a time."""
    monkeypatch.setattr(reader, "OPEN_SECONDS", 30.0)
    path = put(tmp_path, "a.yaml", "a")
    async with PipelineLibrary(tmp_path) as library:
        with blocking(path) as opened:
            os.utime(path)
            settling = [asyncio.create_task(library.settled())]
            await until(opened)
            looked = library_module.RESCAN_SECONDS + loader.SLOW_SECONDS
            for number in range(2):
                os.utime(path, (number, number))
                settling.append(asyncio.create_task(library.settled()))
                await asyncio.sleep(looked)
            assert len(reading_processes()) == 1
            put(tmp_path, "new", "changed").replace(path)
        for each in settling:
            await each
        assert ids(library) == ["changed"]


@pytest.mark.usefixtures("impatient")
async def test_many_files_that_block_hold_up_nobody_for_long(
    tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four processes read at a time; of files that have blocked once, one is tried at a time."""
    monkeypatch.setattr(loader, "SLOW_SECONDS", 0.1)
    most = 0
    with ExitStack() as stack:
        for number in range(6):
            stack.enter_context(blocking(put(tmp_path, f"{number}.yaml", f"p{number}")))
        put(tmp_path, "z.yaml", "z")
        async with PipelineLibrary(tmp_path, clock) as library, asyncio.timeout(60):
            while len(library.problems()) < 6:
                most = max(most, len(reading_processes()))
                await asyncio.sleep(0.01)
            assert 2 <= most <= 4
            await library.settled()
            assert ids(library) == ["z"]
            await until(lambda: len(reading_processes()) <= 1)
            clock.advance(loader.RETRY_SECONDS)
            put(tmp_path, "z.yaml", "changed")
            settling = asyncio.create_task(library.settled())
            most = 0
            while not settling.done():
                most = max(most, len(reading_processes()))
                await asyncio.sleep(0.01)
            assert ids(library) == ["changed"]
            assert most <= 2
        assert reading_processes() == []


@pytest.mark.usefixtures("impatient")
async def test_a_file_that_has_blocked_is_tried_again_later(
    tmp_path: Path, clock: VirtualClock
) -> None:
    """It need not have changed for that."""
    blocked = put(tmp_path, "a.yaml", "a")
    async with PipelineLibrary(tmp_path, clock) as library:
        with blocking(blocked):
            put(tmp_path, "b.yaml", "b")
            os.utime(blocked)
            await library.settled()
            assert ids(library) == ["b"]
        clock.advance(loader.RETRY_SECONDS - 1)
        await library.settled()
        assert ids(library) == ["b"]
        clock.advance(1)
        await library.settled()
        assert ids(library) == ["a", "b"]
        assert library.problems() == ()


@pytest.mark.usefixtures("impatient")
async def test_a_parser_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here by a deadline that is shorter than a large file takes."""
    monkeypatch.setattr(reader, "PARSE_SECONDS", 0.2)
    put(tmp_path, "a.yaml", "a", stages=BIG_STAGES)
    put(tmp_path, "b.yaml", "b")
    async with PipelineLibrary(tmp_path) as library:
        await library.settled()
        assert ids(library) == ["b"]
        assert messages(library) == ["a.yaml: it could not be read within 0.2 s"]


async def test_a_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    """The file that it was reading is read by another one."""
    blocked = put(tmp_path, "b.yaml", "b")
    put(tmp_path, "a.yaml", "a")
    async with PipelineLibrary(tmp_path) as library:
        [idle] = reading_processes()
        with blocking(blocked) as opened:
            put(tmp_path, "c.yaml", "c")
            os.utime(blocked)
            settling = asyncio.create_task(library.settled())
            await until(opened)
            idle.kill()
            await until(lambda: {process.pid for process in reading_processes()} - {idle.pid})
        await settling
        assert ids(library) == ["a", "b", "c"]
        assert library.problems() == ()


DYING = """\
import os, sys
sys.path[:] = sys.argv[1:]
from runcast.core.pipelines import reading
read = reading.read
reading.read = lambda path: os._exit(1) if path.name == "a.yaml" else read(path)
reading.main()
"""


async def test_a_file_over_which_each_process_ends_is_a_problem(
    tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not tried for ever, but again after a while, and the others are there."""
    for name in ("a", "b"):
        put(tmp_path, f"{name}.yaml", name)
    with monkeypatch.context() as dying:
        dying.setattr(reader, "SCRIPT", DYING)
        library = PipelineLibrary(tmp_path, clock)
        await library.__aenter__()
    try:
        assert ids(library) == ["b"]
        assert messages(library) == ["a.yaml: the process that reads it ends each time"]
        clock.advance(loader.RETRY_SECONDS)
        # The process of before ends once more, and the one that takes its place does not.
        await library.settled()
        assert ids(library) == ["a", "b"]
    finally:
        await library.__aexit__(None, None, None)


NOISY = """\
import sys
sys.path[:] = sys.argv[1:]
from runcast.core.pipelines import reading
parse = reading.parse
reading.parse = lambda path, content: print("noise") or parse(path, content)
reading.main()
"""


async def test_what_a_library_prints_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even between two answers."""
    monkeypatch.setattr(reader, "SCRIPT", NOISY)
    for name in ("a", "b"):
        put(tmp_path, f"{name}.yaml", name)
    async with PipelineLibrary(tmp_path) as library:
        assert ids(library) == ["a", "b"]


@pytest.mark.parametrize("executable", ["/nowhere", "/bin/false", "/bin/echo"])
async def test_without_a_process_what_is_known_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    """When none can be started, that is a problem of the folder, and over as soon as one can."""
    monkeypatch.setattr(reader, "IDLE_SECONDS", 0.0)
    put(tmp_path, "a.yaml", "a")
    async with PipelineLibrary(tmp_path) as library:
        with monkeypatch.context() as broken:
            broken.setattr("sys.executable", executable)
            put(tmp_path, "a.yaml", "b")
            for _ in range(2):
                await library.settled()
                assert ids(library) == ["a"]
                [problem] = library.problems()
                assert problem.path == tmp_path
                assert "process" in problem.message
        await library.settled()
        assert ids(library) == ["b"]
        assert library.problems() == ()


async def test_it_closes_while_a_file_blocks(tmp_path: Path) -> None:
    """At once, no process is left, and nobody who waits for it waits for ever."""
    blocked = put(tmp_path, "a.yaml", "a")
    async with PipelineLibrary(tmp_path) as library:
        with blocking(blocked) as opened:
            os.utime(blocked)
            settling = asyncio.create_task(library.settled())
            await until(opened)
            await _closed_soon(library)
            await settling


async def test_it_closes_while_a_file_is_parsed(tmp_path: Path) -> None:
    """As soon; also if that is while it is being entered."""
    put(tmp_path, "a.yaml", "a", stages=BIG_STAGES)
    library = PipelineLibrary(tmp_path)
    entering = asyncio.create_task(library.__aenter__())
    await until(lambda: any(map(_works, reading_processes())))
    entering.cancel()
    begun = asyncio.get_running_loop().time()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert asyncio.get_running_loop().time() - begun < 1
    assert reading_processes() == []


async def _closed_soon(library: PipelineLibrary) -> None:
    begun = asyncio.get_running_loop().time()
    await library.__aexit__(None, None, None)
    assert asyncio.get_running_loop().time() - begun < 1
    assert reading_processes() == []


def _works(process: psutil.Process) -> bool:
    """Whether it has worked for longer than it takes to start and to be ready."""
    return process.cpu_times().user > 0.6
