"""Folders that do not behave: what blocks, what is no file, names that are no text, data."""

import asyncio
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import until
from pipeline_files import blocking, ids, messages, put
from runcast.core.pipelines import scanner
from runcast.core.pipelines.library import PipelineLibrary
from runcast.core.pipelines.listing import Look

pytestmark = pytest.mark.usefixtures("leaves_no_task")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def a_link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def unreadable(path: Path) -> None:
    """A regular file of which nobody can read the first byte."""
    path.symlink_to("/proc/self/mem")


NO_FILES: dict[Callable[[Path], None], str] = {
    a_pipe: "it is not a regular file",
    a_link_to_a_pipe: "it is not a regular file",
    a_link_to_itself: "it cannot be read: Too many levels of symbolic links",
    a_link_to_nowhere: "it cannot be read: No such file or directory",
    a_folder: "it is not a regular file",
    a_device: "it is not a regular file",
    unreadable: "it cannot be read: Input/output error",
}


@pytest.mark.parametrize("make", NO_FILES, ids=lambda make: make.__name__)
async def test_what_cannot_be_read_is_a_problem(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """The others are there, and it is read when something sensible is in its place."""
    make(tmp_path / "b.yaml")
    for name in ("a", "c"):
        put(tmp_path, f"{name}.yaml", name)
    async with PipelineLibrary(tmp_path) as library:
        assert ids(library) == ["a", "c"]
        assert messages(library) == [f"b.yaml: {NO_FILES[make]}"]
        put(tmp_path, "new", "b").replace(_emptied(tmp_path / "b.yaml"))
        await library.settled()
        assert ids(library) == ["a", "b", "c"]
        assert library.problems() == ()


def _emptied(path: Path) -> Path:
    if path.is_dir():
        path.rmdir()
    return path


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_without_permission_is_a_problem(tmp_path: Path) -> None:
    """Until the permission is given."""
    path = put(tmp_path, "a.yaml", "a")
    path.chmod(0)
    async with PipelineLibrary(tmp_path) as library:
        assert messages(library) == ["a.yaml: it cannot be read: Permission denied"]
        path.chmod(0o600)
        await library.settled()
        assert ids(library) == ["a"]


async def test_a_link_is_followed_when_it_leads_somewhere(tmp_path: Path) -> None:
    """And what changes behind it is seen."""
    (tmp_path / "link.yaml").symlink_to("target")
    async with PipelineLibrary(tmp_path) as library:
        assert ids(library) == []
        for id in ("there", "changed"):
            put(tmp_path, "target", id)
            await library.settled()
            assert ids(library) == [id]
            assert library.problems() == ()


async def test_a_file_that_vanishes_before_it_is_read_was_never_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no problem and is not logged."""
    blocked = put(tmp_path, "a.yaml", "a")
    vanishing = put(tmp_path, "b.yaml", "b")
    library = PipelineLibrary(tmp_path)
    with blocking(blocked) as opened:
        entering = asyncio.create_task(library.__aenter__())
        await until(opened)
        vanishing.unlink()
    await entering
    try:
        assert ids(library) == ["a"]
        assert library.problems() == ()
    finally:
        await library.__aexit__(None, None, None)
    assert caplog.records == []


@pytest.mark.usefixtures("impatient")
async def test_a_folder_that_hangs_is_a_problem_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known stays; the thread that hangs is one, a daemon, and none of a pool."""
    for name in ("a", "b"):
        put(tmp_path, f"{name}.yaml", name)
    let_go = threading.Event()
    stamp = Look._stamp

    def hanging(look: Look, entry: "os.DirEntry[str]") -> object:
        result = stamp(look, entry)
        if entry.name == "b.yaml":
            let_go.wait(30)
        return result

    async with PipelineLibrary(tmp_path) as library:
        monkeypatch.setattr(Look, "_stamp", hanging)
        put(tmp_path, "a.yaml", "changed")
        for _ in range(3):
            await library.settled()
            assert ids(library) == ["a", "b"]
            assert messages(library) == [
                "b.yaml: it has not answered for 0.3 s; changes are not seen before it does"
            ]
        [thread] = [each for each in threading.enumerate() if each.name == "runcast-pipelines"]
        assert thread.daemon
        put(tmp_path, "new.yaml", "new")
        monkeypatch.setattr(scanner, "LOOK_SECONDS", 30.0)
        let_go.set()
        await library.settled()
        assert ids(library) == ["changed", "b", "new"]
        assert library.problems() == ()


@pytest.mark.usefixtures("impatient")
async def test_it_closes_while_the_folder_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once; and it has been entered in spite of it."""
    let_go = threading.Event()
    monkeypatch.setattr(Look, "__call__", lambda look: let_go.wait(30))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with PipelineLibrary(tmp_path) as library:
        assert library.all() == ()
        assert not library.ready
    assert loop.time() - begun < 5
    let_go.set()


@pytest.mark.parametrize("name", [b"\xff.yaml", b"a\nb.yaml", "\u202e.yaml".encode()], ids=repr)
async def test_a_name_that_is_no_text_is_shown_as_one(
    tmp_path: Path, name: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Its pipeline is there, and what is wrong with it can be printed on one line."""
    path = tmp_path / os.fsdecode(name)
    put(tmp_path, path.name, "a")
    shown = repr(os.fsdecode(name))[1:-1]
    async with PipelineLibrary(tmp_path) as library:
        assert ids(library) == ["a"]
        assert library.get(shown.removesuffix(".yaml")).path == path
        put(tmp_path, path.name, "not good")
        await library.settled()
        assert library.all() == ()
        assert messages(library)[0].startswith(f"{shown}:1: pipeline.id: ")
        put(tmp_path, path.name, "a")
        put(tmp_path, "~.yaml", "a")
        await library.settled()
        assert {problem.path.name for problem in library.problems()} <= {"~.yaml", path.name}
        assert shown in " ".join(messages(library))
    caplog.text.encode()
    assert all(str(problem).isprintable() for problem in library.problems())


DATA = ["[]", "{}", '{"answer": 42}', '"text"', "3", "null", "[NaN]", '{"a": 1, "a": 2}']
DATA += [json.dumps({"rows": ["x" * 100] * 10_000})]


@pytest.mark.parametrize("text", DATA, ids=lambda text: text[:16])
async def test_data_is_not_taken_for_a_pipeline(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A JSON file with neither of the keys of a pipeline is passed over in silence."""
    (tmp_path / "a.json").write_text(text)
    async with PipelineLibrary(tmp_path) as library:
        assert library.all() == ()
        assert library.problems() == ()
        (tmp_path / "a.json").write_text('{"pipeline": {}}')
        await library.settled()
        assert len(library.problems()) == 3
        (tmp_path / "a.json").write_text(text)
        await library.settled()
        assert library.problems() == ()
    assert len(caplog.records) == 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "[]"),
        ("a.yaml", "answer: 42"),
        ("a.json", '{"pipeline": 1}'),
        ("a.json", '{"stages": []}'),
        ("a.json", '{"answer": 42'),
        ("a.json", json.dumps({"pipeline": {}, "rows": ["x" * 100] * 10_000})),
        ("a.JSON", json.dumps({"stages": ["x" * 100] * 10_000})),
    ],
    ids=lambda value: value[:16],
)
async def test_what_may_be_meant_as_a_pipeline_is_a_problem(
    tmp_path: Path, name: str, text: str
) -> None:
    """YAML always, and JSON that has one of the keys or is none."""
    (tmp_path / name).write_text(text)
    async with PipelineLibrary(tmp_path) as library:
        assert library.all() == ()
        assert library.problems()
