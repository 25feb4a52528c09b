"""What a pipeline file may say: the stages in order, and how each of them runs.

The keys are camelCase, as in the files of the old system (section 5.1 of the REST contract).
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
)
from pydantic.alias_generators import to_camel

MAX_OUTPUT_BYTES = 1 << 20

Identifier: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
]
Milliseconds: TypeAlias = Annotated[int, Field(gt=0)]


class Definition(BaseModel):
    """The base of everything that a pipeline file holds: frozen, and a wrong key is an error."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, populate_by_name=True
    )


class StageDefinition(Definition):
    """What every kind of stage has."""

    kind: ClassVar[str]
    """Which runner it needs."""

    id: Identifier
    type: str
    name: str = ""
    description: str | None = None
    timeout_ms: Milliseconds | None = None
    """For one attempt; None: as long as it takes."""
    retry_count: int = Field(default=0, ge=0, le=5)
    retry_delay_ms: Milliseconds = 1000
    """Before the second attempt; doubled before each further one, 30 s at most."""
    max_output_bytes: int = Field(default=MAX_OUTPUT_BYTES, gt=0, le=64 * MAX_OUTPUT_BYTES)
    """What is kept of its output; what comes after that is counted and dropped."""

    @property
    def title(self) -> str:
        return self.name or self.id


class CommandStage(StageDefinition):
    """A child process: the stage's input on stdin, its stdout is the output."""

    kind = "command"

    type: Literal["command"] = "command"
    command: tuple[str, ...] = Field(min_length=1)
    """The program and its arguments; never a shell, unless the program is one."""
    env: tuple[str, ...] = ()
    """`NAME` takes a variable over from the server's environment, `NAME=value` sets it."""
    cwd: Path | None = None
    """Where it runs, seen from the folder of the pipeline file; None: that folder."""


class PythonStage(StageDefinition):
    """A function: async in the server's event loop, or sync in a worker process."""

    kind = "python"

    type: Literal["python"] = "python"
    call: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
    """`package.module:function`, imported from the pipeline file's folder or the environment."""


def _kind(stage: Any) -> str | None:
    if isinstance(stage, StageDefinition):
        return stage.kind
    for key, kind in (("command", "command"), ("call", "python")):
        if isinstance(stage, dict) and key in stage:
            return kind
    return None


Stage: TypeAlias = Annotated[
    Annotated[CommandStage, Tag("command")] | Annotated[PythonStage, Tag("python")],
    Discriminator(
        _kind,
        custom_error_type="stage_kind",
        custom_error_message="a stage needs `command` (a list) or `call` (package.module:function)",
    ),
]


class PipelineSettings(Definition):
    """How a pipeline's executions run."""

    continue_on_error: bool = False
    """A failed stage is recorded and the next one runs."""
    timeout_ms: Milliseconds | None = None
    """For the whole execution; None: as long as it takes."""
    max_concurrent: int | None = Field(default=None, gt=0)
    """How many executions of this pipeline run at a time; None: the server's limit."""


class PipelineHead(Definition):
    """Who a pipeline is."""

    id: Identifier
    name: str = Field(min_length=1)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: str | None = None
    settings: PipelineSettings = PipelineSettings()


class PipelineFile(Definition):
    """A whole file."""

    pipeline: PipelineHead
    stages: tuple[Stage, ...] = Field(min_length=1)

    @field_validator("stages")
    @classmethod
    def _ids_are_unique(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        counted = Counter(stage.id for stage in stages)
        if twice := [id for id, count in counted.items() if count > 1]:
            raise ValueError(f"two stages have the id {', '.join(map(repr, twice))}")
        return stages


class Pipeline(BaseModel):
    """A pipeline that can run: a file's content, and where it came from."""

    model_config = ConfigDict(frozen=True)

    definition: PipelineFile
    source: dict[str, Any]
    """The file's content as it was written, without defaults filled in."""
    path: Path

    @property
    def id(self) -> str:
        return self.definition.pipeline.id

    @property
    def name(self) -> str:
        return self.definition.pipeline.name

    @property
    def version(self) -> str:
        return self.definition.pipeline.version

    @property
    def description(self) -> str | None:
        return self.definition.pipeline.description

    @property
    def settings(self) -> PipelineSettings:
        return self.definition.pipeline.settings

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self.definition.stages

    @property
    def folder(self) -> Path:
        return self.path.parent
