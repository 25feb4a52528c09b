"""Whatever is said and however it is read, a log is what a plain list of it is."""

import errno
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path

from hypothesis import example, given, settings, strategies as st
from log_model import EVERYTHING, NAMES, LogModel, missing, say, texts, whole
from runcast.core.encoded_text import Chunk
from runcast.core.execution.log import LogPiece, LogStream
from runcast.core.results.blobs import Appender, FolderBlobs
from runcast.core.results.logs import LogStore

ALPHABET = "ab\0\r\n äß€\u2028\ufeff\N{PARTY POPPER}\N{COMBINING ACUTE ACCENT}"
SMALL = 8192
SEGMENT = 1024
FULL = "No space left on device"

streams = st.sampled_from(LogStream)
chosen = st.sets(streams)
# Few moments, so that pieces meet that were said by one stream at one of them.
moments = st.integers(1, 3)
short = st.text(ALPHABET, max_size=30)
long = st.builds(lambda text, times: text * times, short, st.sampled_from([20, 100]))
said = st.lists(st.tuples(streams, short | long, moments), max_size=20)
places = st.integers(0, 4000)
pages = st.lists(st.tuples(places, places, chosen), min_size=1, max_size=8)
quick = settings(max_examples=50, deadline=None)


@contextmanager
def a_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def paged(store: LogStore, limit: int) -> Iterator[LogPiece]:
    """The whole log, page by page."""
    offset = 0
    while (page := store.read(*NAMES, offset, limit)).pieces:
        yield from page.pieces
        offset = page.next_offset
    assert offset == page.total


def all_bytes(store: LogStore, streams: set[LogStream] | None = None) -> bytes:
    return b"".join(store.read_bytes(*NAMES, streams=streams or set(LogStream)))


def check_bytes(store: LogStore, start: int, end: int, streams: set[LogStream]) -> None:
    """The same text in bytes as in pieces, whole and in part."""
    expected = texts(whole(store, streams).pieces).encode()
    assert b"".join(store.read_bytes(*NAMES, streams=streams)) == expected
    assert store.size_bytes(*NAMES, streams=streams) == len(expected)
    assert b"".join(store.read_bytes(*NAMES, start, end, streams)) == expected[start:end]


def check_pieces(store: LogStore, model: LogModel) -> int:
    """What is stored is what was said, and each gap is told; returns how much is missing."""
    page = whole(store)
    offset, left_out = 0, 0
    for piece in page.pieces:
        assert piece.offset == offset
        number = missing(piece)
        if number is None:
            assert [piece] == model.pieces(offset, len(piece.text))
            offset += len(piece.text)
        else:
            left_out += number
            offset += number
    assert offset == page.next_offset == page.total
    assert left_out == page.left_out
    return left_out


@quick
@given(said, pages)
def test_pages(
    said: list[tuple[LogStream, str, int]], pages: list[tuple[int, int, set[LogStream]]]
) -> None:
    """Pieces, output and bytes, at any place and of any streams, in small segments."""
    model = LogModel()
    with a_folder() as folder:
        store = LogStore(FolderBlobs(folder), segment_bytes=SEGMENT)
        with closing(store.open(*NAMES)) as writer:
            for stream, text, at in said:
                piece = say(writer, stream, text, at)
                assert piece == LogPiece(len(model.characters), stream, text, at)
                model.append(stream, text, at)
        assert check_pieces(store, model) == 0
        output = model.text({LogStream.STDOUT})
        for offset, limit, streams in pages:
            page = store.read(*NAMES, offset, limit, streams)
            assert list(page.pieces) == model.pieces(offset, limit, streams)
            assert page.next_offset == max(offset, min(offset + limit, page.total))
            assert page.total == len(model.characters)
            text, next_offset, total, _ = store.read_output(*NAMES, offset, limit)
            assert text == output[offset : offset + limit]
            assert next_offset == offset + len(text)
            assert total == len(output)
            check_bytes(store, offset, offset + limit, streams)
        assert all_bytes(store) == model.text().encode()


@quick
@given(st.lists(said, max_size=5), places, places, chosen, st.integers(50, 3000))
def test_long_logs(
    sessions: list[list[tuple[LogStream, str, int]]],
    start: int,
    length: int,
    streams: set[LogStream],
    limit: int,
) -> None:
    """Beyond the bound, too, and over several writers, what is missing is one gap in the middle."""
    model = LogModel()
    with a_folder() as folder:
        blobs = FolderBlobs(folder)
        store = LogStore(blobs, SMALL)
        for said in sessions:
            with closing(store.open(*NAMES)) as writer:
                for stream, text, at in said:
                    assert say(writer, stream, text, at).offset == len(model.characters)
                    model.append(stream, text, at)
            assert sum(size for _, size in blobs.list("logs")) <= SMALL
        left_out = check_pieces(store, model)
        pieces = whole(store).pieces
        gaps = [index for index, piece in enumerate(pieces) if missing(piece) is not None]
        assert len(gaps) == (left_out > 0)
        if gaps:
            assert 0 < gaps[0] < len(pieces) - 1
        assert texts(list(paged(store, limit))) == texts(pieces)
        check_bytes(store, start, start + length, streams)


