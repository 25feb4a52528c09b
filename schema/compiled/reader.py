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


class Fragment(NamedTuple):
    """What is asked of an execution, as JSON."""

    text: bytes
    characters: int
    """So many of it count for the limit of an answer's text."""


class _Missing(NamedTuple):
    """Fragments that are still to be made: those of these places."""

    selection: "Selection"
    executions: Sequence[model.Execution]
    fragments: list[Fragment]
    places: list[int]


class Reader:
    """Reads values, and takes fragments of executions that there are; resolvers get it as `info`.

    All that an answer is made of is read in one go, and cannot change any more; the fragments that
    were not there are then made one by one, by `pieces`.
    """

    def __init__(self, context: RequestContext) -> None:
        self.context = context
        self.moved = False
        """Whether it depends on more than the executions."""
        self._derived = context.ctx.manager.derived
        self._missing: list[_Missing] = []
        self._wholes: list[tuple[EncodedJSON, bytes, list[Fragment]]] = []

    @property
    def missing(self) -> int:
        """How many fragments are to be made."""
        return sum(len(missing.places) for missing in self._missing)

    def execution(self, selection: "Selection", execution: model.Execution) -> EncodedJSON:
        """What is asked of one; it is there when all is encoded."""
        return self._whole(selection, [execution], b"%b")

    def executions(
        self, selection: "Selection", executions: Sequence[model.Execution]
    ) -> EncodedJSON:
        """As `execution`, of several, in a list."""
        return self._whole(selection, executions, b"[%b]")

    def pieces(self) -> Iterator[None]:
        """Makes what is missing; there may be a pause before each."""
        for selection, executions, fragments, places in self._missing:
            for place in places:
                yield
                fragments[place] = self._made(selection, executions[place])

    def encoded(self, value: object) -> bytes:
        """A value that was read with this reader, once everything is made."""
        for whole, form, fragments in self._wholes:
            whole.text = form % b",".join([fragment.text for fragment in fragments])
        return dumps(value)

    def _whole(
        self, selection: "Selection", executions: Sequence[model.Execution], form: bytes
    ) -> EncodedJSON:
        fragments: list[Fragment] = self._derived.parts(selection.shape, executions)
        places = [place for place, fragment in enumerate(fragments) if fragment is None]
        if places:
            self._missing.append(_Missing(selection, executions, fragments, places))
        self.context.count(sum(found.characters for found in fragments if found is not None))
        whole = EncodedJSON(b"")
        self._wholes.append((whole, form, fragments))
        return whole

    def _made(self, selection: "Selection", execution: model.Execution) -> Fragment:
        if selection.size * len(execution.stages) > MOST_VALUES:
            raise NotAtOnce
        before = self.context.text
        text = dumps(selection.read(Execution.of(execution), self))
        fragment = Fragment(text, self.context.text - before)
        if selection.moves and execution.ended_at is None:
            self.moved = True
        else:
            self._derived.put_part(selection.shape, execution, fragment, len(text))
        return fragment
