"""Logs of attempts: what was said is read again, piece by piece, as text and as bytes."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from log_model import EVERYTHING, NAMES, missing, say, texts, whole
from runcast.core.execution.log import LogPiece, LogSlice, LogStream
from runcast.core.results.blobs import Blobs, FolderBlobs
from runcast.core.results.log_record import HEADER
from runcast.core.results.log_writer import LogWriter
from runcast.core.results.logs import LogStore
from runcast.core.results.stored_log import StoredLog

OUT, ERR, SYSTEM = LogStream.STDOUT, LogStream.STDERR, LogStream.SYSTEM
SMALL = 8192


@pytest.fixture
def folder(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path)


def write(store: LogStore, *said: tuple[LogStream, str, int]) -> list[LogPiece]:
    with closing(store.open(*NAMES)) as writer:
        return [say(writer, *each) for each in said]


def all_bytes(store: LogStore, *streams: LogStream) -> bytes:
    return b"".join(store.read_bytes(*NAMES, streams=streams or tuple(LogStream)))


def test_a_log_is_read_as_it_was_written(blobs: Blobs) -> None:
    """In the order of arrival, over all streams, from a folder and from an object store."""
    store = LogStore(blobs)
    pieces = write(
        store,
        (SYSTEM, "attempt 1 of 3\n", 1000),
        (OUT, "zähle: 1\n", 1001),
        (ERR, "warning: \N{PARTY POPPER}\n", 1002),
        (OUT, "zwei\0\r", 1003),
    )
    assert [piece.offset for piece in pieces] == [0, 15, 24, 35]
    assert whole(store) == LogSlice(tuple(pieces), next_offset=41, total=41, left_out=0)
    assert store.read_output(*NAMES, 0, 100) == ("zähle: 1\nzwei\0\r", 15, 15, 0)
    assert all_bytes(store) == texts(pieces).encode()
    assert store.size_bytes(*NAMES) == len(texts(pieces).encode())
    assert all_bytes(store, ERR) == "warning: \N{PARTY POPPER}\n".encode()
    assert store.size_bytes(*NAMES, streams=[ERR]) == 14


def test_pages_are_cut_in_characters(folder: FolderBlobs) -> None:
    """Never within one; a filter of streams leaves offsets and limits as they are."""
    store = LogStore(folder)
    write(store, (OUT, "ä\N{PARTY POPPER}b", 1), (ERR, "cd", 2), (OUT, "e", 3))
    page = store.read(*NAMES, 1, 3)
    assert page.pieces == (
        LogPiece(1, OUT, "\N{PARTY POPPER}b", 1),
        LogPiece(3, ERR, "c", 2),
    )
    assert (page.next_offset, page.total) == (4, 6)
    assert store.read(*NAMES, 1, 3, [ERR]).pieces == (LogPiece(3, ERR, "c", 2),)
    assert store.read(*NAMES, 1, 3, []).next_offset == 4
    assert store.read(*NAMES, 0, 0) == LogSlice((), 0, 6, 0)
    assert store.read_output(*NAMES, 2, 2) == ("be", 4, 4, 0)


@pytest.mark.parametrize("offset", [0, 6, 7, 1000])
def test_beyond_the_end_there_is_nothing(folder: FolderBlobs, offset: int) -> None:
    """Also where there is no log at all."""
    store = LogStore(folder)
    assert store.read(*NAMES, offset, 10) == LogSlice((), offset, 0, 0)
    assert store.read_output(*NAMES, offset, 10) == ("", offset, 0, 0)
    assert all_bytes(store) == b""
    write(store, (OUT, "sixsix", 1))
    if offset:
        assert store.read(*NAMES, offset, 10) == LogSlice((), offset, 6, 0)
        assert store.read_output(*NAMES, offset, 10) == ("", offset, 6, 0)
        assert list(store.read_bytes(*NAMES, start=offset)) == []


@pytest.mark.parametrize(("offset", "limit"), [(-1, 10), (0, -1)])
def test_negative_numbers_are_refused(folder: FolderBlobs, offset: int, limit: int) -> None:
    """They do not count from the end."""
    store = LogStore(folder)
    for read in (store.read, store.read_output):
        with pytest.raises(ValueError, match="not negative"):
            read(*NAMES, offset, limit)


def test_what_utf8_cannot_say_is_a_question_mark(folder: FolderBlobs) -> None:
    """The piece that the writer returns says the same as the log."""
    store = LogStore(folder)
    (piece,) = write(store, (OUT, "a\ud83db", 1))
    assert piece.text == "a?b"
    assert whole(store).pieces == (piece,)


def test_empty_text_is_nothing(folder: FolderBlobs) -> None:
    """It has an offset, and leaves no trace."""
    store = LogStore(folder)
    pieces = write(store, (OUT, "", 1), (OUT, "a", 2), (ERR, "", 3))
    assert [piece.offset for piece in pieces] == [0, 0, 1]
    assert whole(store).pieces == (LogPiece(0, OUT, "a", 2),)
    write(store)
    assert whole(store).total == 1


@pytest.mark.parametrize(
    "text",
    ["x" * 900_000 + "\n", "ä\N{PARTY POPPER}€\0\r" * 200_000, "\N{PARTY POPPER}" * 800_000],
    ids=["ASCII", "mixed", "wide"],
)
def test_a_piece_of_any_length_comes_back_as_one(folder: FolderBlobs, text: str) -> None:
    """However many records and segments it takes, and at every offset."""
    store = LogStore(folder, segment_bytes=256 << 10)
    write(store, (OUT, "before", 1), (ERR, text, 2), (OUT, "after", 3))
    assert whole(store).pieces[1] == LogPiece(6, ERR, text, 2)
    for offset in (6, 7, 65_471, 65_479, 261_890, 500_001):
        page = store.read(*NAMES, offset, 100_000)
        assert texts(page.pieces) == ("before" + text + "after")[offset : offset + 100_000]
    assert all_bytes(store) == f"before{text}after".encode()
    sizes = [size for _, size in folder.list("logs")]
    assert len(sizes) > 3
    assert max(sizes) <= 256 << 10


def test_a_log_can_be_read_while_it_is_written(folder: FolderBlobs) -> None:
    """Every piece as soon as it was appended."""
    store, reader = LogStore(folder), LogStore(folder)
    with closing(store.open(*NAMES)) as writer:
        for number in range(50):
            piece = say(writer, OUT, f"line {number}\n", number)
            page = reader.read(*NAMES, piece.offset, EVERYTHING)
            assert page.pieces == (piece,)
            assert page.next_offset == page.total == piece.offset + len(piece.text)


def flood(writer: LogWriter, lines: int = 5000) -> str:
    """Far more than SMALL bytes, on both streams."""
    said = []
    for number in range(lines):
        stream = ERR if number % 5 == 0 else OUT
        said.append(say(writer, stream, f"line {number} ü\n", number).text)
    return "".join(said)


def test_of_a_long_log_the_head_and_the_tail_are_stored(folder: FolderBlobs) -> None:
    """With what was left out said between, and no more bytes than the bound at any time."""
    store = LogStore(folder, max_bytes=SMALL)
    with closing(store.open(*NAMES)) as writer:
        text = flood(writer, 100)
        for number in range(5000):
            text += say(writer, OUT, f"line {number} ü\n", number).text
            if number % 100 == 0:
                assert sum(size for _, size in folder.list("logs")) <= SMALL
    page = whole(store)
    (note,) = [piece for piece in page.pieces if missing(piece) is not None]
    assert note.text == f"\n[{page.left_out:,} characters left out here]\n"
    assert note.at > 0
    index = page.pieces.index(note)
    head, tail = texts(page.pieces[:index]), texts(page.pieces[index + 1 :])
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + page.left_out + len(tail) == page.total == len(text)
    assert note.offset == len(head)
    # Headers take more than half of it, a segment may be free, and one be cut at its end.
    assert len(head.encode()) > SMALL / 8
    assert len(tail.encode()) > SMALL / 8
    assert all_bytes(store) == texts(page.pieces).encode()
    assert store.size_bytes(*NAMES) == len(all_bytes(store))


def test_each_stream_says_what_is_left_out_of_it(folder: FolderBlobs) -> None:
    """And nothing of what is left out of others."""
    store = LogStore(folder, max_bytes=SMALL)
    with closing(store.open(*NAMES)) as writer:
        say(writer, SYSTEM, "attempt 1 of 2\n", 0)
        flood(writer)
    gaps = {}
    for stream in LogStream:
        notes = [missing(piece) for piece in whole(store, [stream]).pieces]
        gaps[stream] = sum(number for number in notes if number is not None)
        assert all(piece.text for piece in whole(store, [stream]).pieces)
        assert texts(whole(store, [stream]).pieces).encode() == all_bytes(store, stream)
    assert gaps[SYSTEM] == 0
    assert gaps[OUT] > gaps[ERR] > 0
    assert gaps[OUT] + gaps[ERR] == whole(store).left_out
    assert store.read_output(*NAMES, 0, EVERYTHING)[0].encode() == all_bytes(store, OUT)


def test_reading_goes_on_behind_what_is_left_out(folder: FolderBlobs) -> None:
    """For somebody who asks for a place within it, too."""
    store = LogStore(folder, max_bytes=SMALL)
    with closing(store.open(*NAMES)) as writer:
        text = flood(writer)
    (note,) = [piece for piece in whole(store).pieces if missing(piece) is not None]
    behind = note.offset + (missing(note) or 0)
    page = store.read(*NAMES, note.offset + 10, 100)
    assert page.pieces[0] == LogPiece(note.offset + 10, SYSTEM, note.text, note.at)
    assert page.pieces[1].offset == behind
    assert page.next_offset == behind + 100 - len(note.text)
    assert texts(page.pieces[1:]) == text[behind : page.next_offset]
    short = store.read(*NAMES, note.offset - 1, 2)
    assert texts(short.pieces) == text[note.offset - 1] + note.text
    assert short.next_offset == behind


class Counting(FolderBlobs):
    """Knows which blobs were read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: set[str] = set()

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        self.opened.add(name)
        return super().read(name, start, end)


