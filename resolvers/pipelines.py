"""Finding pipelines."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..core.pipelines.pipeline import Pipeline
from ..core.pipelines.problem import Problem, Severity
from ..core.text import printable
from .context import Context

FOLDERS = re.compile(r"(?<![\w.~/])/(?:[^/\s'\"`()]+/)+")
"""What is before the last part of an absolute path."""


@dataclass(frozen=True, slots=True)
class ShownProblem:
    """A problem of a pipeline file as clients may see it: without the server's own paths."""

    file: str
    """As it is called in the pipelines folder; `.` for what is wrong with that itself."""
    line: int | None
    message: str
    """It begins with the place, such as `stages[0].input`, if there is one."""
    severity: Severity

    @classmethod
    def of(cls, problem: Problem, folder: Path) -> "ShownProblem":
        """The problem of a file in that folder."""
        file = "." if problem.path == folder else printable(problem.path.name)
        parts = (problem.place, problem.message.replace(f"{folder}{os.sep}", ""))
        message = FOLDERS.sub("", ": ".join(part for part in parts if part))
        return cls(file, problem.line, message, problem.severity)


def list_pipelines(ctx: Context) -> tuple[Pipeline, ...]:
    """Every pipeline that can be started, in the order of their files' names."""
    return ctx.pipelines.all()


def list_problems(ctx: Context) -> list[ShownProblem]:
    """What is wrong with the pipeline files: errors leave a pipeline out, warnings do not."""
    return [ShownProblem.of(problem, ctx.pipelines.folder) for problem in ctx.pipelines.problems()]


def get_pipeline(ctx: Context, pipeline_id: str) -> Pipeline:
    """The pipeline of that id, or of the file of that name (without its ending).

    Raises:
        NotFound: there is none.
    """
    return ctx.pipelines.get(pipeline_id)
