"""Folders that do not behave: what blocks, what is no file, names that are no text, data."""

import asyncio
import json
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from patience import until
from pipeline_files import BIG_STAGES, blocking, ids, put, reading_processes
from runcast.core.pipelines import library as library_module, loader, reader, scanner
from runcast.core.pipelines.library import PipelineLibrary
from runcast.core.pipelines.listing import Look

pytestmark = pytest.mark.usefixtures("leaves_no_task")


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
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long is found to do so sooner."""
    monkeypatch.setattr(reader, "OPEN_SECONDS", 1.0)
    monkeypatch.setattr(loader, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(scanner, "LOOK_SECONDS", 0.3)
    monkeypatch.setattr(library_module, "START_SECONDS", 0.8)


def messages(library: PipelineLibrary) -> list[str]:
    """What is wrong, without the folder."""
    return [str(problem).removeprefix(f"{problem.path.parent}/") for problem in library.problems()]


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


@pytest.mark.usefixtures("impatient")
async def test_a_file_that_blocks_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to it neither: both are problems after their deadline, and the others are there."""
    monkeypatch.setattr(reader, "OPEN_SECONDS", 4.0)
    clock = HandClock()
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four processes read at a time; of files that have blocked once, one is tried at a time."""
    monkeypatch.setattr(reader, "OPEN_SECONDS", 3.0)
    monkeypatch.setattr(loader, "SLOW_SECONDS", 0.1)
    clock = HandClock()
    most = 0
    with ExitStack() as stack:
        for number in range(6):
            stack.enter_context(blocking(put(tmp_path, f"{number}.yaml", f"p{number}")))
        put(tmp_path, "z.yaml", "z")
        async with PipelineLibrary(tmp_path, clock) as library:
            while len(library.problems()) < 6:
                most = max(most, len(reading_processes()))
                await asyncio.sleep(0.01)
            assert 2 <= most <= 4
            await library.settled()
            assert ids(library) == ["z"]
            await until(lambda: len(reading_processes()) <= 1)
            clock.seconds += loader.RETRY_SECONDS
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
async def test_a_file_that_has_blocked_is_tried_again_later(tmp_path: Path) -> None:
    """It need not have changed for that."""
    clock = HandClock()
    blocked = put(tmp_path, "a.yaml", "a")
    async with PipelineLibrary(tmp_path, clock) as library:
        with blocking(blocked):
            put(tmp_path, "b.yaml", "b")
            os.utime(blocked)
            await library.settled()
            assert ids(library) == ["b"]
        clock.seconds += loader.RETRY_SECONDS - 1
        await library.settled()
        assert ids(library) == ["b"]
        clock.seconds += 1
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not tried for ever, but again after a while, and the others are there."""
    clock = HandClock()
    for name in ("a", "b"):
        put(tmp_path, f"{name}.yaml", name)
    with monkeypatch.context() as dying:
        dying.setattr(reader, "SCRIPT", DYING)
        library = PipelineLibrary(tmp_path, clock)
        await library.__aenter__()
    try:
        assert ids(library) == ["b"]
        assert messages(library) == ["a.yaml: the process that reads it ends each time"]
        clock.seconds += loader.RETRY_SECONDS
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
        assert len(library.problems()) == 4
        (tmp_path / "a.json").write_text(text)
        await library.settled()
        assert library.problems() == ()
    assert len(caplog.records) == 4


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
