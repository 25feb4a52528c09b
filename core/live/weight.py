"""How much memory an execution takes, roughly."""

import sys
from collections.abc import Iterator

from ..execution.change import Change
from ..execution.model import Execution
from ..json_value import JSON

EXECUTION_BYTES = 4096
"""What an execution takes with an empty input, its place in the lists and its latest changes."""
STAGE_BYTES = 1024
CHARACTER_BYTES = 2
"""Of logs: most are ASCII, some are not."""


def weight(execution: Execution) -> int:
    """In bytes; what is in files counts nothing."""
    stages = len(execution.stages) * STAGE_BYTES + sum(
        value_weight(stage.value) for stage in execution.stages
    )
    return EXECUTION_BYTES + sys.getsizeof(execution.input) + stages


def change_weight(change: Change) -> int:
    """Of the text in a change, in bytes."""
    return 0 if change.piece is None else CHARACTER_BYTES * len(change.piece.text)


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
