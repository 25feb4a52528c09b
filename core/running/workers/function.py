"""Which function a python stage calls, and the module that it is in."""

from pathlib import Path
from typing import NamedTuple

from ...pipelines.pipeline import PythonStage


class Module(NamedTuple):
    """A module as a pipeline file in `folder` names it."""

    folder: Path
    name: str


class Function(NamedTuple):
    """A function of a module; `path` has dots where it is a member of something."""

    module: Module
    path: str

    @classmethod
    def of(cls, stage: PythonStage, folder: Path) -> "Function":
        name, _, path = stage.call.partition(":")
        return cls(Module(folder, name), path)
