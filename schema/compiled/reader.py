"""One answer in the making."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ...core.execution import model
from ...core.json_value import EncodedJSON, dumps
from ..context import RequestContext
from ..execution import Execution
from ..reads import NotAtOnce

if TYPE_CHECKING:
    from .selection import Selection

MOST_VALUES = 3000
"""In an execution: they take about 2 ms, during which everybody waits."""


class Fragment(EncodedJSON):
    """What is asked of an execution, as JSON."""

    __slots__ = ("characters",)

    def __init__(self) -> None:
        super().__init__(b"")
        self.characters = 0
        """Of it so many count for the limit of an answer's text."""


class _Missing(NamedTuple):
    """A fragment that is still to be made."""

    selection: "Selection"
    execution: model.Execution
    fragment: Fragment


class Reader:
    """Reads values, and takes fragments of executions that there are; resolvers get it as `info`.

    All that an answer is made of is read in one go, and cannot change any more; the fragments that
    were not there are then made one by one, by `pieces`.
    """

    def __init__(self, context: RequestContext) -> None:
        self.context = context
        self.moved = False
        """Whether it depends on more than the executions."""
        self.missing: list[_Missing] = []
        self._lists: list[tuple[EncodedJSON, list[Fragment]]] = []
        self._derived = context.ctx.manager.derived

    def fragments(
        self, selection: "Selection", executions: Sequence[model.Execution]
    ) -> list[Fragment]:
        """One of each execution; those that are missing are empty as yet."""
        found: list[Fragment] = self._derived.parts(selection.shape, executions)
        for index, fragment in enumerate(found):
            if fragment is None:
                found[index] = Fragment()
                self.missing.append(_Missing(selection, executions[index], found[index]))
            elif fragment.characters:
                self.context.count(fragment.characters)
        return found

    def fragment_list(
        self, selection: "Selection", executions: Sequence[model.Execution]
    ) -> EncodedJSON:
        """As `fragments`, as a list of JSON, which is put together in the end."""
        whole = EncodedJSON(b"")
        self._lists.append((whole, self.fragments(selection, executions)))
        return whole

    def pieces(self) -> Iterator[None]:
        """Makes what is missing; there may be a pause before each."""
        for missing in self.missing:
            yield
            self._make(*missing)

    def encoded(self, value: object) -> bytes:
        """A value that was read with this reader, once everything is made."""
        for whole, fragments in self._lists:
            whole.text = b"[%b]" % b",".join([fragment.text for fragment in fragments])
        return dumps(value)

    def _make(self, selection: "Selection", execution: model.Execution, fragment: Fragment) -> None:
        if selection.size * len(execution.stages) > MOST_VALUES:
            raise NotAtOnce
        before = self.context.text
        fragment.text = dumps(selection.read(Execution.of(execution), self))
        fragment.characters = self.context.text - before
        if selection.moves and execution.ended_at is None:
            self.moved = True
        else:
            size = len(fragment.text)
            self._derived.put_part(selection.shape, execution, fragment, size)
