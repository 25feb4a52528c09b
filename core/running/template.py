"""Templates: text with `{{names}}` for the execution's input and for what stages handed over.

The rules are those of section 5.3 of the REST contract.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import StageError
from ..json_value import JSON, as_text
from ..pipelines.definition import Variable
from ..pipelines.placeholder import PLACEHOLDER
from ..text import trimmed
from .conditions import MISSING, Found, lookup


@dataclass(frozen=True, slots=True)
class Scope:
    """What the names in a stage's templates can mean."""

    prompt: str
    """The execution's input: `prompt`, `input.prompt` or `input_prompt`."""
    given: JSON
    """What the stage is given."""
    outputs: Mapping[str, JSON]
    """What each earlier stage handed over, by its id."""

    @property
    def input(self) -> Mapping[str, JSON]:
        return {"prompt": self.prompt}


def resolve(variables: Iterable[Variable], scope: Scope) -> dict[str, JSON]:
    """The value of each variable; "" for one that has none and need not have one.

    Raises:
        StageError: a required variable has no value.
    """
    return {variable.name: _resolved(variable, scope) for variable in variables}


def render(template: str, values: Mapping[str, JSON], scope: Scope) -> str:
    """The template with each placeholder replaced. What is put in is not looked at again.

    A name means, in this order: one of the `values`, a path in the input after `input.` or
    `input_`, a path in what a stage handed over after the stage's id and a dot, a path in the
    input, a path in all that was handed over.

    Raises:
        StageError: a name means nothing.
    """

    def replacement(match: re.Match[str]) -> str:
        name = trimmed(match[1])
        value = _named(name, values, scope)
        if value is MISSING:
            raise _unresolved(f'Variable "{name}" not found')
        return as_text(value)

    return PLACEHOLDER.sub(replacement, template)


def _resolved(variable: Variable, scope: Scope) -> JSON:
    value = _sourced(variable, scope)
    if value is not MISSING:
        return value
    if variable.required:
        raise _unresolved(f'Required variable "{variable.name}" not found')
    return ""


def _sourced(variable: Variable, scope: Scope) -> Found:
    path = variable.path
    match variable.source:
        case "input":
            return lookup(scope.input, path or variable.name)
        case "context":
            return _from_context(path or variable.name, scope)
        case "previousStage":
            id = variable.stage_id
            value = scope.given if id is None else scope.outputs.get(id, MISSING)
            return value if path is None else lookup(value, path)
        case "static":
            return variable.value if "value" in variable.model_fields_set else MISSING


def _named(name: str, values: Mapping[str, JSON], scope: Scope) -> Found:
    if name in values:
        return values[name]
    if name.startswith(("input.", "input_")):
        value = lookup(scope.input, name[len("input.") :])
        if value is not MISSING:
            return value
    value = _from_stage(name, scope)
    if value is not MISSING:
        return value
    value = lookup(scope.input, name)
    return value if value is not MISSING else _from_context(name, scope)


def _from_context(path: str, scope: Scope) -> Found:
    if path in scope.outputs:
        return scope.outputs[path]
    return _from_stage(path, scope)


def _from_stage(name: str, scope: Scope) -> Found:
    # An id may have dots itself: the longest one that fits is meant.
    ids = (id for id in scope.outputs if name.startswith(f"{id}."))
    id = max(ids, key=len, default=None)
    return MISSING if id is None else lookup(scope.outputs[id], name[len(id) + 1 :])


def _unresolved(message: str) -> StageError:
    return StageError(message, type="UnresolvedVariable", retryable=False)
