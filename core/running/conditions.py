"""Whether a stage runs, and whether an execution ends early: conditions on what stages handed over.

The rules are those of section 5.2 of the REST contract.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, TypeAlias

from ..json_value import JSON
from ..pipelines.definition import Condition, Precondition
from ..pipelines.pipeline import StageDefinition

INDEX_DIGITS = 15


class Missing(Enum):
    """The type of MISSING, which is what a path finds where nothing is; JSON's null is a value."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

Found: TypeAlias = JSON | Missing


def lookup(data: Found, path: str) -> Found:
    """What dots lead to, through the keys of objects and the indexes (`items.0`) of lists."""
    for key in path.split("."):
        if isinstance(data, Mapping):
            data = data.get(key, MISSING)
        elif isinstance(data, (list, tuple)):
            data = _item(data, key)
        else:
            return MISSING
    return data


def holds(condition: Condition, data: Found) -> bool:
    """Whether the condition is true of the data."""
    value = lookup(data, condition.path)
    for name, (fits, answer) in OPERATORS.items():
        if name in condition.model_fields_set and fits(value):
            return answer(value, getattr(condition, name))
    return False


def skip_reason(
    stages: Sequence[StageDefinition], index: int, prompt: str, outputs: Mapping[str, JSON]
) -> str | None:
    """Why the stage at `index` is skipped; None if it runs.

    `prompt` is the execution's input, `outputs` what each completed stage handed over, by its id.
    """
    conditions = stages[index].conditions
    if conditions is None:
        return None

    def met(precondition: Precondition) -> bool:
        return holds(precondition.condition, _source(precondition, stages, index, prompt, outputs))

    if (skip := conditions.skip_if) is not None and met(skip):
        return f"skipIf condition met (path: {skip.condition.path})"
    if (run := conditions.run_if) is not None and not met(run):
        return f"runIf condition not met (path: {run.condition.path})"
    return None


def exits_early(stage: StageDefinition, value: JSON) -> bool:
    """Whether a stage that has completed with this value is the last one to run."""
    if stage.conditions is None or stage.conditions.early_exit is None:
        return False
    return holds(stage.conditions.early_exit.condition, value)


def return_stage(stage: StageDefinition) -> str:
    """The stage that the result of an early exit at `stage` is said to come from."""
    conditions = stage.conditions
    named = conditions and conditions.early_exit and conditions.early_exit.return_stage
    return named or stage.id


def _source(
    precondition: Precondition,
    stages: Sequence[StageDefinition],
    index: int,
    prompt: str,
    outputs: Mapping[str, JSON],
) -> Found:
    """Nothing, where the stage that is meant was skipped or has failed."""
    if precondition.source_stage is not None:
        return outputs.get(precondition.source_stage, MISSING)
    if index == 0:
        return {"prompt": prompt}
    return outputs.get(stages[index - 1].id, MISSING)


def _item(items: Sequence[JSON], key: str) -> Found:
    # "01", "-1" and "٣" are no indexes, and int() refuses very long numbers.
    if not (key.isascii() and key.isdecimal() and len(key) <= INDEX_DIGITS):
        return MISSING
    index = int(key)
    return items[index] if str(index) == key and index < len(items) else MISSING


def _is_number(value: Found) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_text(value: Found) -> bool:
    return isinstance(value, str)


def _is_anything(value: Found) -> bool:
    return True


def _same(value: Found, expected: JSON) -> bool:
    """JavaScript's `===`, between values that come from two documents."""
    if _is_number(value) and _is_number(expected):
        return value == expected
    scalar = value is None or isinstance(value, (str, bool))
    return scalar and type(value) is type(expected) and value == expected


# In the order of section 5.2: the first one that is given and fits decides.
OPERATORS: Mapping[str, tuple[Callable[[Found], bool], Callable[[Any, Any], bool]]] = {
    "equals": (_is_anything, _same),
    "not_equals": (_is_anything, lambda value, other: not _same(value, other)),
    "contains": (_is_text, operator.contains),
    "greater_than": (_is_number, operator.gt),
    "less_than": (_is_number, operator.lt),
    "exists": (_is_anything, lambda value, wanted: (value is not MISSING) is wanted),
}
