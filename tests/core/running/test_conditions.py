"""Conditions: what is true of a value, and what follows for a stage."""

from typing import Any

import pytest
from hypothesis import given, strategies as st
from runcast.core.pipelines.definition import Condition
from runcast.core.pipelines.pipeline import PipelineFile, StageDefinition
from runcast.core.running.conditions import MISSING, exits_early, holds, lookup, skip_reason

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
KEYS = st.text(alphabet=st.characters(exclude_characters="."), max_size=4)


def condition(path: str = "a", **operators: Any) -> Condition:
    return Condition.model_validate({"path": path, **operators})


def stages(*conditions: dict[str, Any] | None) -> tuple[StageDefinition, ...]:
    head = {"id": "p", "name": "P", "version": "1.0.0"}
    each = [
        {"id": f"s{number}", "call": "m:f", **({"conditions": one} if one else {})}
        for number, one in enumerate(conditions, 1)
    ]
    return PipelineFile.model_validate({"pipeline": head, "stages": each}).stages


@pytest.mark.parametrize(
    ("data", "path", "found"),
    [
        ({"a": {"b": [10, {"c": 3}]}}, "a.b.1.c", 3),
        ({"a": None}, "a", None),
        ({"a": None}, "a.b", MISSING),
        ([1, 2], "1", 2),
        ([1, 2], "2", MISSING),
        ([1, 2], "-1", MISSING),
        ([1, 2], "01", MISSING),
        ([1, 2], "length", MISSING),
        ([1, 2], "\u0661", MISSING),
        ([1, 2], "9" * 5000, MISSING),
        ({"1": "one"}, "1", "one"),
        ({"": 1}, "", 1),
        ("text", "0", MISSING),
        (7, "a", MISSING),
        (MISSING, "a", MISSING),
    ],
)
def test_a_path_leads_through_objects_and_lists(data: Any, path: str, found: Any) -> None:
    """Dots lead through keys and indexes; anything else leads nowhere (section 5.2)."""
    assert lookup(data, path) == found


@given(st.lists(KEYS, min_size=1, max_size=5), JSON_VALUES)
def test_a_path_finds_what_was_put_there(keys: list[str], value: Any) -> None:
    """Whatever the keys are, a value nested under them is found by joining them with dots."""
    data = value
    for key in reversed(keys):
        data = {key: data}
    assert lookup(data, ".".join(keys)) == value


@given(JSON_VALUES, st.text(max_size=10))
def test_a_path_never_raises(data: Any, path: str) -> None:
    """Any data can be asked for any path."""
    lookup(data, path)


@pytest.mark.parametrize(
    ("operators", "value", "truth"),
    [
        ({"equals": 1}, 1, True),
        ({"equals": 1}, 1.0, True),
        ({"equals": 1}, True, False),
        ({"equals": True}, 1, False),
        ({"equals": True}, True, True),
        ({"equals": "1"}, 1, False),
        ({"equals": None}, None, True),
        ({"equals": [1]}, [1], False),
        ({"equals": {}}, {}, False),
        ({"notEquals": [1]}, [1], True),
        ({"notEquals": "x"}, "x", False),
        ({"contains": "bc"}, "abcd", True),
        ({"contains": "x"}, "abcd", False),
        ({"contains": "x"}, ["x"], False),
        ({"greaterThan": 1}, 2, True),
        ({"greaterThan": 2}, 2, False),
        ({"greaterThan": 0}, True, False),
        ({"greaterThan": 0}, "1", False),
        ({"lessThan": 2.5}, 2, True),
        ({"lessThan": 2}, 2, False),
        ({"exists": True}, None, True),
        ({"exists": False}, None, False),
        ({}, 1, False),
    ],
)
def test_an_operator_decides(operators: dict[str, Any], value: Any, truth: bool) -> None:
    """Equality is strict and not deep, text is searched in text, numbers are compared."""
    assert holds(condition(**operators), {"a": value}) is truth


