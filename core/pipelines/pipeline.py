"""The content of a pipeline file: the stages in order, and how each of them runs.

The keys are camelCase, as in the files of the old system (section 5.1 of the REST contract).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
)
from pydantic_core import PydanticCustomError

from .definition import (
    Conditions,
    Definition,
    Identifier,
    Milliseconds,
    ModelDefinition,
    OutputDefinition,
    PromptDefinition,
    Reference,
)
from .pipeline_head import PipelineHead, PipelineSettings
from .problem import Problem, Severity

MAX_OUTPUT_BYTES = 64 << 20
LARGEST_OUTPUT_BYTES = 4 << 30

PROMPT_TIMEOUT_MS = 60_000

# The key that determines the kind of a stage.
KINDS = {"command": "command", "call": "python", "model": "prompt", "prompt": "prompt"}


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
    max_output_bytes: int = Field(default=MAX_OUTPUT_BYTES, gt=0, le=LARGEST_OUTPUT_BYTES)
    """How large its value may be: with more the stage fails, for nothing is cut and handed on."""
    input: str | None = None
    """A template for what the stage is given; None: what the stage before handed over."""
    output: OutputDefinition | None = None
    """How its result is parsed; None: it is handed over as it is."""
    conditions: Conditions | None = None

    @property
    def title(self) -> str:
        return self.name or self.id

    def references(self) -> Iterator[Reference]:
        """The places that name other stages."""
        if self.conditions is not None:
            for place, id, earlier in self.conditions.references():
                yield Reference(("conditions", *place), id, earlier)


def _without_nul(value: Any) -> Any:
    """An operating system takes a NUL for the end of a text."""
    if "\0" in str(value):
        raise PydanticCustomError("nul", "must not have a NUL character in it")
    return value


Argument: TypeAlias = Annotated[str, AfterValidator(_without_nul)]


class CommandStage(StageDefinition):
    """A child process: the stage's input on stdin, its stdout is the output."""

    kind = "command"

    type: Literal["command"] = "command"
    command: tuple[Argument, ...] = Field(min_length=1)
    """The program and its arguments as they are; never a shell, unless the program is one."""
    env: tuple[Argument, ...] = ()
    """`NAME` takes a variable over from the server's environment, `NAME=value` sets it."""
    cwd: Annotated[Path, AfterValidator(_without_nul)] | None = None
    """Where it runs, seen from the folder of the pipeline file; None: that folder."""


class PythonStage(StageDefinition):
    """A function: async in the server's event loop, or sync in a worker process."""

    kind = "python"

    type: Literal["python"] = "python"
    call: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
    """`package.module:function`, imported from the pipeline file's folder or the environment."""


class PromptStage(StageDefinition):
    """A question to a language model: the answer's text is the output."""

    kind = "prompt"

    type: Literal["analyze", "structure", "enhance", "validate", "test", "iterate", "custom"] = (
        "custom"
    )
    """To be read by people; it does nothing."""
    model: ModelDefinition
    prompt: PromptDefinition
    output: OutputDefinition = OutputDefinition()
    timeout_ms: Milliseconds = PROMPT_TIMEOUT_MS
    """0, in an old file, is the default."""
    retry_count: int = Field(default=2, ge=0, le=5)

    def references(self) -> Iterator[Reference]:
        for place, id, earlier in self.prompt.references():
            yield Reference(("prompt", *place), id, earlier)
        yield from super().references()

    @field_validator("timeout_ms", mode="before")
    @classmethod
    def _zero_is_the_default(cls, timeout_ms: Any) -> Any:
        return PROMPT_TIMEOUT_MS if timeout_ms == 0 else timeout_ms


def _kind(stage: Any) -> str | None:
    if isinstance(stage, StageDefinition):
        return stage.kind
    for key, kind in KINDS.items():
        if isinstance(stage, dict) and key in stage:
            return kind
    return None


Stage: TypeAlias = Annotated[
    Annotated[CommandStage, Tag("command")]
    | Annotated[PythonStage, Tag("python")]
    | Annotated[PromptStage, Tag("prompt")],
    Discriminator(
        _kind,
        custom_error_type="stage_kind",
        custom_error_message="a stage needs `command` (a list), or "
        "`call` (package.module:function), or `model` and `prompt`",
    ),
]


class PipelineFile(Definition):
    """A whole file."""

    pipeline: PipelineHead
    stages: tuple[Stage, ...] = Field(min_length=1)

    @field_validator("stages")
    @classmethod
    def _ids_are_unique(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        counted = Counter(stage.id for stage in stages)
        if twice := [id for id, count in counted.items() if count > 1]:
            raise PydanticCustomError(
                "stage_ids", "two stages have the id {ids}", {"ids": ", ".join(map(repr, twice))}
            )
        return stages

    @field_validator("stages")
    @classmethod
    def _references_lead_somewhere(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if loose := dict(_loose_references(stages)):
            said = (f"{'.'.join(map(str, place))}: {reason}" for place, reason in loose.items())
            raise PydanticCustomError(
                "stage_references", "{said}", {"said": "; ".join(said), "places": loose}
            )
        return stages


def _loose_references(
    stages: Sequence[StageDefinition],
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The places that name a stage which is not there, or not there yet, and what is wrong."""
    indexes = {stage.id: index for index, stage in enumerate(stages)}
    for index, stage in enumerate(stages):
        for place, id, earlier in stage.references():
            if id not in indexes:
                yield ("stages", index, *place), f'there is no stage "{id}"'
            elif earlier and indexes[id] >= index:
                yield ("stages", index, *place), f'stage "{id}" does not run before this one'


class Pipeline(BaseModel):
    """A pipeline that can run: a file's content, and where it came from."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    definition: PipelineFile
    source: dict[str, Any]
    """The file's content as it was written, without defaults, and without the values in `env`."""
    path: Path
    warnings: tuple[Problem, ...] = ()
    """What is probably not meant, and does not keep it from running."""
    lines: Mapping[str, int] = Field(default_factory=dict)
    """The lines of what only its surroundings can prove wrong, by places as `stages[1].call`."""

    def problem(
        self, stage: int, key: str, message: str, severity: Severity = Severity.ERROR
    ) -> Problem:
        """What its surroundings have proved wrong: a value of the stage with that index."""
        place = f"stages[{stage}].{key}"
        return Problem(self.path, place, message, self.lines.get(place), severity)

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
    def default_provider(self) -> str:
        return self.definition.pipeline.default_provider

    @property
    def settings(self) -> PipelineSettings:
        return self.definition.pipeline.settings

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self.definition.stages

    @property
    def folder(self) -> Path:
        return self.path.parent
