"""How much memory an execution takes, roughly."""

import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from ..execution.events import Event, StageLogged
from ..execution.model import Execution
from ..json_value import JSON

EXECUTION_BYTES = 4096
"""What an execution takes with an empty input, its place in the lists and its latest changes."""
STAGE_BYTES = 1024
CHARACTER_BYTES = 2
"""Of logs: most are ASCII, some are not."""


class WeighedValue(NamedTuple):
    """The value of a stage and what it takes, in bytes."""

    value: JSON
    weight: int


def weighed(
    execution: Execution, before: Sequence[WeighedValue] = ()
) -> tuple[int, tuple[WeighedValue, ...]]:
    """What an execution takes in bytes, and what the value of each of its stages does.

    What is in files counts nothing. Values that were weighed before are not weighed again: to look
    at all that is in one takes some milliseconds.
    """
    values = tuple(
        known if known is not None and known.value is stage.value else _weighed(stage.value)
        for stage, known in zip_longest(execution.stages, before[: len(execution.stages)])
    )
    stages = sum(STAGE_BYTES + value.weight for value in values)
    return EXECUTION_BYTES + sys.getsizeof(execution.input) + stages, values


def _weighed(value: JSON) -> WeighedValue:
    return WeighedValue(value, value_weight(value))


def event_weight(event: Event) -> int:
    """Of the text in an event, in bytes."""
    return CHARACTER_BYTES * len(event.piece.text) if isinstance(event, StageLogged) else 0


def value_weight(value: JSON) -> int:
    """Of a value of JSON, in bytes."""
    if isinstance(value, dict | list):
        return sum(map(sys.getsizeof, _nodes(value)))
    return sys.getsizeof(value)


def _nodes(value: JSON) -> Iterator[JSON]:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, dict):
            waiting.extend(node.keys())
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