@pytest.mark.parametrize(
    ("operators", "truth"),
    [
        ({"equals": None}, False),
        ({"notEquals": "x"}, True),
        ({"contains": ""}, False),
        ({"exists": False}, True),
        ({"exists": True}, False),
    ],
)
def test_missing_data_is_not_null(operators: dict[str, Any], truth: bool) -> None:
    """Where nothing is, nothing is equal to null, everything is unequal, and nothing exists."""
    assert holds(condition(**operators), {}) is truth


@pytest.mark.parametrize(
    ("operators", "value", "truth"),
    [
        ({"exists": False, "equals": 1}, 1, True),
        ({"lessThan": 0, "greaterThan": 1}, 2, True),
        ({"greaterThan": 1, "notEquals": 2}, 2, False),
        ({"contains": "x", "exists": True}, 5, True),
    ],
)
def test_the_first_operator_that_fits_decides(
    operators: dict[str, Any], value: Any, truth: bool
) -> None:
    """The order is that of section 5.2; one that does not fit the value is passed over."""
    assert holds(condition(**operators), {"a": value}) is truth


@given(JSON_VALUES, JSON_VALUES)
def test_not_equals_is_the_opposite_of_equals(value: Any, other: Any) -> None:
    """Exactly one of the two holds, for any two values."""
    equal, unequal = condition(equals=other), condition(notEquals=other)
    assert holds(equal, {"a": value}) is not holds(unequal, {"a": value})


def test_a_stage_without_conditions_runs() -> None:
    """Nothing is skipped without a reason."""
    assert skip_reason(stages(None), 0, "hello", {}) is None


def test_skip_if_is_looked_at_before_run_if() -> None:
    """With both in favour of skipping, the reason is that of skipIf."""
    both = {
        "skipIf": {"condition": {"path": "prompt", "exists": True}},
        "runIf": {"condition": {"path": "other", "exists": True}},
    }
    [stage] = stages(both)
    assert skip_reason([stage], 0, "hello", {}) == "skipIf condition met (path: prompt)"


def test_run_if_that_does_not_hold_skips() -> None:
    """The reason names the path."""
    of_stage = {"runIf": {"condition": {"path": "score", "lessThan": 5}}}
    ordered = stages(None, of_stage)
    reason = skip_reason(ordered, 1, "hello", {"s1": {"score": 7}})
    assert reason == "runIf condition not met (path: score)"
    assert skip_reason(ordered, 1, "hello", {"s1": {"score": 3}}) is None


def test_the_first_stage_looks_at_the_input() -> None:
    """Without a stage before, the data is the execution's prompt."""
    [stage] = stages({"skipIf": {"condition": {"path": "prompt", "contains": "short"}}})
    assert skip_reason([stage], 0, "a short one", {}) is not None
    assert skip_reason([stage], 0, "a long one", {}) is None


def test_the_stage_before_is_the_one_in_the_file() -> None:
    """If that one was skipped there is no data, though an earlier stage has some."""
    of_stage = {"skipIf": {"condition": {"path": "a", "exists": True}}}
    ordered = stages(None, None, of_stage)
    assert skip_reason(ordered, 2, "hello", {"s1": {"a": 1}}) is None
    assert skip_reason(ordered, 2, "hello", {"s1": {}, "s2": {"a": 1}}) is not None


def test_a_source_stage_is_looked_at_instead() -> None:
    """sourceStage names the stage whose value counts."""
    of_stage = {"skipIf": {"condition": {"path": "a", "equals": 1}, "sourceStage": "s1"}}
    ordered = stages(None, None, of_stage)
    assert skip_reason(ordered, 2, "hello", {"s1": {"a": 1}, "s2": {"a": 2}}) is not None


def test_an_early_exit_looks_at_the_stages_own_value() -> None:
    """It holds or not; a stage without the condition is never the last one for that reason."""
    [stage] = stages({"earlyExit": {"condition": {"path": "score", "greaterThan": 8}}})
    assert exits_early(stage, {"score": 9})
    assert not exits_early(stage, {"score": 8})
    assert not exits_early(stage, "score 9")
    assert not exits_early(stages(None)[0], {"score": 9})
