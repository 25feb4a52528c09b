"""Executions as JSON."""

import json
from dataclasses import replace
from typing import Any

import pytest
from executions_at_random import EXECUTIONS, JSON_VALUES
from hypothesis import given
from runcast.core.execution.events import Began, Ended, StageCompleted, StageRetrying, StageStarted
from runcast.core.execution.log import LogStream
from runcast.core.execution.model import (
    EndReason,
    Execution,
    Failure,
    StageAttempt,
    StageRun,
    StageStatus,
    Status,
)
from runcast.core.execution.record import STORED_VALUE_BYTES, dump, load, storable
from runcast.core.execution.stage_log import StageLog
from runcast.core.execution.stored import StoredValue
from runcast.core.json_value import as_text
from samples import an_execution, said

EXACT = {
    "70 bits": 2**70,
    "400 digits": 10**400,
    "5000 digits": [-(10**5000), -0.0, 1.0],
    "keys": {"b": 1, "a": 2, "c": {"z": 2**64, "y": None}},
}


def with_first_stage(**values: Any) -> Execution:
    execution = an_execution()
    return execution.with_stage(0, replace(execution.stages[0], **values))


@given(EXECUTIONS)
def test_an_execution_comes_back_as_it_was(execution: Execution) -> None:
    """With everything in it, half surrogate pairs and large integers too."""
    assert load(dump(execution)) == execution


@given(JSON_VALUES)
def test_small_values_are_kept(value: Any) -> None:
    """Whatever JSON they are."""
    assert storable(an_execution(output=value)).output == value


@pytest.mark.parametrize(
    "value",
    [
        *({"runcast:stored": None}, {"runcast:stored": {}}, {"runcast:value": 1}, {"name": "x"}),
        {"runcast:stored": {"name": "../../secret", "size": 1, "sha256": "0", "is_json": False}},
        {"runcast:stored": {"runcast:stored": {"name": "x", "size": 1, "sha256": "0"}}},
        [{"runcast:stored": {"name": "x", "size": 1, "sha256": "0"}}],
    ],
    ids=repr,
)
def test_no_value_of_a_stage_is_taken_for_a_file(value: Any) -> None:
    """Whatever a function returns comes back as the same JSON: it can name no file."""
    execution = replace(with_first_stage(value=value), output=value)
    loaded = load(dump(execution))
    assert (loaded.stages[0].value, loaded.output) == (value, value)


def test_a_value_in_a_file_is_named_with_its_size_and_sum() -> None:
    """Of a stage, of the execution and its input; it is never too large for a record."""
    stored = StoredValue("values/exec_1/one.1", 10**10, "ab" * 32, is_json=True)
    execution = replace(with_first_stage(value=stored), output=stored, input=stored)
    assert storable(execution) == execution
    assert load(dump(execution)) == execution
    assert len(dump(execution)) < 3000


def test_a_record_has_no_log_in_it() -> None:
    """Only how long it is; the text is in a file, also while the stage runs."""
    execution: Execution = an_execution()
    long = "x" * 60_000
    for event in (
        Began("exec_1", 1),
        StageStarted("exec_1", 1, 0),
        said("exec_1", 1, 0, long),
        said("exec_1", 1, 0, long, 60_000, LogStream.STDERR),
    ):
        execution = event.after(execution)
    content = dump(storable(execution))
    assert len(content) < 3000
    assert load(content).stages[0].log == StageLog(120_000, 60_000)


def test_every_attempt_is_in_the_record() -> None:
    """With its own times, its end and its error, also while the next one is waited for."""
    execution: Execution = an_execution()
    late, refused = Failure("Timeout", "late", "one"), Failure("ExitStatus", "exit status 1", "one")
    for event in (
        Began("exec_1", 10),
        StageStarted("exec_1", 11, 0, 1),
        StageRetrying("exec_1", 12, 0, late, 20),
        StageStarted("exec_1", 21, 0, 2),
        StageRetrying("exec_1", 22, 0, refused, 40),
    ):
        execution = event.after(execution)
    stage = load(dump(execution)).stages[0]
    assert stage.attempts == (
        StageAttempt(1, 11, StageStatus.FAILED, 12, late),
        StageAttempt(2, 21, StageStatus.FAILED, 22, refused),
    )
    assert (stage.next_attempt_at, stage.attempt) == (40, 2)
    completed = StageCompleted("exec_1", 42, 0, "v").after(
        StageStarted("exec_1", 41, 0, 3).after(load(dump(execution)))
    )
    assert load(dump(completed)).stages[0].attempts[2] == StageAttempt(
        3, 41, StageStatus.COMPLETED, 42
    )


