"""What readers have made of executions, for as long as these stay as they are."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from ..execution.model import Execution

MOST_SHAPES = 32
PARTS_BYTES = 64 << 20
LARGEST_PART_BYTES = 64 << 10
MOST_ANSWERS = 1000
ANSWERS_BYTES = 32 << 20
PART_BYTES = 200
"""What a part takes besides what its reader says."""


class _Part(NamedTuple):
    of: Execution
    made: Any
    size: int


class _Shape:
    """One way to show executions: the part of each, by its id."""

    __slots__ = ("parts", "size")

    def __init__(self) -> None:
        self.parts: dict[str, _Part] = {}
        self.size = 0

    def put(self, part: _Part) -> None:
        self.forget(part.of.id)
        self.parts[part.of.id] = part
        self.size += part.size

    def forget(self, execution_id: str) -> None:
        part = self.parts.pop(execution_id, None)
        self.size -= 0 if part is None else part.size


class Derived:
    """Parts of answers, each made of one execution, and whole answers, made of all of them.

    A part is given only for the very value that it was made of, and goes when its execution changes
    or leaves; an answer goes when anything does. There are at most MOST_SHAPES shapes of parts with
    PARTS_BYTES, and MOST_ANSWERS answers with ANSWERS_BYTES; the shape, or the answer, that was not
    asked for the longest goes first. Nothing that is made of more than executions, of the time for
    example, may be put here.
    """

    def __init__(self, find: Callable[[str], Execution | None]) -> None:
        """`find` has the execution of an id as it is now."""
        self.revision = 0
        """Counts the changes of any kind."""
        self._find = find
        self._shapes: OrderedDict[Hashable, _Shape] = OrderedDict()
        self._answers: OrderedDict[Hashable, bytes] = OrderedDict()
        self._answers_size = 0

    def changed(self, execution_id: str) -> None:
        """The execution is another value from now on, or has left."""
        self.revision += 1
        self._answers.clear()
        self._answers_size = 0
        for shape in self._shapes.values():
            shape.forget(execution_id)

    def parts(self, shape: Hashable, executions: Sequence[Execution]) -> list[Any]:
        """The part of that shape of each; None where there is none."""
        known = self._shapes.get(shape)
        if known is None:
            return [None] * len(executions)
        self._shapes.move_to_end(shape)
        get = known.parts.get
        return [
            part.made if (part := get(one.id)) is not None and part.of is one else None
            for one in executions
        ]

    def put_part(self, shape: Hashable, execution: Execution, made: object, size: int) -> None:
        """For the next who asks, unless the execution is another one by now; `size` in bytes."""
        if size > LARGEST_PART_BYTES or self._find(execution.id) is not execution:
            return
        self._shapes.setdefault(shape, _Shape()).put(_Part(execution, made, size + PART_BYTES))
        while len(self._shapes) > MOST_SHAPES or self._parts_size() > PARTS_BYTES:
            self._shapes.popitem(last=False)

    def _parts_size(self) -> int:
        return sum(shape.size for shape in self._shapes.values())

    def answer(self, question: Hashable) -> bytes | None:
        """The answer that was put since the last change."""
        found = self._answers.get(question)
        if found is not None:
            self._answers.move_to_end(question)
        return found

    def put_answer(self, question: Hashable, answer: bytes, revision: int) -> None:
        """An answer that was read at that revision, unless there is a later one by now."""
        if revision != self.revision or len(answer) > ANSWERS_BYTES:
            return
        self._answers_size += len(answer) - len(self._answers.pop(question, b""))
        self._answers[question] = answer
        while len(self._answers) > MOST_ANSWERS or self._answers_size > ANSWERS_BYTES:
            _, gone = self._answers.popitem(last=False)
            self._answers_size -= len(gone)
