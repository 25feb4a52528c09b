"""How far a log is, and its end as it is in memory."""

import pytest
from hypothesis import given, strategies as st
from runcast.core.execution.log import LogPiece, LogStream
from runcast.core.execution.stage_log import TAIL_CHARACTERS, StageLog

STREAMS = st.sampled_from(LogStream)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
SAID = st.lists(st.tuples(STREAMS, TEXTS), max_size=12)


def logged(*said: tuple[LogStream, str], before: StageLog | None = None) -> StageLog:
    """A log to which these texts were appended, without a gap."""
    log = before or StageLog()
    for stream, text in said:
        log = log.appended(LogPiece(log.length, stream, text, 1000), log.output_length)
    return log


def of(stream: LogStream, said: list[tuple[LogStream, str]]) -> str:
    return "".join(text for each, text in said if each is stream)


@given(SAID, st.integers(0, 80), st.integers(0, 80))
def test_a_part_of_stdout_is_a_slice_of_the_whole(
    said: list[tuple[LogStream, str]], offset: int, limit: int
) -> None:
    """Wherever it begins and however long it is; other streams are not in it, nor counted."""
    log, whole = logged(*said), of(LogStream.STDOUT, said)
    assert log.output(offset, limit) == whole[offset : offset + limit]
    assert log.output_length == len(whole)
    assert log.length == sum(len(text) for _, text in said)


@given(SAID, SAID)
def test_a_log_never_changes(
    first: list[tuple[LogStream, str]], second: list[tuple[LogStream, str]]
) -> None:
    """Also when others, appended to it, go on."""
    log = logged(*first)
    logged(*second, before=log)
    assert log == logged(*first)
    assert log.output(0, 1000) == of(LogStream.STDOUT, first)


@given(SAID)
def test_the_tail_is_the_log_s_end_in_order(said: list[tuple[LogStream, str]]) -> None:
    """Each piece begins where the one before has ended, and the last one ends with the log."""
    log = logged(*said)
    places = [place for piece in log.tail for place in (piece.offset, piece.end)]
    assert places[1:-1:2] == places[2::2]
    assert places[:1] + places[-1:] == ([0, log.length] if said else [])
    for stream in LogStream:
        told = "".join(piece.text for piece in log.tail if piece.stream is stream)
        assert told == of(stream, said)


@pytest.mark.parametrize("size", [7, 1000, 4096, 4097, 32_768, TAIL_CHARACTERS, 100_000])
def test_a_bounded_end_of_a_long_log_is_in_memory(size: int) -> None:
    """What is before it is in the file: nobody is told that it was nothing."""
    text = "".join(chr(0x4E00 + number % 20_000) for number in range(3 * TAIL_CHARACTERS))
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    log = logged(*((LogStream.STDOUT, piece) for piece in pieces))
    stored = sum(len(piece.text) for piece in log.tail)
    assert min(size, TAIL_CHARACTERS) <= stored <= max(TAIL_CHARACTERS + 8192, size)
    assert log.output(log.length - stored, stored) == text[-stored:]
    assert log.output(log.length - stored - 1, 1) is None
    assert log.output(0, 10) is None


def test_the_end_of_a_stream_that_was_silent_for_long_is_in_the_file() -> None:
    """Where a lot was said on another stream since, nothing of it is in memory."""
    log = logged((LogStream.STDOUT, "first"), (LogStream.STDERR, "x" * 2 * TAIL_CHARACTERS))
    assert (log.output(0, 5), log.output(3, 1), log.output(5, 1)) == (None, None, "")
    log = logged((LogStream.STDOUT, "more"), before=log)
    assert (log.output(4, 5), log.output(5, 5), log.output(7, 1)) == (None, "more", "r")


def test_what_was_too_much_to_be_told_leaves_a_gap() -> None:
    """The lengths are those of the whole; what is asked of the gap is not in memory."""
    log = logged((LogStream.STDOUT, "begin "), (LogStream.STDERR, "warning"))
    log = log.appended(LogPiece(1013, LogStream.STDOUT, "end", 1000), 506)
    assert (log.length, log.output_length) == (1016, 509)
    assert [piece.text for piece in log.tail] == ["end"]
    assert (log.output(506, 9), log.output(508, 9), log.output(505, 9)) == ("end", "d", None)
    assert (log.output(0, 3), log.output(509, 9)) == (None, "")


def test_nothing_of_a_log_that_has_ended_is_in_memory() -> None:
    """Only how long it is."""
    log = logged((LogStream.STDOUT, "out"), (LogStream.SYSTEM, "stopped\n")).closed()
    assert log == StageLog(length=11, output_length=3)
    assert (log.output(0, 3), log.output(3, 3), log.output(0, 0)) == (None, "", "")


def test_a_beginning_that_somebody_has_read_is_shown() -> None:
    """What lies behind it is not taken for the end."""
    log = StageLog(length=20, output_length=10, head="01234")
    assert (log.output(0, 5), log.output(2, 2), log.output(5, 0)) == ("01234", "23", "")
    assert (log.output(0, 6), log.output(4, 6), log.output(10, 1)) == (None, None, "")
    assert StageLog(5, 5, head="01234").output(0, 1000) == "01234"