@pytest.mark.parametrize("value", EXACT.values(), ids=EXACT)
def test_numbers_and_the_order_of_keys_are_kept(value: Any) -> None:
    """To the last digit, the sign of a zero and the point of a whole number."""
    before = storable(an_execution(output=value))
    after = load(dump(before))
    assert as_text(after.output) == as_text(value)


def test_half_a_surrogate_pair_beside_a_long_number_is_kept() -> None:
    """As an escape, or as the three bytes that earlier versions wrote."""
    execution = an_execution(output={"\ud83d": 10**5000, "a": "\ude00"})
    content = dump(execution)
    assert content.isascii() and load(content) == execution
    earlier = content.decode().replace("\\ud83d", "\ud83d").encode("utf-8", "surrogatepass")
    assert earlier != content and load(earlier) == execution


def test_what_a_newer_version_says_is_passed_over() -> None:
    """Unknown keys, on every level, do not keep an older version from reading the rest."""
    stage = {
        "status": StageStatus.RUNNING,
        "log": StageLog(6, 6, head="so far"),
        "attempts": (StageAttempt(1, 1000, error=Failure("Timeout", "late")),),
        "value": StoredValue("a", 1, "0"),
    }
    execution = with_first_stage(**stage)
    data = json.loads(dump(execution))
    data["mood"] = data["options"]["mood"] = data["stages"][0]["mood"] = "good"
    for part in ("log", "usage"):
        data["stages"][0][part]["mood"] = "good"
    attempt = data["stages"][0]["attempts"][0]
    attempt["mood"] = attempt["error"]["mood"] = "good"
    assert load(json.dumps(data).encode()) == execution


OLD_STAGE = {
    "id": "one",
    "name": "One",
    "type": "python",
    "status": "COMPLETED",
    "attempt": 2,
    "started_at": 1000,
    "ended_at": 2000,
    "skip_reason": None,
    "model": None,
    "usage": {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0},
    "output": {"text": "héllo", "dropped": 0},
    "value": {"answer": 42},
    "value_dropped": False,
    "error": None,
}
"""As version 0.1 has written it: the output is in the record itself."""


def old_stage(**values: Any) -> StageRun:
    """A stage of a record of version 0.1, as it is read today."""
    data = json.loads(dump(an_execution()))
    data["stages"] = [OLD_STAGE | values]
    [stage] = load(json.dumps(data).encode()).stages
    return stage


def test_a_record_of_version_0_1_can_be_read() -> None:
    """Its output is the beginning of a log that is nowhere else; nothing is made up besides."""
    stage = old_stage()
    assert (stage.status, stage.attempt, stage.value) == ("COMPLETED", 2, {"answer": 42})
    assert (stage.log.output(0, 1000), stage.log.output(2, 2)) == ("héllo", "ll")
    assert (stage.log.output_length, stage.log.length, stage.log.cut) == (5, 5, False)
    assert (stage.attempts, stage.progress, stage.next_attempt_at) == ((), None, None)
    assert old_stage(output={"text": "", "dropped": 0}).log == StageLog()


def test_what_version_0_1_has_dropped_is_still_said() -> None:
    """Of the output that a record has, and of its value."""
    stage = old_stage(output={"text": "x" * 51_200, "dropped": 7}, value=None, value_dropped=True)
    assert stage.log.cut and stage.value_dropped
    assert stage.log.output(0, 100_000) == "x" * 51_200


