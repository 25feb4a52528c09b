"""Executions as JSON."""

import json
from dataclasses import replace
from typing import Any

import pytest
from executions_at_random import EXECUTIONS, JSON_VALUES
from hypothesis import given
from runcast.core.execution.model import Execution, StageStatus, Status
from runcast.core.execution.record import (
    STORED_OUTPUT_CHARACTERS,
    STORED_VALUE_BYTES,
    dump,
    load,
    storable,
)
from samples import an_execution


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


def test_what_a_newer_version_says_is_passed_over() -> None:
    """Unknown keys, on every level, do not keep an older version from reading the rest."""
    execution = with_first_stage(status=StageStatus.RUNNING, output=Output().appended("so far"))
    data = json.loads(dump(execution))
    data["mood"] = data["options"]["mood"] = data["stages"][0]["mood"] = "good"
    data["stages"][0]["output"]["mood"] = data["stages"][0]["usage"]["mood"] = "good"
    assert load(json.dumps(data).encode()) == execution


def test_what_an_older_version_did_not_say_has_its_default() -> None:
    """A key that came later may be missing."""
    data = json.loads(dump(an_execution(status=Status.RUNNING)))
    for key in ("labels", "options", "retry_of", "error"):
        del data[key]
    assert load(json.dumps(data).encode()) == an_execution(status=Status.RUNNING)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b'{"stages": 1}', b"\xff"])
def test_what_is_no_execution_is_refused(content: bytes) -> None:
    """With one of the exceptions that `load` names."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        load(content)


def test_a_long_output_is_cut() -> None:
    """The rest counts as dropped, in bytes."""
    text = "x" * STORED_OUTPUT_CHARACTERS
    whole = with_first_stage(output=Output().appended(text, dropped=5))
    assert storable(whole) == whole
    output = storable(with_first_stage(output=Output().appended(text + "äö", 5))).stages[0].output
    assert (output.text(), output.dropped, output.truncated) == (text, 9, True)


def test_the_output_of_a_running_stage_is_cut_too() -> None:
    """What the stage puts out later goes on from the whole text."""
    output = Output().appended("x" * STORED_OUTPUT_CHARACTERS).appended("more")
    assert storable(with_first_stage(output=output)).stages[0].output.truncated
    assert output.appended("!").text().endswith("xmore!")


def test_a_large_value_is_dropped() -> None:
    """Of a stage and of the execution itself; its size is that of its JSON in UTF-8."""
    fits = "ä" * ((STORED_VALUE_BYTES - 2) // 2)
    execution = storable(replace(with_first_stage(value=fits), output=fits + "x"))
    assert (execution.stages[0].value, execution.output) == (fits, None)


def test_that_a_value_was_dropped_is_not_forgotten() -> None:
    """However often the rest is kept, and a value that never was is not dropped."""
    large = with_first_stage(value="x" * KEPT_VALUE_BYTES)
    once = kept(large)
    again = kept(load(dump(once)))
    assert [one.stages[0].value_dropped for one in (large, once, again)] == [False, True, True]
    assert not kept(with_first_stage(value=None)).stages[0].value_dropped


def test_a_value_that_is_no_json_is_dropped() -> None:
    """One that is nested too deeply, refers to itself, is too long a number, or anything else."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    endless: list[Any] = []
    endless.append(endless)
    for value in (deep, endless, {1, 2}, 10**5000):
        execution = storable(with_first_stage(value=value))
        assert execution.stages[0].value is None
        assert load(dump(execution)) == execution
