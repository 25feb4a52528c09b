"""Of which executions it is known that they had a result file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists, sets, tuples
from runcast.core.results.saved_results import SavedResults

EVERY = [f"exec_1_{number}" for number in range(10)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outputs.saved"


def test_what_was_saved_is_known_to_the_next_server(path: Path) -> None:
    """One id a line, each once; what there is none of is lacking, in the order asked for."""
    saved = SavedResults(path)
    assert saved.lacking(EVERY) == EVERY
    for ids in (EVERY[3:5], EVERY[3:4], [], EVERY[7:8]):
        saved.add(ids)
    assert path.read_text() == "exec_1_3\nexec_1_4\nexec_1_7\n"
    for known in (saved, SavedResults(path)):
        assert known.lacking(reversed(EVERY)) == [
            *("exec_1_9", "exec_1_8", "exec_1_6", "exec_1_5", "exec_1_2", "exec_1_1", "exec_1_0")
        ]


@given(cut=integers(0, 27))
def test_a_line_that_was_cut_off_takes_no_other_with_it(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    """A kill, or a full disk, in the middle of it."""
    path = tmp_path_factory.mktemp("cut") / "outputs.saved"
    SavedResults(path).add(EVERY[:3])
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    SavedResults(path).add(EVERY[5:6])
    there = [id for number, id in enumerate(EVERY[:3]) if cut >= 9 * (number + 1)]
    assert path.read_text().split() == [*there, "exec_1_5"]


def test_what_cannot_be_stored_is_stored_later(path: Path) -> None:
    """With the next one; nobody hears of it before."""
    saved = SavedResults(path)
    saved.add(EVERY[:1])
    path.rename(path.with_name("aside"))
    path.mkdir()
    saved.add(EVERY[1:2])
    assert saved.lacking(EVERY[:2]) == []
    path.rmdir()
    saved.add(EVERY[2:3])
    assert SavedResults(path).lacking(EVERY) == EVERY[3:]


@pytest.mark.parametrize("content", [b"\0" * 1000, b"\xff\n\xfe", b"\n\n\n", b"exec_1_0"])
def test_what_is_no_list_of_ids_is_none(path: Path, content: bytes) -> None:
    """Nothing is known then, and what comes is stored all the same."""
    path.write_bytes(content)
    saved = SavedResults(path)
    assert saved.lacking(EVERY) == EVERY
    saved.add(EVERY[:2])
    assert SavedResults(path).lacking(EVERY) == EVERY[2:]


@given(
    lists(tuples(sets(integers(0, 99), max_size=15), integers(0, 1)), max_size=20),
    integers(4, 40),
)
def test_as_many_as_are_needed_stay(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[set[int], int]], most: int
) -> None:
    """The latest half of the bound at least, the bound at most, through any restarts."""
    path = tmp_path_factory.mktemp("bound") / "outputs.saved"
    saved, order = SavedResults(path, most=most), list[str]()
    for numbers, restarted in steps:
        ids = [str(number) for number in numbers]
        new = saved.lacking(ids)
        order = [id for id in order if id not in new] + new
        saved.add(ids)
        if restarted:
            saved = SavedResults(path, most=most)
        stored = path.read_text().split() if path.exists() else []
        assert len(stored) == len(set(stored)) <= most
        assert saved.lacking(order[-(most // 2) :]) == []
