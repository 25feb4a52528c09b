"""The pipelines of a folder, and how its changes are seen."""

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from patience import until
from pipeline_files import Access, ids, put, reading_processes
from runcast.core.errors import InvalidInput, NotFound
from runcast.core.pipelines import folder_state, library as library_module, reader
from runcast.core.pipelines.library import PipelineLibrary
from runcast.core.pipelines.problem import Problem

pytestmark = pytest.mark.usefixtures("leaves_no_task")


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    """What this process itself does in the folder of the test."""
    with closing(Access(tmp_path)) as access:
        yield access


async def test_the_pipelines_come_in_the_order_of_their_files(tmp_path: Path) -> None:
    """Sorted by file name; hidden files and other endings are not looked at."""
    for name, id in (("b.json", "b"), ("a.yml", "z"), ("c.YAML", "a")):
        put(tmp_path, name, id)
    for name in (".hidden.yaml", "notes.txt", "module.py", "d.yaml~"):
        (tmp_path / name).write_text("no pipeline")
    (tmp_path / "b.json").write_text(
        '{"pipeline": {"id": "b", "name": "B", "version": "1.0.0"},'
        ' "stages": [{"id": "s", "command": ["cat"]}]}'
    )
    async with PipelineLibrary(tmp_path) as library:
        assert ids(library) == ["z", "b", "a"]
        assert library.problems() == ()


async def test_a_pipeline_is_found_by_its_id_or_by_its_file(tmp_path: Path) -> None:
    """The id wins where another file is called so."""
    put(tmp_path, "first.yaml", "one")
    put(tmp_path, "one.yaml", "two")
    put(tmp_path, "two.v1.yaml", "three")
    async with PipelineLibrary(tmp_path) as library:
        assert library.get("one").path.name == "first.yaml"
        assert library.get("two").path.name == "one.yaml"
        assert library.get("first").id == "one"
        assert library.get("two.v1").id == "three"


@pytest.mark.parametrize("id", ["", "other", "first.yaml", "../first", "FIRST"])
async def test_what_is_not_there_is_not_found(tmp_path: Path, id: str) -> None:
    """Ids are compared as they are, and are never taken for paths."""
    put(tmp_path, "first.yaml", "one")
    async with PipelineLibrary(tmp_path) as library:
        with pytest.raises(NotFound, match=r"^Pipeline not found$"):
            library.get(id)


async def test_a_broken_file_does_not_keep_the_others_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out, is a problem and is logged."""
    put(tmp_path, "good.yaml", "good")
    broken = put(tmp_path, "broken.yaml", "not good")
    async with PipelineLibrary(tmp_path) as library:
        assert ids(library) == ["good"]
        [problem] = library.problems()
    assert (problem.path, problem.place, problem.line) == (broken, "pipeline.id", 1)
    assert [(entry.name, entry.levelno) for entry in caplog.records] == [
        ("runcast.pipelines", logging.WARNING)
    ]
    assert "broken.yaml:1: pipeline.id: " in caplog.text


async def test_the_problems_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    """Whenever each of them was read."""
    for name in ("b.yaml", "d.yaml"):
        put(tmp_path, name, "not good")
    async with PipelineLibrary(tmp_path) as library:
        for name in ("c.yaml", "a.yaml"):
            put(tmp_path, name, "not good")
            await library.settled()
        assert [problem.path.name for problem in library.problems()] == [
            "a.yaml",
            "b.yaml",
            "c.yaml",
            "d.yaml",
        ]


async def test_the_second_file_with_an_id_is_a_problem(tmp_path: Path) -> None:
    """It names the first, and comes in when the first goes."""
    first = put(tmp_path, "a.yaml", "same", "First")
    second = put(tmp_path, "b.yaml", "same", "Second")
    async with PipelineLibrary(tmp_path) as library:
        assert [pipeline.name for pipeline in library.all()] == ["First"]
        assert library.problems() == (
            Problem(second, "pipeline.id", "a.yaml has the id `same` already"),
        )
        first.unlink()
        await library.settled()
        assert [pipeline.name for pipeline in library.all()] == ["Second"]
        assert library.problems() == ()


async def test_changes_are_seen_without_a_restart(tmp_path: Path) -> None:
    """A changed, a new and a removed file, without anybody asking for it."""
    changed = put(tmp_path, "changed.yaml", "before")
    removed = put(tmp_path, "removed.yaml", "removed")
    async with PipelineLibrary(tmp_path) as library:
        assert ids(library) == ["before", "removed"]
        put(tmp_path, changed.name, "after")
        put(tmp_path, "new.yaml", "new")
        removed.unlink()
        await until(lambda: ids(library) == ["after", "new"])


async def test_settled_is_what_the_folder_is_at_the_call(tmp_path: Path) -> None:
    """However often it changes."""
    async with PipelineLibrary(tmp_path) as library:
        for number in range(20):
            put(tmp_path, "a.yaml", f"n{number}")
            await library.settled()
            assert ids(library) == [f"n{number}"]


async def test_nobody_waits_for_the_disk(tmp_path: Path, access: Access) -> None:
    """Files are opened in another process, and the folder is listed in a thread of its own."""
    put(tmp_path, "a.yaml", "a")
    access.opened.clear()
    async with PipelineLibrary(tmp_path) as library:
        for _ in range(100):
            assert ids(library) == ["a"]
            assert library.get("a").id == "a"
            assert library.problems() == ()
    assert access.opened == []
    assert set(access.listed) == {"runcast-pipelines"}


async def test_the_folder_is_looked_at_once_per_second(tmp_path: Path, access: Access) -> None:
    """However often it is asked for its pipelines."""
    loop = asyncio.get_running_loop()
    async with PipelineLibrary(tmp_path) as library, asyncio.timeout(30):
        begun = loop.time()
        access.listed.clear()
        while len(access.listed) < 3:
            assert ids(library) == []
            await asyncio.sleep(0.01)
        assert loop.time() - begun > 2


async def test_a_large_folder_is_looked_at_less_often(
    tmp_path: Path, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So seldom that it takes half a percent of a processor; here the share is made smaller."""
    monkeypatch.setattr(library_module, "SCAN_SHARE", 1e-9)
    loop = asyncio.get_running_loop()
    async with PipelineLibrary(tmp_path) as library:
        access.listed.clear()
        await asyncio.sleep(1.5)
        assert access.listed == []
        put(tmp_path, "a.yaml", "a")
        begun = loop.time()
        await library.settled()
        assert loop.time() - begun < 10
        assert ids(library) == ["a"]


