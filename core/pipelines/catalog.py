"""What a library shows: the pipelines that can run, and what is wrong with the files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import NotFound
from ..text import printable
from .listing import Stamp
from .pipeline import Pipeline, PythonStage
from .problem import Problem


@dataclass(frozen=True, slots=True)
class File:
    """What a file said when it was read; `stamp` tells whether it has changed since.

    A file that is not meant as a pipeline has neither a pipeline nor problems.
    """

    path: Path
    stamp: Stamp
    pipeline: Pipeline | None = None
    problems: tuple[Problem, ...] = ()
    """Why it could not be read, or what the library's check has found."""

    @property
    def runnable(self) -> Pipeline | None:
        """Its pipeline, unless an error keeps that from running."""
        return None if any(problem.is_error for problem in self.problems) else self.pipeline

    @property
    def doubtful(self) -> bool:
        """Whether it loads, but the library's check has found something."""
        return self.pipeline is not None and bool(self.problems)

    @property
    def calls_functions(self) -> bool:
        """Whether a change of a module may keep its pipeline from running."""
        stages = () if self.pipeline is None else self.pipeline.stages
        return any(isinstance(stage, PythonStage) for stage in stages)

    @property
    def all_problems(self) -> Sequence[Problem]:
        """Those, and the warnings of reading it."""
        return self.problems if self.pipeline is None else self.pipeline.warnings + self.problems


@dataclass(frozen=True, slots=True)
class Catalog:
    """The state of a folder, as it is shown. It never changes; a new one takes its place."""

    pipelines: tuple[Pipeline, ...] = ()
    """Those that can run, in the order of their files."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the folder and with the files, in their order; warnings, too."""
    _named: Mapping[str, Pipeline] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, files: Mapping[str, File], trouble: Sequence[Problem] = ()) -> "Catalog":
        """From the files by their names; `trouble` is what is wrong with the folder itself.

        Thousands of files take some milliseconds, because each is looked at in a few steps only.
        """
        by_id: dict[str, Pipeline] = {}
        by_stem: dict[str, Pipeline] = {}
        problems = list(trouble)
        for name in sorted(files):
            file = files[name]
            problems += file.all_problems
            if (pipeline := file.runnable) is None:
                continue
            first = by_id.setdefault(pipeline.id, pipeline)
            if first is pipeline:
                by_stem.setdefault(printable(name.rpartition(".")[0]), first)
            else:
                problems.append(_twin(file.path, first))
        # Ids are in the order of the files, and one wins over the name of another file.
        return cls(tuple(by_id.values()), tuple(problems), by_stem | by_id)

    def get(self, id: str) -> Pipeline:
        """The pipeline of that id, or else of the file with that stem.

        Raises:
            NotFound: there is none.
        """
        try:
            return self._named[id]
        except KeyError:
            raise NotFound("Pipeline not found") from None


def _twin(path: Path, first: Pipeline) -> Problem:
    owner = printable(first.path.name)
    return Problem(path, "pipeline.id", f"{owner} has the id `{first.id}` already")
