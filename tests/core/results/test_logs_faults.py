"""Logs and values on a disk that is full, that nobody may write to, and after kill -9."""

import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from log_model import (
    EVERYTHING,
    LINE,
    NAMES,
    missing,
    numbered_line,
    numbered_text,
    say,
    texts,
    whole,
)
from runcast.core.execution.log import LogPiece, LogStream
from runcast.core.results.blobs import FolderBlobs
from runcast.core.results.logs import LogStore
from runcast.core.results.values import ValueStore
from small_disk import full, small_disk

CHILD = Path(__file__).parents[2] / "support" / "log_child.py"
NOBODY = 65534
DISK_BYTES = 1 << 20
OUT = LogStream.STDOUT
LONG = "x" * 8192
"""More than the rest of a file's last block, which a full disk still has."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        yield disk


@contextmanager
def rationed(folder: Path) -> Iterator[None]:
    """The system lets no file of this process grow beyond 100 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Root may write anywhere, and is somebody else for a while."""
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o777)


@contextmanager
def in_the_way(folder: Path) -> Iterator[None]:
    """There is a file where the folder of the logs would be."""
    (folder / "logs").write_text("a file")
    yield
    (folder / "logs").unlink()


def check_loss(
    store: LogStore, before: list[LogPiece], lost: str, after: LogPiece, why: str
) -> None:
    note = f"\n[{len(lost):,} characters could not be stored: {why}]\n"
    offset = sum(len(piece.text) for piece in before)
    page = whole(store)
    assert page.pieces == (*before, LogPiece(offset, LogStream.SYSTEM, note, after.at), after)
    assert page.left_out == len(lost)
    assert page.total == after.offset + len(after.text)
    text = texts(page.pieces).encode()
    assert b"".join(store.read_bytes(*NAMES)) == text
    assert store.size_bytes(*NAMES) == len(text)


def test_a_full_disk_holds_up_nobody(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is not stored is counted and told, and once there is space again all goes on."""
    store = LogStore(FolderBlobs(disk))
    lost = [LONG, *(f"lost {number}\n" for number in range(200)), "x" * 900_000]
    with closing(store.open(*NAMES)) as writer:
        before = say(writer, OUT, "before\n", 1)
        with full(disk):
            for text in lost:
                assert say(writer, OUT, text, 2).text == text
                assert store.problem == "No space left on device"
            assert whole(store).pieces == (before,)
            files = [path for path in disk.rglob("logs/**/*") if path.is_file()]
            assert len(files) == 1
        after = say(writer, OUT, "after\n", 3)
        assert store.problem is None
    check_loss(store, [before], "".join(lost), after, "No space left on device")
    assert [record.message for record in caplog.records if record.name == "runcast.logs"] == [
        "logs are not written: No space left on device"
    ]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (rationed, "File too large"),
        (unwritable, "Permission denied"),
        (in_the_way, "Not a directory"),
    ],
)
def test_a_log_that_cannot_be_begun(
    tmp_path: Path, fault: Callable[[Path], AbstractContextManager[None]], why: str
) -> None:
    """It begins later, and says what is missing before."""
    # pytest's own folders are closed to others.
    tmp_path.chmod(0o777)
    store = LogStore(FolderBlobs(tmp_path))
    lost = "x" * 1000 + "\n"
    with fault(tmp_path):
        writer = store.open(*NAMES)
        say(writer, OUT, lost, 1)
        assert store.problem == why
        say(writer, OUT, lost, 2)
    after = say(writer, OUT, "after", 3)
    assert store.problem is None
    writer.close()
    check_loss(store, [], lost * 2, after, why)


def test_what_was_dropped_is_no_fault_of_the_disk(tmp_path: Path) -> None:
    """Once it is more than what could not be stored, the note gives no reason."""
    store = LogStore(FolderBlobs(tmp_path), max_bytes=8192)
    told: dict[bool, set[int]] = {True: set(), False: set()}
    with closing(store.open(*NAMES)) as writer:
        for number in range(400):
            if number == 100:
                with rationed(tmp_path):
                    say(writer, OUT, LONG, number)
            say(writer, OUT, numbered_line(number), number)
            for piece in whole(store).pieces:
                if left_out := missing(piece):
                    told["could not be stored" in piece.text].add(left_out)
    assert told[True] == {len(LONG)}
    assert max(told[False]) > len(LONG)


def test_what_is_missing_at_the_end_is_told(disk: Path) -> None:
    """By the log, if it can be written when it ends; else by the store, until it can be."""
    store = LogStore(FolderBlobs(disk))
    ends = [(*NAMES[:2], attempt) for attempt in (1, 2, 3)]
    for names in ends:
        writer = store.open(*names)
        if names != ends[1]:
            say(writer, OUT, "before", 1)
        with full(disk):
            say(writer, OUT, LONG, 2)
            if names != ends[0]:
                writer.close()
                assert store.unfinished
                check_missing_end(store, *names)
        writer.close()
        check_missing_end(store, *names)
        assert not store.unfinished and store.problem is None
    again = LogStore(FolderBlobs(disk))
    for names in ends:
        check_missing_end(again, *names)


