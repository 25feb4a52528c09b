"""What readers have made of executions."""

import pytest
from runcast.core.execution.model import Execution
from runcast.core.live import derived as module
from runcast.core.live.derived import Derived
from samples import an_execution


class Held(dict[str, Execution]):
    """Executions by id, and what was derived of them."""

    def __init__(self, *ids: str) -> None:
        super().__init__({id: an_execution(id) for id in ids})
        self.derived = Derived(self.get)


def test_a_part_is_of_one_value() -> None:
    """An execution that has changed has none, nor has another value of the same id."""
    held = Held("a")
    held.derived.put_part("shape", held["a"], b"made", 4)
    assert held.derived.parts("shape", [held["a"]]) == [b"made"]
    assert held.derived.parts("shape", [an_execution("a")]) == [None]
    assert held.derived.parts("another", [held["a"]]) == [None]
    held.derived.changed("a")
    assert held.derived.parts("shape", [held["a"]]) == [None]


def test_nothing_is_stored_of_what_has_gone() -> None:
    """It would stay for ever."""
    held = Held("a")
    held.derived.put_part("shape", an_execution("a"), b"late", 4)
    held.derived.put_part("shape", an_execution("gone"), b"late", 4)
    assert not held.derived._shapes


def test_an_answer_goes_with_any_change() -> None:
    """Also one that comes while it is being made."""
    held = Held("a")
    held.derived.put_answer("what?", b"that", held.derived.revision)
    assert held.derived.answer("what?") == b"that"
    before = held.derived.revision
    held.derived.changed("b")
    held.derived.put_answer("what?", b"that", before)
    assert held.derived.answer("what?") is None


def test_shapes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In number and in bytes; the one that was not asked for the longest goes first."""
    held = Held("a", "b")
    for number in range(module.MOST_SHAPES):
        held.derived.put_part(number, held["a"], b"", 0)
    held.derived.parts(0, [held["a"]])
    held.derived.put_part("one more", held["a"], b"", 0)
    assert held.derived.parts(1, [held["a"]]) == [None]
    assert held.derived.parts(0, [held["a"]]) == [b""]
    monkeypatch.setattr(module, "PARTS_BYTES", 2 * (module.PART_BYTES + 100))
    held.derived.put_part("large", held["a"], b"", 100)
    held.derived.put_part("large", held["b"], b"", 100)
    assert list(held.derived._shapes) == ["large"]
    held.derived.put_part("large", held["b"], b"", 100)
    assert held.derived.parts("large", [held["a"], held["b"]]) == [b"", b""]


def test_a_part_that_is_too_large() -> None:
    """It is made each time."""
    held = Held("a")
    held.derived.put_part("shape", held["a"], b"", module.LARGEST_PART_BYTES + 1)
    assert held.derived.parts("shape", [held["a"]]) == [None]


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In number and in bytes; the one that was not asked for the longest goes first."""
    monkeypatch.setattr(module, "MOST_ANSWERS", 2)
    monkeypatch.setattr(module, "ANSWERS_BYTES", 10)
    derived = Held().derived
    derived.put_answer(1, b"1", 0)
    derived.put_answer(2, b"2", 0)
    assert derived.answer(1) == b"1"
    derived.put_answer(3, b"3", 0)
    assert [derived.answer(n) for n in (1, 2, 3)] == [b"1", None, b"3"]
    derived.put_answer(1, b"x" * 9, 0)
    derived.put_answer(3, b"33", 0)
    assert [derived.answer(n) for n in (1, 3)] == [None, b"33"]
    derived.put_answer(4, b"x" * 11, 0)
    assert derived.answer(4) is None
