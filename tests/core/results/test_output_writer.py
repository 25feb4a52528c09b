"""Result files are written beside the live state, and what is missing is made up for."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from ended_results import ENDED_AT, Past, Paused, a_stage, an_ended, files
from patience import until
from runcast.core.execution.model import (
    EndReason,
    Execution,
    Failure,
    StageRun,
    StageStatus,
    Status,
)
from runcast.core.execution.record import storable
from runcast.core.execution.stored import StoredValue
from runcast.core.history import History
from runcast.core.results import output_writer
from runcast.core.results.ended_executions import latest_ended
from runcast.core.results.output_writer import OutputWriter
from runcast.core.results.outputs import Outputs
from runcast.core.results.result_file import owner_of
from samples import an_execution
from virtual_clock import VirtualClock

BROKEN = "1 result file is missing: No space left on device"
WELL = "no result file is missing any more"


@pytest.fixture(autouse=True)
def tries_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for seconds here until a disk is tried again."""
    monkeypatch.setattr(output_writer, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(output_writer, "LONGEST_PAUSE_SECONDS", 0.02)


def noted(writer: OutputWriter, past: Past, execution: Execution) -> None:
    """It ends, and the history has it as well."""
    past.all[execution.id] = execution
    writer.note(execution)


async def test_what_has_ended_is_saved_and_can_be_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order in which it was noted, and not for longer than it takes."""
    monkeypatch.setattr(output_writer, "COMMIT_SECONDS", 600)
    outputs = Paused(tmp_path)
    outputs.free.set()
    async with OutputWriter(outputs, files(tmp_path), Past()) as writer, asyncio.timeout(30):
        for number in range(5):
            writer.note(an_ended(f"exec_1_{number}", input=str(number)))
        await writer.committed("exec_1_4")
        assert outputs.saved == ["0", "1", "2", "3", "4"]
        await writer.committed("exec_1_nobody")
        assert writer.problem is None


async def test_noting_never_waits(tmp_path: Path) -> None:
    """While the disk hangs, the newest state of each execution is what waits."""
    outputs = Paused(tmp_path)
    async with OutputWriter(outputs, files(tmp_path), Past()) as writer:
        for word in ("first", "second", "third"):
            writer.note(an_ended("exec_1_a", input=f"a {word}"))
            writer.note(an_ended("exec_1_b", input=f"b {word}"))
        outputs.free.set()
        await writer.committed("exec_1_b")
    assert outputs.saved == ["a third", "b third"]


async def test_an_execution_that_changes_while_it_is_written_is_written_again(
    tmp_path: Path,
) -> None:
    """And `committed` waits for the later one."""
    outputs = Paused(tmp_path)
    async with OutputWriter(outputs, files(tmp_path), Past()) as writer:
        writer.note(an_ended(input="early"))
        await until(lambda: not writer._waiting)  # it is being written
        writer.note(an_ended(input="late"))
        outputs.free.set()
        await writer.committed("exec_1_a")
        assert outputs.saved == ["early", "late"]


async def test_what_a_full_disk_had_no_room_for_is_made_up_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line when it begins, one when none is missing; `problem` says it in between."""
    caplog.set_level("INFO", "runcast.outputs")
    outputs = Paused(tmp_path)
    outputs.free.set()
    outputs.broken = True
    past = Past()
    async with OutputWriter(outputs, files(tmp_path), past) as writer:
        for number in range(3):
            noted(writer, past, an_ended(f"exec_1_{number}", input=str(number)))
        await writer.committed("exec_1_0")
        assert writer.problem == BROKEN
        await writer.committed("exec_1_2")
        assert writer.problem == "3 result files are missing: No space left on device"
        outputs.broken = False
        await until(lambda: writer.problem is None)
    assert [record.message for record in caplog.records] == [BROKEN, WELL]
    assert outputs.saved == ["0", "1", "2"]


async def test_a_problem_is_told_until_no_file_is_missing(tmp_path: Path) -> None:
    """One file that could be written is no reason to call the rest well; it goes before them."""
    outputs = Paused(tmp_path)
    outputs.broken = True
    past = Past()
    async with OutputWriter(outputs, files(tmp_path), past) as writer:
        outputs.free.set()
        for number in range(2):
            noted(writer, past, an_ended(f"exec_1_{number}", input=str(number)))
        await writer.committed("exec_1_1")
        outputs.free.clear()
        outputs.broken = False
        for number in (2, 3):
            noted(writer, past, an_ended(f"exec_1_{number}", input=str(number)))
        seen: list[str | None] = []
        saving = outputs.save

        def save(execution: Execution) -> str:
            seen.append(writer.problem)
            return saving(execution)

        outputs.save = save  # type: ignore[method-assign]
        outputs.free.set()
        await until(lambda: writer.problem is None)
    assert outputs.saved[-2:] == ["0", "1"] and set(outputs.saved) == {"0", "1", "2", "3"}
    assert seen[-2:] == [
        "2 result files are missing: No space left on device",
        "1 result file is missing: No space left on device",
    ]


async def test_a_disk_that_hangs_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by those who want to know of one file, nor by those who leave."""
    monkeypatch.setattr(output_writer, "COMMIT_SECONDS", 0.05)
    monkeypatch.setattr(output_writer, "CLOSE_SECONDS", 0.05)
    outputs = Paused(tmp_path)
    async with OutputWriter(outputs, files(tmp_path), Past()) as writer:
        writer.note(an_ended())
        async with asyncio.timeout(15):
            await writer.committed("exec_1_a")
    assert outputs.saved == []
    outputs.free.set()


async def test_only_what_has_ended_has_a_file(tmp_path: Path) -> None:
    """The changes before are not its business, and nobody waits for them."""
    async with OutputWriter(Paused(tmp_path), files(tmp_path), Past()) as writer:
        writer.note(an_execution())
        await writer.committed("exec_1")
        assert not writer._waiting


async def test_what_waits_is_bounded(tmp_path: Path) -> None:
    """Nobody waits any more for the one that has waited longest; its file is written later."""
    outputs = Paused(tmp_path)
    past = Past()
    async with OutputWriter(outputs, files(tmp_path), past, limit=2) as writer:
        noted(writer, past, an_ended("exec_1_0", input="0"))
        await until(lambda: not writer._waiting)  # it is being written
        for number in (1, 2, 3):
            noted(writer, past, an_ended(f"exec_1_{number}", input=str(number)))
        await writer.committed("exec_1_1")
        waits = "more than 2 executions wait for their file to be written"
        assert writer.problem == f"1 result file is missing: {waits}"
        outputs.free.set()
        await until(lambda: writer.problem is None)
    assert outputs.saved == ["0", "2", "3", "1"]


async def test_what_no_file_can_hold_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An unsafe name and a value that is lost; the next one is written, and the log says it."""
    lost = StoredValue("values/exec_1_a/one/1", 700_000, "0" * 64)
    bad = a_stage("one", status=StageStatus.COMPLETED, value=lost)
    past = Past()
    async with OutputWriter(Outputs(tmp_path / "outputs"), files(tmp_path), past) as writer:
        noted(writer, past, an_ended("exec_1_a", stages=(bad,)))
        noted(writer, past, an_ended("exec_1/b"))
        await writer.committed("exec_1/b")
        assert (writer.problem or "").startswith("2 result files are missing: ")
        noted(writer, past, an_ended("exec_1_c"))
        await writer.committed("exec_1_c")
        await until(lambda: writer.problem is None)
    assert [one.filename[-11:] for one in Outputs(tmp_path / "outputs").list()] == ["00-1_c.json"]
    given_up = [record.message for record in caplog.records if record.levelname == "ERROR"]
    reasons = (
        "a log or a value cannot be read: the value is gone",
        "cannot be the name of a result file",
    )
    for id, reason, message in zip(("exec_1_a", "exec_1/b"), reasons, given_up, strict=True):
        assert message.startswith(f"execution {id} has no result file: ") and reason in message


async def test_what_was_no_value_of_a_record_is_none_of_a_file(tmp_path: Path) -> None:
    """A value that is no JSON: what the history has of the execution is in the file."""
    bad = a_stage("one", status=StageStatus.COMPLETED, value=object())
    outputs, past = Outputs(tmp_path / "outputs"), Past()
    async with OutputWriter(outputs, files(tmp_path), past) as writer:
        past.all["exec_1_a"] = storable(an_ended("exec_1_a", stages=(bad,)))
        writer.note(an_ended("exec_1_a", stages=(bad,)))
        await until(lambda: outputs.list())
        await until(lambda: writer.problem is None)


async def test_leaving_writes_what_waits(tmp_path: Path) -> None:
    """Everything that was noted before."""
    outputs = Paused(tmp_path)
    async with OutputWriter(outputs, files(tmp_path), Past()) as writer:
        for number in range(20):
            writer.note(an_ended(f"exec_1_{number}"))
        outputs.free.set()
    assert len(outputs.list()) == 20


def several(number: int, **values: Any) -> list[Execution]:
    """They ended one after the other."""
    return [
        an_ended(f"exec_1_{one}", input=str(one), ended_at=ENDED_AT + one, **values)
        for one in range(number)
    ]


def have_files(outputs: Outputs) -> set[str]:
    return {owner_of(one.filename) for one in outputs.list()}


async def test_what_a_killed_server_has_not_written_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the next one, the oldest first, which says so meanwhile."""
    caplog.set_level("INFO", "runcast.outputs")
    every = several(5)
    Outputs(tmp_path / "outputs").save(every[2])
    outputs = Paused(tmp_path / "outputs")
    async with OutputWriter(outputs, files(tmp_path), Past(*every)) as writer:
        await until(lambda: writer.problem)
        assert writer.problem == f"4 result files are missing: {output_writer.EARLIER}"
        outputs.free.set()
        await until(lambda: writer.problem is None)
    assert outputs.saved == ["0", "1", "3", "4"]
    assert have_files(outputs) == {one.id for one in every}
    before = f"4 result files are missing: {output_writer.EARLIER}"
    assert [record.message for record in caplog.records] == [before, WELL]


async def test_a_file_that_is_made_up_for_is_the_same(tmp_path: Path, clock: VirtualClock) -> None:
    """Whatever the execution was like: the history knows all that is in it."""
    failed = Failure("StageError", "no luck", "one")
    stages = (a_stage("one", status=StageStatus.FAILED, error=failed), StageRun("two", "Two", "x"))
    executions = [
        an_ended("exec_1_a"),
        an_ended("exec_1_b", status=Status.FAILED, error=failed, stages=stages),
        an_ended("exec_1_c", input="ü" * 100_000, labels=(("a", "b"),)),
        an_ended("exec_1_d", end_reason=EndReason.EARLY_EXIT, return_stage="one"),
        an_ended("exec_1_e", status=Status.CANCELLED, stages=()),
    ]
    live, later = Outputs(tmp_path / "live"), Outputs(tmp_path / "outputs")
    async with History(tmp_path, clock) as history:
        for execution in executions:
            live.save(execution)
            history.note(execution)
    async with (
        History(tmp_path, clock) as history,
        OutputWriter(later, files(tmp_path), history) as writer,
    ):
        await until(lambda: len(later.list()) == len(executions))
        await until(lambda: writer.problem is None)
    assert contents(later) == contents(live)


def contents(outputs: Outputs) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in outputs.folder.iterdir()}


async def test_a_file_that_somebody_removed_stays_removed(tmp_path: Path) -> None:
    """Also by a server that makes up for others, and one that knows of no others."""
    every = several(4)
    outputs = Outputs(tmp_path / "outputs")
    for execution in every[:3]:
        (outputs.folder / outputs.save(execution)).unlink()
    for known in (every, every[:3]):
        outputs = Outputs(tmp_path / "outputs")
        async with OutputWriter(outputs, files(tmp_path), Past(*known)) as writer:
            await until(lambda writer=writer: writer._tasks[1].done() and not writer.problem)
        assert have_files(outputs) == {"exec_1_3"}


async def test_without_a_note_of_what_was_saved_all_is_written_once(tmp_path: Path) -> None:
    """As after an update: what is there is not touched, and is noted like the rest."""
    every = several(4)
    outputs = Outputs(tmp_path / "outputs")
    there = outputs.folder / outputs.save(every[1])
    (tmp_path / "outputs.saved").unlink()
    there.write_text("mine")
    for removed in ([], ["exec_1_1", "exec_1_2"]):
        for path in list(outputs.folder.iterdir()):
            if owner_of(path.name) in removed:
                path.unlink()
        outputs = Outputs(tmp_path / "outputs")
        async with OutputWriter(outputs, files(tmp_path), Past(*every)) as writer:
            await until(lambda writer=writer: writer._tasks[1].done() and not writer.problem)
        owners = {owner_of(path.name) for path in outputs.folder.iterdir()}
        assert owners == {one.id for one in every} - set(removed)
        assert removed or there.read_text() == "mine"


async def test_only_as_many_are_made_up_for_as_there_may_be(tmp_path: Path) -> None:
    """Those that ended last, of more than the history gives at once."""
    outputs = Outputs(tmp_path / "outputs", max_files=130)
    past = Past(*several(300))
    assert await latest_ended(past, 130) == [f"exec_1_{number}" for number in range(170, 300)]
    assert await latest_ended(Past(*several(100)), 130) == [f"exec_1_{one}" for one in range(100)]
    assert await latest_ended(Past(), 130) == []
    for execution in several(300)[180:]:
        outputs.save(execution)
    async with OutputWriter(outputs, files(tmp_path), past):
        await until(lambda: len(outputs.list()) == 130)
    assert have_files(outputs) == {f"exec_1_{number}" for number in range(170, 300)}


async def test_who_ends_now_goes_before_what_is_missing(tmp_path: Path) -> None:
    """Who waits for the end of an execution waits for its file."""
    outputs, past = Paused(tmp_path / "outputs"), Past(*several(3))
    async with OutputWriter(outputs, files(tmp_path), past) as writer:
        await until(lambda: writer.problem)
        noted(writer, past, an_ended("exec_1_9", input="now"))
        outputs.free.set()
        await writer.committed("exec_1_9")
        assert "now" in outputs.saved[:2] and writer.problem
        await until(lambda: writer.problem is None)
    assert [one for one in outputs.saved if one != "now"] == ["0", "1", "2"]


@pytest.mark.parametrize("way", ["unreadable", "unwritable"])
async def test_a_history_that_comes_back_is_looked_at_again(tmp_path: Path, way: str) -> None:
    """What it takes in only then, such as the end of what was killed, has a file as well."""
    outputs, past = Outputs(tmp_path / "outputs"), Past(*several(2))
    past.readable = way != "unreadable"
    past.unwritable = "the disk is full"
    async with OutputWriter(outputs, files(tmp_path), past) as writer:
        await until(lambda: past.asked > 2)
        assert not writer._tasks[1].done()
        past.all |= {one.id: one for one in several(3)}
        past.readable, past.unwritable = True, None
        await until(lambda: len(outputs.list()) == 3)


async def test_a_history_that_cannot_be_read_meanwhile_is_waited_for(tmp_path: Path) -> None:
    """What is missing stays missing, and is written when it can be read again."""
    outputs, past = Paused(tmp_path / "outputs"), Past(*several(3))
    async with OutputWriter(outputs, files(tmp_path), past) as writer:
        await until(outputs.begun.is_set)
        past.readable = False
        outputs.free.set()
        asked = past.asked
        await until(lambda: past.asked > asked + 2)
        assert (writer.problem or "").startswith("2 result files are missing")
        past.readable = True
        await until(lambda: writer.problem is None)
    assert outputs.saved == ["0", "1", "2"]


async def test_what_has_no_record_any_more_is_not_missing(tmp_path: Path) -> None:
    """It was removed before its file could be written."""
    outputs, past = Paused(tmp_path / "outputs"), Past(*several(2))
    async with OutputWriter(outputs, files(tmp_path), past) as writer:
        await until(outputs.begun.is_set)
        past.all.clear()
        outputs.free.set()
        await until(lambda: writer.problem is None)
    assert outputs.saved == ["0"]


async def test_a_record_without_its_end_has_no_file(tmp_path: Path) -> None:
    """The history had no room for it; a later server ends the execution, and writes the file."""
    outputs, past = Paused(tmp_path / "outputs"), Past()
    outputs.broken = True
    outputs.free.set()
    async with OutputWriter(outputs, files(tmp_path), past) as writer:
        past.all["exec_1_a"] = an_execution("exec_1_a")
        writer.note(an_ended("exec_1_a"))
        await until(lambda: writer.problem)
        outputs.broken = False
        await until(lambda: writer.problem is None)
    assert outputs.list() == []


async def test_what_a_server_left_unfinished_goes_when_the_next_one_starts(tmp_path: Path) -> None:
    """Nobody is told of it, but it would take its room for ever."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    (folder / ".result-demo-1_a.json.tmp").write_text("{")
    async with OutputWriter(Outputs(folder), files(tmp_path), Past()):
        assert list(folder.iterdir()) == []
