"""Many files and large ones: nobody feels that they are read."""

import asyncio
import pickle
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from loop_lag import LoopLag
from patience import until
from pipeline_files import BIG_STAGES, ids, put
from runcast.core.pipelines import folder_state, library as library_module, loader, reader
from runcast.core.pipelines.library import PipelineLibrary
from runcast.core.pipelines.reading import Reading

pytestmark = pytest.mark.usefixtures("leaves_no_task")

TOO_LONG = 0.9
"""All of what is read here takes longer than this, where it stops the event loop."""


def a_hundred(folder: Path) -> int:
    for number in range(100):
        put(folder, f"{number:03}.yaml", f"p{number}", stages=25)
    return 100


def one_large_one(folder: Path) -> int:
    put(folder, "large.yaml", "large", stages=BIG_STAGES)
    return 1


@pytest.mark.parametrize("write", [a_hundred, one_large_one])
async def test_nobody_waits_while_files_are_read(
    tmp_path: Path, write: Callable[[Path], int]
) -> None:
    """New ones, and then changed ones."""
    async with PipelineLibrary(tmp_path) as library:
        for _ in range(2):
            written = write(tmp_path)
            async with LoopLag() as lag:
                await library.settled()
            assert lag.worst < TOO_LONG
            assert lag.ticks > 50
            assert len(library.all()) == written


async def test_what_is_large_is_unpacked_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small ones are not: a thread would take longer."""
    threads = {}

    def loads(data: bytes) -> Reading:
        reading: Reading = pickle.loads(data)
        threads[reading.pipeline.id] = threading.current_thread()
        return reading

    monkeypatch.setattr(reader, "pickle", SimpleNamespace(loads=loads))
    put(tmp_path, "large.yaml", "large", stages=500)
    put(tmp_path, "small.yaml", "small")
    async with PipelineLibrary(tmp_path):
        assert threads["small"] is threading.main_thread()
        assert threads["large"] is not threading.main_thread()


@pytest.mark.parametrize(
    ("files", "changed"), [(800, 60), pytest.param(3000, 200, marks=pytest.mark.campaign)]
)
async def test_nobody_waits_for_some_of_many_files(
    tmp_path: Path, files: int, changed: int
) -> None:
    """They are there after a while, and those that have not changed are the very same."""
    for number in range(files):
        put(tmp_path, f"{number:04}.yaml", f"p{number}")
    async with AsyncExitStack() as stack:
        async with LoopLag() as first:
            library = await stack.enter_async_context(PipelineLibrary(tmp_path))
            await library.settled()
        before = library.all()
        for number in range(changed):
            put(tmp_path, f"{number:04}.yaml", f"p{number}", "Changed", stages=15)
        async with LoopLag() as lag:
            await library.settled()
    after = library.all()
    assert len(after) == files
    assert {pipeline.name for pipeline in after[:changed]} == {"Changed"}
    same = zip(after[changed:], before[changed:], strict=True)
    assert all(one is other for one, other in same)
    assert max(first.worst, lag.worst) < TOO_LONG


async def test_a_start_does_not_wait_for_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not ready then; the files come in batches, in the order of their names."""
    monkeypatch.setattr(library_module, "START_SECONDS", 0.1)
    monkeypatch.setattr(folder_state, "BATCH_SECONDS", 0.1)
    for number in range(500):
        put(tmp_path, f"{number:03}.yaml", f"p{number}")
    expected = [f"p{number}" for number in range(500)]
    seen = set()
    async with PipelineLibrary(tmp_path) as library, asyncio.timeout(60):
        assert not library.ready
        while not library.ready:
            seen.add(len(library.all()))
            assert ids(library) == expected[: len(library.all())]
            await asyncio.sleep(0)
        assert ids(library) == expected
    assert 2 < len(seen) < 100


async def test_what_the_slow_files_say_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large file does not hold up those after it."""
    monkeypatch.setattr(loader, "SLOW_SECONDS", 0.05)
    put(tmp_path, "a.yaml", "a", stages=BIG_STAGES)
    put(tmp_path, "b.yaml", "b")
    library = PipelineLibrary(tmp_path)
    entering = asyncio.create_task(library.__aenter__())
    await until(lambda: ids(library) == ["b"])
    await until(lambda: ids(library) == ["a", "b"])
    await entering
    await library.__aexit__(None, None, None)