def test_a_page_costs_the_segments_that_it_is_in(tmp_path: Path) -> None:
    """And the last one, for the total."""
    blobs = Counting(tmp_path)
    store = LogStore(blobs, segment_bytes=4096)
    with closing(store.open(*NAMES)) as writer:
        flood(writer)
    names = [name for name, _ in blobs.list("logs")]
    assert len(names) > 30
    begin = int(names[10].split("/")[-1].split("-")[0])
    for read in (
        lambda: texts(store.read(*NAMES, begin, 50).pieces),
        lambda: store.read_output(*NAMES, begin * 4 // 5, 50)[0],
        lambda: b"".join(
            store.read_bytes(*NAMES, start=begin * 12 // 11, end=begin * 12 // 11 + 9)
        ),
    ):
        blobs.opened.clear()
        assert read()
        assert names[-1] in blobs.opened
        assert len(blobs.opened) <= 3


def test_attempts_have_logs_of_their_own(folder: FolderBlobs) -> None:
    """They are numbers, and go with their execution."""
    store = LogStore(folder)
    for execution in ("exec_1", "exec_10"):
        for attempt in (1, 2, 10):
            with closing(store.open(execution, "stage", attempt)) as writer:
                say(writer, OUT, f"{execution} {attempt}", 0)
    assert store.attempts("exec_1", "stage") == [1, 2, 10]
    assert store.attempts("exec_1", "other") == []
    assert texts(store.read("exec_1", "stage", 10, 0, 99).pieces) == "exec_1 10"
    store.remove("exec_1")
    store.remove("exec_1")
    assert store.attempts("exec_1", "stage") == []
    assert store.read("exec_1", "stage", 10, 0, 99).total == 0
    assert store.attempts("exec_10", "stage") == [1, 2, 10]


@pytest.mark.parametrize("bad", ["..", "a/b", "", "/", "a\0", "ä"])
def test_ids_that_are_no_names_are_refused(folder: FolderBlobs, bad: str) -> None:
    """Before anything is touched."""
    store = LogStore(folder)
    for ids in ((bad, "stage"), ("exec_1", bad)):
        with pytest.raises(ValueError, match="cannot be part"):
            store.open(*ids, 1)
        with pytest.raises(ValueError, match="cannot be part"):
            store.read(*ids, 1, 0, 1)
        with pytest.raises(ValueError, match="cannot be part"):
            store.attempts(*ids)
    with pytest.raises(ValueError, match="cannot be part"):
        store.remove(bad)


def test_a_log_goes_on_where_it_ends(blobs: Blobs) -> None:
    """Opened again, by another process perhaps, with the same bound."""
    said = [(OUT, f"line {number}\n", number) for number in range(30)]
    stores = [LogStore(blobs) for _ in range(3)]
    pieces = [piece for n, store in enumerate(stores) for piece in write(store, *said[n::3])]
    assert list(whole(stores[0]).pieces) == pieces
    assert [piece.offset for piece in pieces] == sorted(piece.offset for piece in pieces)


def test_the_bound_holds_for_a_log_that_goes_on(folder: FolderBlobs) -> None:
    """The segments of earlier writers count."""
    text = ""
    for _ in range(20):
        with closing(LogStore(folder, max_bytes=SMALL).open(*NAMES)) as writer:
            text += flood(writer, 50)
        assert sum(size for _, size in folder.list("logs")) <= SMALL
    page = whole(LogStore(folder))
    assert len([piece for piece in page.pieces if missing(piece)]) == 1
    assert page.total == len(text)
    assert text.endswith(page.pieces[-1].text)


@pytest.mark.parametrize("cut", range(1, 25))
def test_a_torn_record_is_passed_over_and_cut_off(blobs: Blobs, cut: int) -> None:
    """A log then ends at its last whole record, and says that and why it ends there."""
    store = LogStore(blobs)
    pieces = write(store, (OUT, "whole\n", 1), (OUT, "torn\N{PARTY POPPER}", 2))
    ((name, size),) = blobs.list("logs")
    blobs.truncate(name, size - cut)
    assert whole(store) == LogSlice((pieces[0],), 6, 6, 0)
    assert all_bytes(store) == b"whole\n"
    store.recover(*NAMES, "the server was stopped here", 3)
    end = LogPiece(6, SYSTEM, "the server was stopped here", 3)
    assert whole(store) == LogSlice((pieces[0], end), 33, 33, 0)
    assert all_bytes(store) == b"whole\nthe server was stopped here"
    assert blobs.size(name) == HEADER.size + len("whole\n")


def test_a_log_of_one_torn_record_is_empty(folder: FolderBlobs) -> None:
    """It can be recovered all the same; so can one that was never begun."""
    store = LogStore(folder)
    for size in (0, 1, 16, 17, 18):
        write(store, (OUT, "torn", 1))
        ((name, _),) = folder.list("logs")
        folder.truncate(name, size)
        assert whole(store) == LogSlice((), 0, 0, 0)
        store.recover(*NAMES, "stopped", 3)
        assert whole(store).pieces == (LogPiece(0, SYSTEM, "stopped", 3),)
        store.remove("exec_1")
    store.recover(*NAMES, "stopped", 3)
    assert whole(store).pieces == (LogPiece(0, SYSTEM, "stopped", 3),)


@pytest.mark.parametrize(
    "rest",
    [bytes(4096), b"\xff" * 4096, HEADER.pack(0, 1, 1, 0) + b"x", HEADER.pack(9, 1, 1, 0) + b"x"],
    ids=["zeros", "ones", "no kind", "another kind"],
)
def test_what_is_no_record_ends_a_log(folder: FolderBlobs, tmp_path: Path, rest: bytes) -> None:
    """A loss of power may leave anything."""
    store = LogStore(folder)
    (piece,) = write(store, (OUT, "whole", 1))
    ((name, _),) = folder.list("logs")
    with (tmp_path / name).open("ab") as file:
        file.write(rest)
    assert whole(store).pieces == (piece,)
    assert all_bytes(store) == b"whole"


def test_what_is_dropped_while_it_is_read_is_left_out(folder: FolderBlobs) -> None:
    """With what was left out before it: in pieces that is told, in bytes it is an error."""
    store = LogStore(folder, max_bytes=SMALL)
    with closing(store.open(*NAMES)) as writer:
        text = flood(writer)
    (note,) = [piece for piece in whole(store).pieces if missing(piece)]
    log = StoredLog(folder, "logs/exec_1/stage/1")
    tail = [
        each.blob for each in log.stretches if each.start.characters_of(LogStream) > note.offset
    ]
    for name in tail[:2]:
        assert name is not None
        folder.remove(name)
    page = log.read(0, EVERYTHING, LogStream)
    (longer,) = [piece for piece in page.pieces if missing(piece)]
    behind = page.pieces[page.pieces.index(longer) + 1]
    assert longer.offset == note.offset
    assert longer.offset + (missing(longer) or 0) == behind.offset
    assert (missing(longer) or 0) > (missing(note) or 0)
    assert text[behind.offset :] == texts(page.pieces[page.pieces.index(behind) :])
    with pytest.raises(FileNotFoundError, match="a part of the log is gone"):
        list(log.read_bytes(0, None, LogStream))


def test_other_files_are_no_segments(folder: FolderBlobs) -> None:
    """Whoever puts one into the folder of a log does not change the log."""
    store = LogStore(folder)
    (piece,) = write(store, (OUT, "whole", 1))
    for name in ("README", "0", "1-2-3", f"{0:015}", "below/it"):
        folder.put(f"logs/exec_1/stage/1/{name}", [b"x"])
    folder.put("logs/exec_1/stage/notes/x", [b"x"])
    assert whole(store).pieces == (piece,)
    assert store.attempts("exec_1", "stage") == [1]


@pytest.mark.parametrize("max_bytes", [-1, 0, 8191])
def test_a_bound_that_is_too_small_is_refused(folder: FolderBlobs, max_bytes: int) -> None:
    """Head and tail would have no place."""
    with pytest.raises(ValueError, match="at least 8192 bytes"):
        LogStore(folder, max_bytes)