def check_missing_end(store: LogStore, execution: str, stage: str, attempt: int) -> None:
    """The same by offsets, in bytes and of stdout alone, which all of it is."""
    names = (execution, stage, attempt)
    before = "" if attempt == 2 else "before"
    note = "\n[8,192 characters could not be stored: No space left on device]\n"
    page = store.read(*names, 0, EVERYTHING)
    end = LogPiece(len(before), LogStream.SYSTEM, note, 2)
    assert page.pieces[-1] == end and texts(page.pieces) == before + note
    total = len(before) + len(LONG)
    assert (page.next_offset, page.total, page.left_out) == (total, total, len(LONG))
    assert store.read(*names, total - 1, 1).pieces == (replace(end, offset=total - 1),)
    assert store.read(*names, total, 1).pieces == ()
    assert store.read_output(*names, 0, EVERYTHING) == (before + note, total, total, len(LONG))
    assert texts(store.read(*names, 0, EVERYTHING, {LogStream.STDERR}).pieces) == ""
    data = (before + note).encode()
    assert b"".join(store.read_bytes(*names)) == data and store.size_bytes(*names) == len(data)
    assert b"".join(store.read_bytes(*names, 8, 12)) == data[8:12]


def test_ends_are_told_when_there_is_space_again(disk: Path) -> None:
    """Of every log that has ended meanwhile, and of none that was removed."""
    store = LogStore(FolderBlobs(disk))
    with full(disk):
        for number in range(20):
            with closing(store.open(f"exec_{number}", "stage", 1)) as writer:
                say(writer, OUT, LONG, 2)
        store.finish()
        assert store.unfinished and store.problem == "No space left on device"
        store.remove("exec_1")
    store.finish()
    assert not store.unfinished and store.problem is None
    again = LogStore(FolderBlobs(disk))
    for number in range(20):
        left_out = again.read(f"exec_{number}", "stage", 1, 0, EVERYTHING).left_out
        assert left_out == (0 if number == 1 else len(LONG))


def test_a_log_that_fills_the_disk_itself(disk: Path) -> None:
    """It is stored as far as it fits, and has no torn record."""
    store = LogStore(FolderBlobs(disk))
    with closing(store.open(*NAMES)) as writer:
        for offset in range(0, 2 * DISK_BYTES, 1000):
            say(writer, OUT, numbered_text(offset, 1000), 1)
    assert store.problem == "No space left on device"
    assert writer.loss is not None
    page = whole(store)
    assert (page.total, page.left_out) == (offset + 1000, writer.loss.characters)
    *stored, note = page.pieces
    assert texts(stored) == numbered_text(0, note.offset)
    assert DISK_BYTES // 2 < note.offset == page.total - page.left_out
    assert missing(note) == page.left_out


def test_values_on_a_full_disk(disk: Path) -> None:
    """They are not stored, which is said, and leave nothing of themselves behind."""
    values = ValueStore(FolderBlobs(disk))
    with pytest.raises(OSError, match="No space left on device"):
        values.put("exec_1", "stage", 1, (b"x" * 1000 for _ in range(2000)))
    spool = values.spool("exec_1", "stage", 1, limit=1 << 30)
    with pytest.raises(OSError, match="No space left on device"):
        for _ in range(2000):
            spool.write(b"x" * 1000)
    spool.discard()
    assert [path for path in disk.rglob("*") if path.is_file()] == []
    stored = values.put("exec_1", "stage", 1, (b"x" * 1000 for _ in range(900)))
    assert sum(map(len, values.read(stored))) == 900_000


def killed(folder: Path, after_lines: int) -> int:
    """Kills a child that writes a log; how many lines it has confirmed."""
    command = [sys.executable, str(CHILD), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for _ in range(after_lines):
            child.stdout.readline()
        child.kill()
        # What comes after the last line end was cut off by the kill.
        return after_lines + child.stdout.read().count(b"\n")


@pytest.mark.parametrize("seed", range(3))
def test_what_was_written_survives_kill_9(tmp_path: Path, seed: int) -> None:
    """All that was confirmed; recovered, the log says that it ends there."""
    confirmed = killed(tmp_path, random.Random(seed).randrange(1, 2000))
    store = LogStore(FolderBlobs(tmp_path))
    page = whole(store)
    assert confirmed * LINE <= page.total <= (confirmed + 10_000) * LINE
    assert texts(page.pieces) == numbered_text(0, page.total)
    end = LogPiece(page.total, LogStream.SYSTEM, "The server was killed here.\n", 7)
    for at in (7, 8):  # Who recovers it may be killed as well, and the next one does it again.
        recovered = store.recover(*NAMES, end.text, at)
        assert recovered.characters == (page.total, 0, len(end.text))
        assert whole(store).pieces == (*page.pieces, end)


def walk(store: LogStore) -> tuple[int, int]:
    """Reads numbered lines to the end: where that is, and how many gaps there were."""
    offset = gaps = 0
    while (page := store.read(*NAMES, offset, 10_000)).pieces:
        ends = [*(piece.offset for piece in page.pieces[1:]), page.next_offset]
        for piece, end in zip(page.pieces, ends, strict=True):
            assert piece.offset == offset
            offset = end
            if missing(piece) is None:
                assert piece.text == numbered_text(piece.offset, end - piece.offset)
            else:
                gaps += 1
    return offset, gaps


def test_readers_are_right_beside_a_writer_that_drops_segments(tmp_path: Path) -> None:
    """Whatever goes under their hands: they find what was said, or that it is left out."""
    store = LogStore(FolderBlobs(tmp_path), max_bytes=64 << 10, segment_bytes=4096)

    def write() -> None:
        with closing(store.open(*NAMES)) as writer:
            for number in range(20_000):
                say(writer, OUT, numbered_line(number), number)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done():
            walk(store)
        writing.result()
    assert walk(store) == (20_000 * LINE, 1)