def test_an_execution_that_version_0_1_has_left_running_can_end() -> None:
    """Its stage keeps what it had put out, though it has no attempt that could be ended."""
    data = json.loads(dump(an_execution(status=Status.RUNNING)))
    data["stages"] = [OLD_STAGE | {"status": "RUNNING", "ended_at": None, "value": None}]
    lost = Failure("ServerRestart", "gone")
    event = Ended("exec_1", 3000, Status.FAILED, EndReason.SERVER_RESTART, error=lost)
    [stage] = event.after(load(json.dumps(data).encode())).stages
    assert (stage.status, stage.error, stage.ended_at) == ("FAILED", lost, 3000)
    assert (stage.attempts, stage.log.output(0, 10)) == ((), "héllo")


def test_a_record_of_version_0_1_is_written_anew() -> None:
    """As it is read: an execution that was cut off is, when the server starts again."""
    data = json.loads(dump(an_execution()))
    data["stages"] = [OLD_STAGE, OLD_STAGE | {"output": {"text": "é" * 9, "dropped": 1}}]
    execution = load(json.dumps(data).encode())
    assert load(dump(storable(execution))) == execution
    assert b'dropped":1' not in dump(execution)


def test_what_an_older_version_did_not_say_has_its_default() -> None:
    """A key that came later may be missing."""
    data = json.loads(dump(an_execution(status=Status.RUNNING)))
    for key in ("labels", "options", "retry_of", "error"):
        del data[key]
    for key in ("log", "attempts", "progress", "next_attempt_at", "value"):
        del data["stages"][0][key]
    assert load(json.dumps(data).encode()) == an_execution(status=Status.RUNNING)


OLD_BEGINS: dict[str, tuple[dict[str, Any], list[int | None], int | None]] = {
    "the first stage's": ({"status": Status.RUNNING, "current_stage": 2}, [1030, 1050], 1030),
    "none taken over": ({"status": Status.COMPLETED, "current_stage": 2}, [900, 1060], 1060),
    "its own": ({"status": Status.COMPLETED, "current_stage": 2}, [None, None], 1000),
    "none yet": ({"status": Status.QUEUED}, [None, None], None),
    "none at all": ({"status": Status.CANCELLED, "ended_at": 1040}, [None, None], None),
}


@pytest.mark.parametrize("case", OLD_BEGINS)
def test_an_older_version_did_not_say_when_an_execution_began(case: str) -> None:
    """Its first stage did; what it took over from another execution was earlier."""
    values, starts, began = OLD_BEGINS[case]
    execution = an_execution(started_at=1000, **values)
    for index, start in enumerate(starts):
        stage = replace(execution.stages[index], started_at=start)
        execution = execution.with_stage(index, stage)
    data = json.loads(dump(execution))
    del data["began_at"]
    assert load(json.dumps(data).encode()) == replace(execution, began_at=began)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b'{"stages": 1}', b"\xff"])
def test_what_is_no_execution_is_refused(content: bytes) -> None:
    """With one of the exceptions that `load` names."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        load(content)


def test_a_large_value_is_dropped() -> None:
    """Of a stage and of the execution itself; its size is that of its JSON in UTF-8."""
    fits = "ä" * ((STORED_VALUE_BYTES - 2) // 2)
    execution = storable(replace(with_first_stage(value=fits), output=fits + "x"))
    assert (execution.stages[0].value, execution.output) == (fits, None)


def test_that_a_value_was_dropped_is_not_forgotten() -> None:
    """However often the rest is kept, and a value that never was is not dropped."""
    large = with_first_stage(value="x" * STORED_VALUE_BYTES)
    once = storable(large)
    again = storable(load(dump(once)))
    assert [one.stages[0].value_dropped for one in (large, once, again)] == [False, True, True]
    assert not storable(with_first_stage(value=None)).stages[0].value_dropped


def test_a_value_that_is_no_json_is_dropped() -> None:
    """One that is nested too deeply, refers to itself, is too long a number, or no value at all."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    endless: list[Any] = []
    endless.append(endless)
    for value in (deep, endless, {1, 2}, 10**100_000):
        execution = storable(with_first_stage(value=value))
        assert execution.stages[0].value is None
        assert load(dump(execution)) == execution
