"""From all that an attempt says to its log, whole, and to a bounded number of events."""

import asyncio
import itertools
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st
from memory_stores import AtOnce, BytesSpool
from patience import turns, until
from recorded_log import Recorded, held_threads
from runcast.core.errors import IllegalMove
from runcast.core.execution.log import LogStream
from runcast.core.execution.stored import TooLarge
from runcast.core.running import attempt_log
from runcast.core.running.attempt_log import (
    FULL_BYTES,
    LIVE_CHARACTERS,
    LIVE_PIECES,
    PIECE_CHARACTERS,
    WINDOW_SECONDS,
    AttemptLog,
)
from runcast.core.running.lines import LONG_LINE_BYTES

pytestmark = pytest.mark.usefixtures("leaves_no_task")

OUT, ERR, SYSTEM = LogStream.STDOUT, LogStream.STDERR, LogStream.SYSTEM
PIPES = st.sampled_from([OUT, ERR])
BYTES = st.binary(max_size=8) | st.sampled_from(
    [b"\n", b"\r", b"\r\n", b"\0", b"\xff", "é".encode(), "é".encode()[:1], "€😀".encode(), b"x"]
)


# When it is told


@pytest.fixture
def long_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window that no machine is so slow as to leave."""
    monkeypatch.setattr(attempt_log, "WINDOW_SECONDS", 600.0)


async def test_the_first_text_goes_out_at_once_and_the_rest_together(long_window: None) -> None:
    """What follows waits for the window, or for the end if that is sooner."""
    told = Recorded()
    async with told.log() as log:
        log.emit("a")
        await turns()
        assert told.texts() == ["a"]
        for _ in range(100):
            log.emit("b")
    assert told.texts() == ["a", "b" * 100]


async def test_the_end_of_a_line_may_come_alone(long_window: None) -> None:
    """As Python writes it where nothing is buffered: its line is told as soon as it is whole."""
    told = Recorded()
    async with told.log() as log:
        log.receive(OUT, b"a line")
        await turns()
        assert told.texts() == []
        log.receive(OUT, b"\n")
        await turns()
        assert told.texts() == ["a line\n"]
        log.receive(OUT, b"another\n")
        await turns()
        assert told.texts() == ["a line\n"], "one a window"


async def test_a_flood_does_not_wait_for_the_window(long_window: None) -> None:
    """All of it is stored as it comes; what is told of it live comes when the window is over."""
    told, waits = Recorded(), list[bool]()
    async with told.log() as log:
        log.make_wait(waits.append)
        log.emit("a")
        await turns()
        for _ in range(5):
            log.emit("b" * (FULL_BYTES + 1))
            await turns()
        assert waits == [True, False] * 5
        assert told.texts() == ["a"]
        assert len(told.stored()) == 1 + 5 * (FULL_BYTES + 1)
    assert LIVE_CHARACTERS - PIECE_CHARACTERS < len(told.text()) <= LIVE_CHARACTERS + 1


async def test_the_window_passes_on_what_was_gathered() -> None:
    """While the stage still runs, not sooner than WINDOW_SECONDS after the piece before."""
    told, loop = Recorded(), asyncio.get_running_loop()
    async with told.log() as log:
        log.emit("a")
        await until(lambda: told.pieces)
        begin = loop.time()
        log.emit("b")
        await until(lambda: told.text() == "ab")
        assert loop.time() - begin > WINDOW_SECONDS / 2


async def test_a_text_after_a_pause_goes_out_at_once() -> None:
    """A stage that says a line now and then is heard as soon as it does."""
    told, loop = Recorded(), asyncio.get_running_loop()
    async with told.log() as log:
        for number in range(3):
            log.receive(OUT, b"line %d\n" % number)
            await turns()
            assert told.text() == "".join(f"line {n}\n" for n in range(number + 1))
            after = loop.time() + 4 * WINDOW_SECONDS
            await until(lambda after=after: loop.time() > after)


async def test_a_silent_stage_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one that has said something, nothing wakes up while it says no more."""
    told, loop = Recorded(), asyncio.get_running_loop()
    async with told.log() as log:
        log.receive(OUT, b"a line\nand a beginning")
        await until(lambda: told.text() == "a line\nand a beginning")
        await asyncio.sleep(3 * WINDOW_SECONDS)
        timers: list[object] = []
        call_at = loop.call_at

        def counted(*arguments: Any, **named: Any) -> Any:
            timers.append(arguments)
            return call_at(*arguments, **named)

        monkeypatch.setattr(loop, "call_at", counted)
        await asyncio.sleep(10 * WINDOW_SECONDS)
        assert len(timers) <= 1, "the test's own sleep"


