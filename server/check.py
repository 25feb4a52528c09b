"""What `runcast validate` finds in a file or a folder, and what a server finds in its pipelines."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from ..core.errors import StageError
from ..core.pipelines.catalog import File
from ..core.pipelines.checks import Check
from ..core.pipelines.library import PipelineLibrary
from ..core.pipelines.own_thread import in_own_thread
from ..core.pipelines.pipeline import Pipeline, PythonStage
from ..core.pipelines.pipeline_file import PipelineFileError, load
from ..core.pipelines.problem import Problem
from ..core.running.stages.command_needs import missing_of_commands
from ..core.running.workers.pool import WorkerPool

Found: TypeAlias = tuple[tuple[Problem, ...], tuple[Pipeline, ...]]
"""Every problem, and the pipelines that can run."""


async def check(path: Path, *, is_file: bool) -> Found:
    """Checks a file, or all files of a folder; `path` is absolute.

    Raises:
        InvalidInput: there is no such folder.
    """
    async with WorkerPool(max_idle=1) as pool:
        find = partial(find_missing, pool, os.environ)
        if is_file:
            return await _check_file(path, find)
        async with PipelineLibrary(path, check=find) as library:
            await library.settled()
            return library.problems(), library.all()


async def find_missing(
    pool: WorkerPool, environ: Mapping[str, str], pipeline: Pipeline
) -> list[Problem]:
    """What a pipeline needs, and is not there: functions, and as warnings programs and folders."""
    commands = await in_own_thread(lambda: list(missing_of_commands(pipeline, environ)))
    return [*await _missing_functions(pool, pipeline), *commands]


async def _check_file(path: Path, find: Check) -> Found:
    try:
        pipeline = await in_own_thread(partial(load, path))
    except PipelineFileError as error:
        return error.problems, ()
    file = File(path, None, pipeline, tuple(await find(pipeline)))
    return tuple(file.all_problems), () if file.runnable is None else (file.runnable,)


async def _missing_functions(pool: WorkerPool, pipeline: Pipeline) -> list[Problem]:
    missing = []
    for index, stage in enumerate(pipeline.stages):
        if isinstance(stage, PythonStage):
            try:
                await pool.find(stage, pipeline.folder)
            except StageError as error:
                missing.append(pipeline.problem(index, "call", error.message))
    return missing
