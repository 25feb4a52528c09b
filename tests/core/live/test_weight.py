"""How much memory executions take, and that it costs little to know it."""

import json
import sys
from dataclasses import replace
from typing import Any

import pytest
from runcast.core.execution.events import StageLogged
from runcast.core.execution.log import LogPiece, LogStream
from runcast.core.execution.model import Execution
from runcast.core.execution.stored import StoredValue
from runcast.core.json_value import JSON
from runcast.core.live import weight
from runcast.core.live.store import Store
from samples import an_execution, put

STORED = StoredValue("values/exec_1/one/1", 1 << 30, "0" * 64)


def with_values(*values: JSON) -> Execution:
    execution = an_execution()
    stages = [replace(execution.stages[0], id=f"s{n}", value=v) for n, v in enumerate(values)]
    return replace(execution, stages=tuple(stages))


@pytest.mark.parametrize(
    ("value", "at_least"),
    [
        ("x" * 100_000, 100_000),
        ("é" * 100_000, 100_000),
        ("x" * 99_999 + "😀", 400_000),
        ([[]] * 1000, 8000 + 56 * 1000),
        ({str(n): n << 200 for n in range(1000)}, 1000 * (49 + 24 + 27)),
        ([[[["deep" * 1000]]]], 4000),
    ],
    ids=["ascii", "accents", "emoji", "lists", "numbers", "deep"],
)
def test_a_value_takes_what_it_takes_in_memory(value: Any, at_least: int) -> None:
    """Not what it has as text: that can be a twentieth of it, or a quarter."""
    none, _ = weight.weighed(with_values(None))
    much, _ = weight.weighed(with_values(value))
    assert at_least <= much - none <= 3 * at_least + sys.getsizeof(None)


def test_what_is_in_files_takes_nothing() -> None:
    """Neither a value nor an input, however large."""
    none, _ = weight.weighed(with_values(None))
    stored, _ = weight.weighed(replace(with_values(STORED), input=STORED))
    assert stored < none + 100


def test_a_value_is_weighed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And again only if the stage has another one."""
    seen: list[JSON] = []
    monkeypatch.setattr(weight, "value_weight", lambda value: seen.append(value) or 7)
    store = Store()
    values: list[JSON] = [["a"], None, "b"]
    for sequence in range(1, 50):
        if sequence == 25:
            values[1] = ["c"]
        put(store, replace(with_values(*values), sequence=sequence))
    assert seen == [["a"], None, "b", ["c"]]
    known, _ = weight.weighed(with_values(*values))
    assert store.weight == known


def test_nothing_is_counted_of_what_has_left() -> None:
    """Neither of its values nor of what it has said."""
    store = Store()
    for number in range(10):
        execution = replace(with_values([1] * number, "x" * 1000), id=f"exec_{number}")
        put(store, execution)
        piece = LogPiece(0, LogStream.STDOUT, json.dumps("y" * 1000), 1)
        store.put(StageLogged(execution.id, 2, 0, piece, 0), execution)
    assert store.weight > 10 * (1000 + 2 * 1000)
    for number in range(10):
        store.remove(f"exec_{number}")
    assert store.weight == 0