async def test_a_line_without_an_end_is_not_waited_for() -> None:
    """A question, or a bar that grows, is seen before its line is whole."""
    told = Recorded()
    async with told.log() as log:
        for part in ("Continue? ", "[y/n] ", "\x1b[K\r 50%"):
            log.receive(OUT, part.encode())
            await until(lambda part=part: told.text().endswith(part))


async def test_a_line_that_grows_and_grows_is_seen_growing() -> None:
    """Dots, or a bar that is drawn anew, without an end for a long time."""
    told = Recorded()
    async with told.log() as log, asyncio.timeout(30):
        while len(told.pieces) < 3:
            log.receive(OUT, b".")
            await asyncio.sleep(WINDOW_SECONDS / 10)
    assert set(told.stored()) == {"."}


async def test_it_knows_whether_anything_was_said() -> None:
    """The empty text is nothing, and what the engine says is not the stage's."""
    async with Recorded().log() as log:
        log.emit("")
        log.write(SYSTEM, "attempt 2 begins\n")
        assert log.silent
        log.emit("a")
        assert not log.silent
    for say in (
        lambda log: log.write(ERR, "a"),
        lambda log: log.receive(OUT, b"a"),
        lambda log: log.receive(ERR, b"\xc3"),
    ):
        async with Recorded().log() as log:
            say(log)
            assert not log.silent


async def test_what_was_said_before_a_cancel_is_passed_on() -> None:
    """The end of the output of a stopped stage is what one wants to see."""
    told = Recorded()

    async def stage() -> None:
        async with told.log() as log:
            log.emit("a")
            await asyncio.sleep(0)
            log.receive(ERR, b"last ")
            log.receive(ERR, b"words")
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(stage())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (told.text(OUT), told.text(ERR)) == ("a", "last words")
    assert told.stored(ERR) == "last words" and told.writer.closed


async def test_a_refused_piece_is_no_secret() -> None:
    """The error of the sink comes out of the block; the log is whole all the same."""
    told = Recorded(refusal=IllegalMove("no"))
    with pytest.raises(IllegalMove):
        async with told.log() as log:
            log.emit("a")
            await turns()
            log.emit("b")
    assert told.stored() == "ab" and told.writer.closed
    with pytest.raises(IllegalMove):
        async with Recorded(refusal=IllegalMove("no")).log() as log:
            log.progress(0.5)


async def test_a_log_is_made_when_something_is_said() -> None:
    """A stage that says nothing leaves no file."""
    told = Recorded()
    async with told.log() as log:
        log.emit("")
        await turns()
    assert told.opened == 0
    async with told.log() as log:
        log.emit("a")
        log.emit("b")
    assert told.opened == 1


# That all is there, in order


@given(st.lists(st.tuples(PIPES, BYTES), max_size=20))
@example([(OUT, b"\xe2"), (ERR, b"\xe2\x82"), (OUT, b"\x82\xac"), (ERR, b"\xac\n")])
@example([(OUT, b"a\0b\r\nc\r"), (OUT, b"\n\xf0\x9f\x98"), (ERR, b"\x80"), (OUT, b"\n")])
def test_nothing_is_lost_or_in_another_order(chunks: list[tuple[LogStream, bytes]]) -> None:
    """Of each stream, in whatever chunks it comes; what is no UTF-8 is replaced."""
    told = played(lambda log: [log.receive(*chunk) for chunk in chunks])
    for stream in (OUT, ERR):
        whole = b"".join(data for each, data in chunks if each is stream)
        assert told.stored(stream) == told.text(stream) == whole.decode("utf-8", "replace")
    told.check_places()


@given(st.lists(st.tuples(st.sampled_from(LogStream), st.text(max_size=6)), max_size=20))
def test_texts_stay_in_their_order_over_all_streams(texts: list[tuple[LogStream, str]]) -> None:
    """Half a surrogate pair becomes a question mark, everything else is as it came."""
    told = played(lambda log: [log.write(*text) for text in texts])
    clean = [(stream, text.encode("utf-8", "replace").decode()) for stream, text in texts]
    assert told.stored() == told.text() == "".join(text for _, text in clean)
    for stream in LogStream:
        assert told.stored(stream) == "".join(text for each, text in clean if each is stream)
    told.check_places()


