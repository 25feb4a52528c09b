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

LOOKED_UP = 200
"""So many fragments are looked up in a tenth of a millisecond."""
MOST_VALUES = 3000
"""In an execution: they take about 2 ms, during which everybody waits."""


class Fragment(NamedTuple):
    """What is asked of an execution, as JSON."""

    text: bytes
    characters: int
    """So many of it count for the limit of an answer's text."""


class _Whole(NamedTuple):
    """What is asked of some executions, in one text."""

    text: EncodedJSON
    selection: "Selection"
    executions: Sequence[model.Execution]
    form: tuple[bytes, bytes]
    """What the text begins and ends with."""


class Reader:
    """Reads values, and takes fragments of executions that there are; resolvers get it as `info`.

    All that an answer is made of is read in one go, and cannot change any more. Then `pieces` puts
    it together.
    """

    def __init__(self, context: RequestContext) -> None:
        self.context = context
        self.moved = False
        """Whether it depends on more than the executions."""
        self._derived = context.ctx.manager.derived
        self._wholes: list[_Whole] = []

    def execution(self, selection: "Selection", execution: model.Execution) -> EncodedJSON:
        """What is asked of one; it is there once all pieces are made."""
        return self._whole(selection, [execution], (b"", b""))

    def executions(
        self, selection: "Selection", executions: Sequence[model.Execution]
    ) -> EncodedJSON:
        """As `execution`, of several, in a list."""
        return self._whole(selection, executions, (b"[", b"]"))

    def pieces(self) -> Iterator[None]:
        """Looks fragments up, makes those that are missing, and joins them; there may be a pause
        before each piece, and in the end before the value is encoded."""
        for whole in self._wholes:
            texts: list[bytes] = []
            for start in range(0, len(whole.executions), LOOKED_UP):
                yield
                some = whole.executions[start : start + LOOKED_UP]
                known: list[Fragment | None] = self._derived.parts(whole.selection.shape, some)
                for execution, fragment in zip(some, known, strict=True):
                    if fragment is not None:
                        self.context.count(fragment.characters)
                    else:
                        yield
                        fragment = self._made(whole.selection, execution)
                    texts.append(fragment.text)
            yield
            whole.text.text = _joined(texts, *whole.form)
        yield

    def _whole(
        self,
        selection: "Selection",
        executions: Sequence[model.Execution],
        form: tuple[bytes, bytes],
    ) -> EncodedJSON:
        whole = _Whole(EncodedJSON(b""), selection, executions, form)
        self._wholes.append(whole)
        return whole.text

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


def _joined(texts: list[bytes], begin: bytes, end: bytes) -> bytes:
    """Copied once: they may be megabytes."""
    if not texts:
        return begin + end
    texts[0] = begin + texts[0]
    texts[-1] += end
    return b",".join(texts)
