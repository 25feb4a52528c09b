"""What `runcast validate` finds in a folder, and what keeps a pipeline out of the server."""

from collections.abc import Iterator
from pathlib import Path

from ..core.clock import SystemClock
from ..core.errors import StageError
from ..core.pipelines.library import PipelineLibrary
from ..core.pipelines.pipeline import Pipeline, PythonStage
from ..core.pipelines.pipeline_file import Problem
from ..core.running.stages.python import function_of


def check(folder: Path) -> tuple[tuple[Problem, ...], tuple[Pipeline, ...]]:
    """Every problem, and the pipelines that can run."""
    library = PipelineLibrary(folder, SystemClock(), missing_functions)
    return library.problems(), library.all()


def missing_functions(pipeline: Pipeline) -> Iterator[Problem]:
    """The python stages whose functions cannot be found."""
    for index, stage in enumerate(pipeline.stages):
        if isinstance(stage, PythonStage):
            try:
                function_of(stage, pipeline.folder)
            except StageError as error:
                yield Problem(pipeline.path, f"stages[{index}].call", error.message)
