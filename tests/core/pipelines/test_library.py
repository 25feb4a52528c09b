"""The pipelines of a folder, and how its changes are seen."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from runcast.core.errors import InvalidInput, NotFound
from runcast.core.pipelines.library import PipelineLibrary, Problem
from runcast.core.pipelines.pipeline import Pipeline


class HandClock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def put(folder: Path, name: str, id: str, title: str = "Title") -> Path:
    """A pipeline file that is valid if its id is."""
    path = folder / name
    path.write_text(
        f"pipeline: {{id: {id}, name: {title}, version: 1.0.0}}\n"
        "stages: [{id: s, command: [cat]}]\n"
    )
    return path


def ids(library: PipelineLibrary) -> list[str]:
    return [pipeline.id for pipeline in library.all()]


def test_the_pipelines_come_in_the_order_of_their_files(tmp_path: Path) -> None:
    """Sorted by file name; hidden files and other endings are not looked at."""
    for name, id in (("b.json", "b"), ("a.yml", "z"), ("c.YAML", "a")):
        put(tmp_path, name, id)
    for name in (".hidden.yaml", "notes.txt", "module.py", "d.yaml~"):
        (tmp_path / name).write_text("no pipeline")
    (tmp_path / "b.json").write_text(
        '{"pipeline": {"id": "b", "name": "B", "version": "1.0.0"},'
        ' "stages": [{"id": "s", "command": ["cat"]}]}'
    )
    library = PipelineLibrary(tmp_path)
    assert ids(library) == ["z", "b", "a"]
    assert library.problems() == ()


def test_a_pipeline_is_found_by_its_id_or_by_its_file(tmp_path: Path) -> None:
    """The id wins where another file is called so."""
    put(tmp_path, "first.yaml", "one")
    put(tmp_path, "one.yaml", "two")
    library = PipelineLibrary(tmp_path)
    assert library.get("one").path.name == "first.yaml"
    assert library.get("two").path.name == "one.yaml"
    assert library.get("first").id == "one"


@pytest.mark.parametrize("id", ["", "other", "first.yaml", "../first", "FIRST"])
def test_what_is_not_there_is_not_found(tmp_path: Path, id: str) -> None:
    """Ids are compared as they are, and are never taken for paths."""
    put(tmp_path, "first.yaml", "one")
    with pytest.raises(NotFound, match=r"^Pipeline not found$"):
        PipelineLibrary(tmp_path).get(id)


def test_a_broken_file_does_not_keep_the_others_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out, told and logged."""
    put(tmp_path, "good.yaml", "good")
    broken = put(tmp_path, "broken.yaml", "not good")
    library = PipelineLibrary(tmp_path)
    assert ids(library) == ["good"]
    [problem] = library.problems()
    assert (problem.path, problem.place, problem.line) == (broken, "pipeline.id", 1)
    assert [(entry.name, entry.levelno) for entry in caplog.records] == [
        ("runcast.pipelines", logging.WARNING)
    ]
    assert "broken.yaml:1: pipeline.id: " in caplog.text


def test_the_second_file_with_an_id_is_a_problem(tmp_path: Path, clock: HandClock) -> None:
    """It names the first, and comes in when the first goes."""
    first = put(tmp_path, "a.yaml", "same", "First")
    second = put(tmp_path, "b.yaml", "same", "Second")
    library = PipelineLibrary(tmp_path, clock)
    assert [pipeline.name for pipeline in library.all()] == ["First"]
    assert library.problems() == (
        Problem(second, "pipeline.id", "a.yaml has the id `same` already"),
    )
    first.unlink()
    clock.seconds += 1
    assert [pipeline.name for pipeline in library.all()] == ["Second"]
    assert library.problems() == ()


def test_changes_are_seen_without_a_restart(tmp_path: Path, clock: HandClock) -> None:
    """A changed, a new and a removed file."""
    changed = put(tmp_path, "changed.yaml", "before")
    removed = put(tmp_path, "removed.yaml", "removed")
    library = PipelineLibrary(tmp_path, clock)
    assert ids(library) == ["before", "removed"]
    put(tmp_path, changed.name, "after")
    put(tmp_path, "new.yaml", "new")
    removed.unlink()
    clock.seconds += 1
    assert ids(library) == ["after", "new"]


