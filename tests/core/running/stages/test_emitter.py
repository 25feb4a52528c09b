"""From many small writes to a bounded number of events."""

import asyncio

import pytest
from hypothesis import given, strategies as st
from patience import turns, until
from runcast.core.errors import IllegalMove
from runcast.core.running.stages.emitter import PIECE_CHARACTERS, WINDOW_SECONDS, Emitter

pytestmark = pytest.mark.usefixtures("leaves_no_task")


class Pieces:
    """What an emitter has published."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.dropped = 0

    async def publish(self, text: str, dropped: int) -> None:
        self.texts.append(text)
        self.dropped += dropped

    @property
    def text(self) -> str:
        return "".join(self.texts)


async def test_the_first_text_goes_out_at_once_and_the_rest_together() -> None:
    """What follows waits for the window, or for the end if that is sooner."""
    pieces = Pieces()
    async with Emitter(pieces.publish, 1000) as emitter:
        emitter.emit("a")
        await turns()
        assert pieces.texts == ["a"]
        for _ in range(100):
            emitter.emit("b")
    assert pieces.texts == ["a", "b" * 100]


async def test_the_window_passes_on_what_was_gathered() -> None:
    """While the stage still runs, not sooner than WINDOW_SECONDS after the piece before."""
    pieces, loop = Pieces(), asyncio.get_running_loop()
    async with Emitter(pieces.publish, 1000) as emitter:
        emitter.emit("a")
        await until(lambda: pieces.texts)
        begin = loop.time()
        emitter.emit("b")
        await until(lambda: pieces.text == "ab")
        assert loop.time() - begin > WINDOW_SECONDS / 2


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.integers(0, 20))
def test_every_byte_is_kept_or_counted(texts: list[str], limit: int) -> None:
    """What is kept is a beginning of the whole, with no character cut in two."""

    async def play() -> Pieces:
        pieces = Pieces()
        async with Emitter(pieces.publish, limit) as emitter:
            for text in texts:
                emitter.emit(text)
        return pieces

    pieces, whole = asyncio.run(play()), "".join(texts)
    assert whole.startswith(pieces.text)
    kept, size = len(pieces.text.encode()), len(whole.encode())
    assert kept <= limit
    assert kept + pieces.dropped == size
    assert kept > limit - 4 or kept == size


async def test_long_text_comes_in_pieces() -> None:
    """None is longer than PIECE_CHARACTERS."""
    pieces, text = Pieces(), "ä" * (2 * PIECE_CHARACTERS + 1)
    async with Emitter(pieces.publish, len(text) * 2) as emitter:
        emitter.emit(text)
    assert [len(one) for one in pieces.texts] == [PIECE_CHARACTERS, PIECE_CHARACTERS, 1]
    assert pieces.text == text


async def test_what_no_utf_8_can_say_is_replaced() -> None:
    """Half a surrogate pair becomes a question mark."""
    pieces = Pieces()
    async with Emitter(pieces.publish, 100) as emitter:
        emitter.emit("a\ud800b")
    assert pieces.text == "a?b"


async def test_it_knows_whether_anything_was_emitted() -> None:
    """The empty text is nothing."""
    async with Emitter(Pieces().publish, 0) as emitter:
        emitter.emit("")
        assert emitter.silent
        emitter.emit("a")
        assert not emitter.silent


async def test_what_was_emitted_before_a_cancel_is_passed_on() -> None:
    """The end of the output of a stopped stage is what one wants to see."""
    pieces = Pieces()

    async def stage() -> None:
        async with Emitter(pieces.publish, 100) as emitter:
            emitter.emit("a")
            await asyncio.sleep(0)
            emitter.emit("last words")
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(stage())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pieces.text == "alast words"


async def test_a_refused_piece_is_no_secret() -> None:
    """The error of the sink comes out of the block."""

    async def refuse(text: str, dropped: int) -> None:
        raise IllegalMove("no")

    with pytest.raises(IllegalMove):
        async with Emitter(refuse, 100) as emitter:
            emitter.emit("a")