async def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    """The very same pipeline comes back, also when another file has changed."""
    put(tmp_path, "a.yaml", "a")
    async with PipelineLibrary(tmp_path) as library:
        before = library.get("a")
        put(tmp_path, "b.yaml", "b")
        await library.settled()
        assert library.get("a") is before
        assert library.get("b") is not before


async def test_a_replaced_file_of_the_same_age_and_size_is_seen(tmp_path: Path) -> None:
    """As when an older copy is moved into its place."""
    path = put(tmp_path, "a.yaml", "one")
    async with PipelineLibrary(tmp_path) as library:
        status = path.stat()
        other = put(tmp_path, "other.txt", "two")
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.replace(path)
        await library.settled()
        assert ids(library) == ["two"]


async def test_a_file_that_breaks_is_logged_once_per_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at every look; again when it is saved again and still broken; then it comes back."""
    path = put(tmp_path, "a.yaml", "fine")
    async with PipelineLibrary(tmp_path) as library:
        logged = []
        for content in ("pipeline: [", None, None, "pipeline: [ ", None):
            if content is not None:
                path.write_text(content)
            await library.settled()
            assert library.all() == ()
            logged.append(len(caplog.records))
        assert logged == [1, 1, 1, 2, 2]
        put(tmp_path, "a.yaml", "mended")
        await library.settled()
        assert ids(library) == ["mended"]
        assert library.problems() == ()


async def test_a_problem_is_not_logged_again_with_another_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is news once."""
    async with PipelineLibrary(tmp_path) as library:
        for name in ("b.yaml", "a.yaml"):
            put(tmp_path, name, "not good")
            await library.settled()
        assert len(caplog.records) == len(library.problems()) == 2


async def test_a_renamed_file_is_there_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old name counts until the new one has been read, however long that takes."""
    monkeypatch.setattr(folder_state, "BATCH_SECONDS", 0.0)
    monkeypatch.setattr(reader, "IDLE_SECONDS", 0.0)
    path = put(tmp_path, "a.yaml", "same")
    async with PipelineLibrary(tmp_path) as library, asyncio.timeout(60):
        for name in ("b.yaml", "a.yaml", "c.yaml"):
            path = path.rename(tmp_path / name)
            settling = asyncio.create_task(library.settled())
            while not settling.done():
                assert library.get("same").name == "Title"
                await asyncio.sleep(0)
            assert library.get("same").path == path
            assert library.problems() == ()


async def test_a_folder_that_goes_away_takes_its_pipelines_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a problem, logged once, and over when the folder is back."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    put(folder, "a.yaml", "a")
    async with PipelineLibrary(folder) as library:
        folder.rename(tmp_path / "away")
        for _ in range(3):
            await library.settled()
            assert library.all() == ()
        [problem] = library.problems()
        assert problem.path == folder
        assert problem.message == "the folder cannot be read: No such file or directory"
        assert len(caplog.records) == 1
        (tmp_path / "away").rename(folder)
        await library.settled()
        assert ids(library) == ["a"]
        assert library.problems() == ()


def test_a_folder_must_be_there_at_the_start(tmp_path: Path) -> None:
    """A slip in the settings is an error, not an empty list."""
    with pytest.raises(InvalidInput, match="nowhere does not exist"):
        PipelineLibrary(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match=r"a\.yaml is not a folder"):
        PipelineLibrary(put(tmp_path, "a.yaml", "a"))


async def test_the_process_that_reads_ends_when_it_is_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one, of low priority, while files are read; and again when one has changed."""
    monkeypatch.setattr(reader, "IDLE_SECONDS", 0.1)
    put(tmp_path, "a.yaml", "a")
    async with PipelineLibrary(tmp_path) as library:
        [process] = reading_processes()
        assert process.nice() >= 5
        assert os.getsid(process.pid) != os.getsid(0), "Ctrl+C would end it"
        await until(lambda: not reading_processes())
        put(tmp_path, "a.yaml", "b")
        await library.settled()
        assert ids(library) == ["b"]
        assert len(reading_processes()) == 1
    assert reading_processes() == []


async def test_it_is_ready_when_everything_has_been_read_once(tmp_path: Path) -> None:
    """Not before it is entered; an empty folder is read at once."""
    library = PipelineLibrary(tmp_path)
    assert not library.ready
    async with library:
        assert library.ready