def test_the_folder_is_looked_at_once_per_second(tmp_path: Path, clock: HandClock) -> None:
    """However often it is asked."""
    library = PipelineLibrary(tmp_path, clock)
    put(tmp_path, "new.yaml", "new")
    clock.seconds += 0.99
    assert ids(library) == []
    clock.seconds += 0.02
    assert ids(library) == ["new"]


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path, clock: HandClock) -> None:
    """A rescan is a stat for each file: the very same pipeline comes back."""
    put(tmp_path, "a.yaml", "a")
    library = PipelineLibrary(tmp_path, clock)
    before = library.get("a")
    clock.seconds += 5
    assert library.get("a") is before


def test_a_replaced_file_of_the_same_age_and_size_is_seen(tmp_path: Path, clock: HandClock) -> None:
    """As when an older copy is moved into its place."""
    path = put(tmp_path, "a.yaml", "one")
    library = PipelineLibrary(tmp_path, clock)
    status = path.stat()
    other = put(tmp_path, "other.txt", "two")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)
    clock.seconds += 1
    assert ids(library) == ["two"]


def test_a_file_that_breaks_is_logged_once_per_change(
    tmp_path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at every look; again when it is saved again and still broken; then it comes back."""
    path = put(tmp_path, "a.yaml", "fine")
    library = PipelineLibrary(tmp_path, clock)
    logged = []
    for content in ("pipeline: [", None, None, "pipeline: [ ", None):
        if content is not None:
            path.write_text(content)
        clock.seconds += 1
        assert library.all() == ()
        logged.append(len(caplog.records))
    assert logged == [1, 1, 1, 2, 2]
    put(tmp_path, "a.yaml", "mended")
    clock.seconds += 1
    assert ids(library) == ["mended"]
    assert library.problems() == ()


def test_a_link_to_nowhere_is_a_problem_until_it_leads_somewhere(
    tmp_path: Path, clock: HandClock
) -> None:
    """Links are followed."""
    (tmp_path / "link.yaml").symlink_to(tmp_path / "target")
    library = PipelineLibrary(tmp_path, clock)
    [problem] = library.problems()
    assert problem.message == "it cannot be read: No such file or directory"
    put(tmp_path, "target", "there")
    clock.seconds += 1
    assert ids(library) == ["there"]


def test_a_folder_that_goes_away_takes_its_pipelines_with_it(
    tmp_path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, logged once, and over when the folder is back."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    put(folder, "a.yaml", "a")
    library = PipelineLibrary(folder, clock)
    folder.rename(tmp_path / "away")
    for _ in range(3):
        clock.seconds += 1
        assert library.all() == ()
    [problem] = library.problems()
    assert problem.path == folder
    assert "cannot be read" in problem.message
    assert len(caplog.records) == 1
    (tmp_path / "away").rename(folder)
    clock.seconds += 1
    assert ids(library) == ["a"]


def test_a_folder_must_be_there_at_the_start(tmp_path: Path) -> None:
    """A slip in the settings is an error, not an empty list."""
    with pytest.raises(InvalidInput, match="nowhere does not exist"):
        PipelineLibrary(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match=r"a\.yaml is not a folder"):
        PipelineLibrary(put(tmp_path, "a.yaml", "a"))


def test_a_check_can_leave_a_pipeline_out(tmp_path: Path, clock: HandClock) -> None:
    """What it has passed it is not asked again, and what it has not comes back once it does."""
    put(tmp_path, "a.yaml", "a")
    put(tmp_path, "b.yaml", "b")
    asked = []
    missing = {"a"}

    def check(pipeline: Pipeline) -> Iterator[Problem]:
        asked.append(pipeline.id)
        if pipeline.id in missing:
            yield Problem(pipeline.path, "stages[0].call", "there is no such function")

    library = PipelineLibrary(tmp_path, clock, check)
    clock.seconds += 1
    assert ids(library) == ["b"]
    assert [str(problem) for problem in library.problems()] == [
        f"{tmp_path}/a.yaml: stages[0].call: there is no such function"
    ]
    assert asked == ["a", "b", "a"]
    missing.clear()
    clock.seconds += 1
    assert ids(library) == ["a", "b"]
    assert asked == ["a", "b", "a", "a"]
