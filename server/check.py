"""What `runcast validate` finds in a folder, and what keeps a pipeline out of the server."""

from functools import partial
from pathlib import Path

from ..core.errors import StageError
from ..core.pipelines.library import PipelineLibrary
from ..core.pipelines.pipeline import Pipeline, PythonStage
from ..core.pipelines.problem import Problem
from ..core.running.workers.pool import WorkerPool


async def check(folder: Path) -> tuple[tuple[Problem, ...], tuple[Pipeline, ...]]:
    """Every problem, and the pipelines that can run.

    Raises:
        InvalidInput: there is no such folder.
    """
    async with (
        WorkerPool(max_idle=1) as pool,
        PipelineLibrary(folder, check=partial(missing_functions, pool)) as library,
    ):
        await library.settled()
        return library.problems(), library.all()


async def missing_functions(pool: WorkerPool, pipeline: Pipeline) -> list[Problem]:
    """The python stages whose functions cannot be found."""
    missing = []
    for index, stage in enumerate(pipeline.stages):
        if isinstance(stage, PythonStage):
            try:
                await pool.find(stage, pipeline.folder)
            except StageError as error:
                missing.append(Problem(pipeline.path, f"stages[{index}].call", error.message))
    return missing
