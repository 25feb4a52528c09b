"""What the names in a stage's templates can mean, before anything has run.

The rules are those by which templates are rendered (section 5.3 of the REST contract): a name that
is refused here fails whenever its stage runs, whatever the stages before it have handed over.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from .document import quoted
from .pipeline import CommandStage, StageDefinition
from .suggestion import suggestion

INPUT_NAMES = ("prompt", "input.prompt", "input_prompt")

LONGEST_ID = 100


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a template of one stage can use."""

    stages: Sequence[StageDefinition]
    index: int
    """Which of the stages it is."""
    indexes: Mapping[str, int]
    """The indexes of all stages, by their ids."""

    @classmethod
    def of_each(cls, stages: Sequence[StageDefinition]) -> Iterator["Names"]:
        """The names for each of the stages of a pipeline, in order."""
        indexes = {stage.id: index for index, stage in enumerate(stages)}
        for index in range(len(stages)):
            yield cls(stages, index, indexes)

    @property
    def stage(self) -> StageDefinition:
        """The stage that has the template."""
        return self.stages[self.index]

    def flaw(self, name: str, values: Iterable[str] = ()) -> str | None:
        """Why a name can never mean anything; None if it can.

        `values` are the names of the stage's own variables.
        """
        if name in values or name in INPUT_NAMES:
            return None
        return self.context_flaw(name, [*values, *INPUT_NAMES])

    def context_flaw(self, name: str, others: Iterable[str] = ()) -> str | None:
        """The same of a name that only a stage can give a meaning; `others` may be suggested."""
        if self._is_earlier(name):
            return None
        flaws = [self.path_flaw(id, path) for id, path in _split(name) if self._is_earlier(id)]
        if flaws:
            # Which of the stages is meant depends on which of them are skipped.
            return None if None in flaws else flaws[0]
        for id in (name, *(id for id, _ in _split(name))):
            if id == self.stage.id:
                return "names the stage itself"
            if id in self.indexes:
                return f"names {quoted(id)}, which does not run before this stage"
        known = chain(others, (stage.id for stage in self.stages[: self.index]))
        return f"names nothing{suggestion(name, known)}"

    def path_flaw(self, id: str, path: str) -> str | None:
        """Why a path can never lead anywhere in what an earlier stage hands over."""
        stage = self.stages[self.indexes[id]]
        if stage.output is None:
            if isinstance(stage, CommandStage):
                said = f"{quoted(id)} hands over text: it needs an `output` to have parts"
                return f"names nothing: {said}"
        elif stage.output.format == "json" and stage.output.extract:
            first = path.partition(".")[0]
            extracted = [each.name for each in stage.output.extract]
            if first not in extracted:
                said = f"{quoted(id)} does not extract {quoted(first)}"
                return f"names nothing: {said}{suggestion(first, extracted)}"
        return None

    def _is_earlier(self, id: str) -> bool:
        return self.indexes.get(id, self.index) < self.index


def _split(name: str) -> Iterator[tuple[str, str]]:
    """The ids that a name can begin with, each with the path behind it; the longest id first."""
    end = len(name[: LONGEST_ID + 1])
    while (end := name.rfind(".", 0, end)) > 0:
        yield name[:end], name[end + 1 :]