@pytest.mark.parametrize("last", [b"words", b"", b"half a character \xc3"])
async def test_what_the_engine_says_comes_after_the_last_words(last: bytes) -> None:
    """Although nobody knows yet that their line has come to its end."""
    told = Recorded()
    async with told.log() as log:
        log.receive(OUT, b"a line\n" + last)
        log.receive(ERR, last)
        log.write(SYSTEM, "the stage failed\n")
    said = last.decode("utf-8", "replace")
    assert told.stored() == told.text() == f"a line\n{said}{said}the stage failed\n"


LINES = st.lists(
    st.tuples(PIPES, st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))),
    max_size=12,
)


@given(LINES, st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_no_line_is_torn_when_both_streams_write(
    lines: list[tuple[LogStream, str]], random: Any
) -> None:
    """Each pipe has its lines in chunks of its own; the log has whole lines of either."""
    pipes = {
        stream: "".join(text + "\n" for each, text in lines if each is stream).encode()
        for stream in (OUT, ERR)
    }

    def write(log: AttemptLog) -> None:
        while any(pipes.values()):
            stream = random.choice([each for each, rest in pipes.items() if rest])
            size = random.randint(1, 12)
            log.receive(stream, pipes[stream][:size])
            pipes[stream] = pipes[stream][size:]

    told = played(write)
    for stream in (OUT, ERR):
        whole = [text for each, text in lines if each is stream]
        assert [text for each, text in told.lines() if each is stream] == whole


@pytest.mark.parametrize("chunk", [65_536, 65_537, 100_000, 262_144])
async def test_no_line_is_torn_by_a_large_chunk(chunk: int) -> None:
    """A pipe gives what it has: many lines, and the beginning of one."""
    line = b"a line of stdout that is rather long but not too long\n"
    data = line * (3 * chunk // len(line))
    told = Recorded()
    async with told.log() as log:
        for start in range(0, len(data), chunk):
            log.receive(OUT, data[start : start + chunk])
            log.receive(ERR, b"a warning\n")
    assert {text for stream, text in told.lines() if stream is OUT} == {line.decode().rstrip("\n")}
    assert {text for stream, text in told.lines() if stream is ERR} == {"a warning"}


@pytest.mark.parametrize("size", [LONG_LINE_BYTES - 1, LONG_LINE_BYTES + 1, 900_000])
@pytest.mark.parametrize("end", [b"", b"\n"])
async def test_a_long_line_is_there_whole(size: int, end: bytes) -> None:
    """It may come in several pieces, for nobody waits for its end; not a character is missing."""
    line = "".join(chr(0x4E00 + number % 20_000) for number in range(size)).encode()
    told = Recorded()
    async with told.log() as log:
        for start in range(0, len(line), 65_536):
            log.receive(ERR, line[start : start + 65_536])
            await turns(1)
        log.receive(ERR, end)
    assert told.stored(ERR) == (line + end).decode()


async def test_a_line_without_an_end_is_not_gathered_for_ever() -> None:
    """Of 64 MiB without a newline, no more than a few long lines wait in memory."""
    told, most = Recorded(), 0
    async with told.log() as log:
        for _ in range(1024):
            log.receive(OUT, b"x" * 65_536)
            most = max(most, max(lines.begun for lines in log._storage._lines.values()))
            await turns(3)
    assert most <= LONG_LINE_BYTES
    assert len(told.stored()) == 64 << 20


# That it is bounded


async def test_long_text_comes_in_pieces() -> None:
    """None is longer than PIECE_CHARACTERS."""
    told, text = Recorded(), "ä" * (2 * PIECE_CHARACTERS + 1)
    async with told.log() as log:
        log.emit(text)
    assert [len(one) for one in told.texts()] == [PIECE_CHARACTERS, PIECE_CHARACTERS, 1]
    assert told.text() == text


@pytest.mark.parametrize("size", [3, PIECE_CHARACTERS - 1, PIECE_CHARACTERS * 3])
async def test_of_a_flood_the_end_is_told(size: int) -> None:
    """Within the bounds of a window; its offset says what was left out, and the log has it all."""
    told, counter = Recorded(), itertools.count()
    whole = ""
    async with told.log() as log:
        await turns()
        while len(whole) < LIVE_CHARACTERS * 3:
            streams = (OUT, ERR) if size == 3 else (OUT,)
            for stream in streams:
                text = f"{next(counter):09}"[-9:] * (-(-size // 9))
                log.write(stream, text)
                whole += text
        await until(lambda: told.pieces)
        last = told.pieces[-1]
        assert (last.end, whole[last.offset :]) == (len(whole), last.text)
        assert len(told.pieces) <= LIVE_PIECES
        assert sum(len(piece.text) for piece in told.pieces) <= LIVE_CHARACTERS
    assert told.stored() == whole
    assert "".join(told.texts()) == whole[told.pieces[0].offset :]
    told.check_places()


async def test_a_flood_is_told_again_and_again() -> None:
    """The live view does not stand still; what it shows is never older than a window or two."""
    told = Recorded()
    async with told.log() as log:
        for number in range(20):
            text = f"{number:06}\n" * 100_000
            log.write(OUT, text)
            await until(lambda end=f"{number:06}\n": told.pieces and told.texts()[-1][-7:] == end)
    assert told.stored() == "".join(f"{number:06}\n" * 100_000 for number in range(20))


async def test_who_writes_more_than_can_be_stored_is_made_to_wait() -> None:
    """Until it is stored; what had come by then is not lost."""
    told, pauses = Recorded(), list[bool]()
    with held_threads() as (threads, gate):
        async with told.log(threads) as log:
            log.make_wait(pauses.append)
            for _ in range(FULL_BYTES // 65_536):
                log.receive(OUT, b"x" * 65_535 + b"\n")
            assert pauses == []
            log.receive(OUT, b"\n")
            assert pauses == [True]
            for _ in range(3):
                log.receive(OUT, b"y\n")
            await turns()
            assert pauses == [True]
            gate.set()
            await until(lambda: pauses == [True, False])
            log.receive(OUT, b"z\n")
    assert pauses == [True, False]
    assert len(told.stored()) == FULL_BYTES + 1 + 3 * 2 + 2


async def test_who_is_made_to_wait_is_always_let_go() -> None:
    """Also if the attempt ends first: others may read from the same connection."""
    told, pauses = Recorded(), list[bool]()
    with held_threads() as (threads, gate):

        async def stage() -> None:
            async with told.log(threads) as log:
                log.make_wait(pauses.append)
                log.receive(OUT, b"x" * FULL_BYTES + b"x\n")
                await asyncio.get_running_loop().create_future()

        task = asyncio.create_task(stage())
        await until(lambda: pauses)
        task.cancel()
        await turns()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert pauses == [True, False]


async def test_who_comes_late_to_a_full_log_waits_as_well() -> None:
    """A child may have written before anybody could make it wait."""
    told, pauses = Recorded(), list[bool]()
    with held_threads() as (threads, gate):
        async with told.log(threads) as log:
            log.receive(OUT, b"x" * FULL_BYTES + b"x\n")
            log.make_wait(pauses.append)
            assert pauses == [True]
            gate.set()
            await until(lambda: pauses == [True, False])


# Disks and threads


async def test_a_disk_that_hangs_does_not_hold_the_event_loop() -> None:
    """What is said meanwhile waits, and goes out when the disk is back."""
    told, loop = Recorded(), asyncio.get_running_loop()
    with held_threads() as (threads, gate):
        async with told.log(threads) as log:
            for number in range(200):
                log.emit(f"{number}\n")
                begin = loop.time()
                await asyncio.sleep(0.001)
                assert loop.time() - begin < 5
            assert told.pieces == []
            gate.set()
            await until(lambda: told.text().endswith("199\n"))
    assert told.stored() == "".join(f"{number}\n" for number in range(200))


@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancel_while_the_disk_hangs_loses_nothing(times: int) -> None:
    """However often it comes; nor are there ever two threads at one log."""
    told = Recorded()
    with held_threads(4) as (threads, gate):

        async def stage() -> None:
            async with told.log(threads) as log:
                log.emit("first, ")
                await asyncio.get_running_loop().create_future()

        task = asyncio.create_task(stage())
        await until(lambda: told.writer.entered)
        for _ in range(times):
            task.cancel()
            await turns()
        assert not task.done(), "the log is not closed before it is written"
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (told.text(), told.stored(), told.writer.closed) == ("first, ", "first, ", True)
    assert told.writer.most_at_once == 1


async def test_a_cancel_while_the_value_is_waited_for_loses_nothing() -> None:
    """What is being stored is told, and what comes after it is not stored before it."""
    told, spool = Recorded(), BytesSpool(100)
    with held_threads(4) as (threads, gate):

        async def stage() -> None:
            async with told.log(threads) as log:
                log.keep_value(spool)
                log.receive(OUT, b"one\n")
                try:
                    await log.value()
                finally:
                    log.emit("two\n")

        task = asyncio.create_task(stage())
        await until(lambda: told.writer.entered)
        task.cancel()
        await turns()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert told.stored() == told.text() == "one\ntwo\n"
    assert told.writer.most_at_once == 1
    assert spool.discarded


# The value


@pytest.mark.parametrize("chunks", [[b"abc", b"", b"de"], [b"a" * 70_000, b"b" * 900_000], []])
async def test_the_value_is_every_byte_of_stdout(chunks: list[bytes]) -> None:
    """As it came, also what is no text; nothing of stderr, nor of what is emitted."""
    told = Recorded()
    data = [*chunks, b"\xff\0\r\n", "é".encode()[:1]]
    async with told.log() as log:
        log.keep_value(BytesSpool(1 << 20))
        for chunk in data:
            log.receive(OUT, chunk)
            log.receive(ERR, b"other")
            log.emit("words")
            await turns(1)
        assert await log.value() == b"".join(data)


@pytest.mark.parametrize("size", [9, 10])
async def test_a_value_may_be_as_large_as_its_limit(size: int) -> None:
    """To the byte."""
    async with Recorded().log() as log:
        log.keep_value(BytesSpool(10))
        log.receive(OUT, b"x" * size)
        assert await log.value() == b"x" * size
        assert not log.spoiled.is_set()


@pytest.mark.parametrize("chunks", [[b"x" * 11], [b"x" * 10, b"x"], [b"x"] * 11, [b"x" * 10**6]])
async def test_a_value_over_its_limit_is_told_at_that_moment(chunks: list[bytes]) -> None:
    """While the stage still runs; the log goes on, and there is no value."""
    told = Recorded()
    async with told.log() as log:
        log.keep_value(BytesSpool(10))
        for chunk in chunks:
            log.receive(OUT, chunk)
        async with asyncio.timeout(30):
            await log.spoiled.wait()
        log.receive(OUT, b"and more")
        with pytest.raises(TooLarge):
            await log.value()
    assert told.stored() == b"".join([*chunks, b"and more"]).decode()


async def test_a_value_that_cannot_be_stored_is_an_error_and_no_part_of_it() -> None:
    """The stage is told at that moment, and why; what it says goes on to its log."""
    told, spool = Recorded(), BytesSpool(100, fault=OSError(28, "No space left on device"))
    async with told.log() as log:
        log.keep_value(spool)
        log.receive(OUT, b"one\n")
        async with asyncio.timeout(30):
            await log.spoiled.wait()
        spool.fault = None
        log.receive(OUT, b"two\n")
        with pytest.raises(OSError, match="No space left on device"):
            await log.value()
    assert told.stored() == told.text() == "one\ntwo\n"
    assert spool.discarded


async def test_a_value_that_nobody_asks_for_is_discarded() -> None:
    """As after a failed attempt."""
    spool = BytesSpool(100)
    async with Recorded().log() as log:
        log.keep_value(spool)
        log.receive(OUT, b"x")
    assert spool.discarded


# Progress


@pytest.mark.parametrize(
    ("said", "reported"),
    [
        *((0, 0.0), (0.25, 0.25), (1, 1.0), (-3, 0.0), (7.5, 1.0)),
        *((float("inf"), 1.0), (float("-inf"), 0.0), (float("nan"), 0.0)),
    ],
)
async def test_progress_is_a_number_from_0_to_1(said: float, reported: float) -> None:
    """Whatever a stage says."""
    told = Recorded()
    async with told.log() as log:
        log.progress(said)
        await until(lambda: told.progresses)
    assert told.progresses == [reported]
    assert log.silent, "a number is no text"


async def test_progress_is_reported_once_a_window() -> None:
    """The latest; the last one in any case."""
    told = Recorded()
    async with told.log() as log:
        for number in range(1000):
            log.progress(number / 1000)
        await until(lambda: told.progresses)
        for number in range(1000):
            log.progress(number / 2000)
    assert told.progresses == [0.999, 0.4995]


def played(write: Callable[[AttemptLog], object], threads: Executor | None = None) -> Recorded:
    """What a log has told when all that `write` says was said at once."""
    told = Recorded()

    async def play() -> None:
        async with told.log(threads or AtOnce()) as log:
            write(log)

    asyncio.run(play())
    return told
