"""What command stages need of the machine: their programs and their folders."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ...pipelines.document import quoted
from ...pipelines.pipeline import CommandStage, Pipeline
from ...pipelines.problem import Problem, Severity
from .command import WORKDIR, environment


def missing_of_commands(pipeline: Pipeline, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Warnings of programs and folders that are not there; a stage before may still make them.

    It asks the file system, which may hang.
    """
    for index, stage in enumerate(pipeline.stages):
        if isinstance(stage, CommandStage):
            folder = _folder(stage, pipeline.folder)
            if folder is not None and not _is_there(folder, Path.is_dir):
                message = f"there is no folder {quoted(stage.cwd)}"
                yield pipeline.problem(index, "cwd", message, Severity.WARNING)
            elif flaw := _program_flaw(stage, folder, environ):
                yield pipeline.problem(index, "command", flaw, Severity.WARNING)


def _folder(stage: CommandStage, folder: Path) -> Path | None:
    """Where the stage runs; None for the execution's own folder, which is made for each."""
    return None if stage.cwd == Path(WORKDIR) else folder / (stage.cwd or Path())


def _program_flaw(
    stage: CommandStage, folder: Path | None, environ: Mapping[str, str]
) -> str | None:
    program = stage.command[0]
    if os.sep not in program:
        path = environment(stage, environ).get("PATH", os.defpath)
        found = shutil.which(program, path=path) is not None
        return None if found else f"there is no program {quoted(program)} on the PATH"
    if folder is None and not Path(program).is_absolute():
        return None  # An earlier stage may write it there.
    file = (folder or Path()) / program
    if not _is_there(file, Path.is_file):
        return f"there is no program {quoted(program)}"
    return None if os.access(file, os.X_OK) else f"{quoted(program)} cannot be executed"


def _is_there(path: Path, kind: Callable[[Path], bool]) -> bool:
    try:
        return kind(path)
    except OSError:  # Such as a name that is too long.
        return False