class Faults:
    """Which of the next operations fail."""

    def __init__(self, pattern: list[bool]) -> None:
        self.pattern = pattern
        self.met = 0

    def check(self) -> None:
        if self.pattern and self.pattern.pop():
            self.met += 1
            raise OSError(errno.ENOSPC, FULL)


class FaultyAppender:
    """Takes half of what it does not take."""

    def __init__(self, appender: Appender, faults: Faults) -> None:
        self._appender = appender
        self._faults = faults

    def append(self, *data: Chunk) -> None:
        try:
            self._faults.check()
        except OSError:
            whole = b"".join(data)
            self._appender.append(whole[: len(whole) // 2])
            raise
        self._appender.append(*data)

    def close(self) -> None:
        self._appender.close()


class FaultyBlobs(FolderBlobs):
    """Whose operations fail at random; whoever takes something back after that may fail, too."""

    def __init__(self, root: Path, faults: Faults) -> None:
        super().__init__(root)
        self._faults = faults

    def appender(self, name: str) -> Appender:
        self._faults.check()
        return FaultyAppender(super().appender(name), self._faults)

    def truncate(self, name: str, size: int) -> None:
        self._faults.check()
        super().truncate(name, size)

    def remove(self, name: str) -> None:
        self._faults.check()
        super().remove(name)


# What is left of the second piece is as long as the piece itself would be.
@example(
    [(LogStream.STDOUT, "a", 1), (LogStream.STDOUT, "x" * 25, 1)],
    [True, True, False, True],
    SMALL,
    (0, 0, set(), 50),
)
@quick
@given(
    said,
    st.lists(st.booleans() | st.just(False), max_size=60),
    st.sampled_from([SMALL, 1 << 20]),
    st.tuples(places, places, chosen, st.integers(50, 3000)),
)
def test_faults(
    said: list[tuple[LogStream, str, int]],
    pattern: list[bool],
    max_bytes: int,
    page: tuple[int, int, set[LogStream], int],
) -> None:
    """What is not stored is told with the reason; the rest is as it was said, in its place."""
    model = LogModel()
    faults = Faults(pattern)
    with a_folder() as folder:
        store = LogStore(FaultyBlobs(folder, faults), max_bytes, SEGMENT)
        stored_whole = []
        writer = store.open(*NAMES)
        for stream, text, at in said:
            met = faults.met
            piece = say(writer, stream, text, at)
            assert piece == LogPiece(len(model.characters), stream, text, at)
            model.append(stream, text, at)
            if text and met == faults.met:
                assert store.problem is None
                stored_whole.append(piece)
        faults.pattern.clear()
        writer.close()
        assert writer.loss is None
        left_out = check_pieces(store, model)
        assert whole(store).total == len(model.characters)
        pieces = whole(store).pieces
        if max_bytes > SMALL:
            there = set(
                chain.from_iterable(
                    range(each.offset, each.offset + len(each.text))
                    for each in pieces
                    if missing(each) is None
                )
            )
            for piece in stored_whole:
                assert there.issuperset(range(piece.offset, piece.offset + len(piece.text)))
            notes = [each for each in pieces if missing(each) is not None]
            assert all(FULL in note.text for note in notes)
            assert bool(notes) == bool(left_out)
        offset, length, streams, limit = page
        assert texts(list(paged(store, limit))) == texts(pieces)
        check_bytes(store, offset, offset + length, streams)
        with closing(LogStore(FolderBlobs(folder), max_bytes, SEGMENT).open(*NAMES)) as writer:
            say(writer, LogStream.SYSTEM, "goes on", 9)
        assert whole(store).pieces[-1] == LogPiece(
            len(model.characters), LogStream.SYSTEM, "goes on", 9
        )


@quick
@given(said, st.integers(0, 3000))
def test_torn_logs(said: list[tuple[LogStream, str, int]], cut: int) -> None:
    """Cut anywhere in its last segment, a log is a beginning of what was said."""
    model = LogModel()
    with a_folder() as folder:
        blobs = FolderBlobs(folder)
        store = LogStore(blobs, segment_bytes=SEGMENT)
        with closing(store.open(*NAMES)) as writer:
            for stream, text, at in said:
                say(writer, stream, text, at)
                model.append(stream, text, at)
        for name, size in blobs.list("logs")[-1:]:
            blobs.truncate(name, max(0, size - cut))
        total = whole(store).total
        assert whole(store).next_offset == total
        assert check_pieces(store, model) == 0
        assert len(model.characters) - total < cut + SEGMENT
        store.recover(*NAMES, "stopped", 9)
        page = store.read(*NAMES, total, EVERYTHING)
        assert page.pieces == (LogPiece(total, LogStream.SYSTEM, "stopped", 9),)
        assert (
            all_bytes(store)
            == (model.text().encode() + b"")[:0] + texts(whole(store).pieces).encode()
        )
