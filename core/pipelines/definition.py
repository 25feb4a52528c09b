"""The values that the definition of a stage is made of: its prompt, its conditions, its output.

The keys are camelCase, as in the files of the old system (section 5.1 of the REST contract).
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Identifier: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
]
Milliseconds: TypeAlias = Annotated[int, Field(gt=0, lt=1 << 31)]
Provider: TypeAlias = Literal["anthropic", "openai", "google"]
VariableSource: TypeAlias = Literal["input", "previousStage", "context", "static"]
OutputFormat: TypeAlias = Literal["json", "text", "markdown"]


class Definition(BaseModel):
    """The base of every part of a pipeline file: frozen, and a wrong key is an error."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        # Only the process that reads files validates them; a server need not be able to.
        defer_build=True,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
    )


class Reference(NamedTuple):
    """A place in the definition of a stage that names another one."""

    place: tuple[str | int, ...]
    stage_id: str
    earlier: bool
    """Whether it makes no sense unless that stage runs before."""


class ModelDefinition(Definition):
    """Which language model, and how it is to answer."""

    provider_id: str = Field(alias="providerID", min_length=1)
    """`anthropic`, `openai` or `google`; others only in `cli` mode, which does not look at it."""
    model_id: str = Field(alias="modelID", min_length=1)
    tier: Literal["small", "medium", "large"] | None = None
    """To be read by people; it does nothing."""
    max_tokens: int = Field(default=4096, gt=0)
    """The longest answer. Only in `api` mode, as is `temperature`."""
    temperature: float = Field(default=0.7, ge=0, le=2)


class Variable(Definition):
    """A name for the template of a prompt, and where its value comes from."""

    name: str = Field(min_length=1)
    source: VariableSource
    path: str | None = None
    """Dots through objects and indexes of lists. None: for `previousStage` the whole value, for
    `input` and `context` the name itself."""
    stage_id: str | None = None
    """The stage that `previousStage` means; None: what the stage is given."""
    value: Any = None
    """What `static` stands for."""
    required: bool = True
    """Without a value the stage fails; otherwise it reads as empty text."""


class PromptDefinition(Definition):
    """What the model is asked."""

    system_prompt: str | None = None
    """Taken as it is: only the template has placeholders."""
    template: str = Field(min_length=1)
    variables: tuple[Variable, ...] = ()

    def references(self) -> Iterator[Reference]:
        """The stages whose values it uses."""
        for index, variable in enumerate(self.variables):
            if variable.source == "previousStage" and variable.stage_id is not None:
                yield Reference(("variables", index, "stageId"), variable.stage_id, True)


class Condition(Definition):
    """A question about the value at a path. The operators are those of section 5.2, in its order.

    The first one that is given, and fits the type of the value, decides; without any it is false.
    """

    path: str
    equals: Any = None
    """Strictly: 1 is not true, and no object or list equals another."""
    not_equals: Any = None
    contains: str | None = None
    """Text within text."""
    greater_than: float | None = None
    less_than: float | None = None
    exists: bool | None = None


class Precondition(Definition):
    """A condition that is looked at before the stage."""

    condition: Condition
    source_stage: str | None = None
    """An earlier stage, whose value is looked at; None: the one before in the file."""


class EarlyExit(Definition):
    """A condition on the stage's own value: if it holds, no further stage runs."""

    condition: Condition
    return_stage: str | None = None
    """The stage whose result counts as that of the execution."""


class Conditions(Definition):
    """Whether a stage runs, and whether it is the last one."""

    skip_if: Precondition | None = None
    run_if: Precondition | None = None
    early_exit: EarlyExit | None = None

    def references(self) -> Iterator[Reference]:
        """The stages that they look at, and the one that an early exit names."""
        for name, looked_at in (("skipIf", self.skip_if), ("runIf", self.run_if)):
            if looked_at is not None and looked_at.source_stage is not None:
                yield Reference((name, "sourceStage"), looked_at.source_stage, True)
        if self.early_exit is not None and self.early_exit.return_stage is not None:
            yield Reference(("earlyExit", "returnStage"), self.early_exit.return_stage, False)


class Extract(Definition):
    """A value that is taken out of JSON, under a name."""

    name: str = Field(min_length=1)
    path: str
    required: bool = True
    default: Any = None
    """Stands in where the path leads nowhere; given, the value is never missing."""


class OutputDefinition(Definition):
    """How the text that a stage puts out is read. What is read is what the stage hands over."""

    format: OutputFormat = "text"
    json_schema: Any = Field(default=None, alias="schema")
    """Accepted from old files; it does nothing."""
    extract: tuple[Extract, ...] = ()
    """Only for `json`: with it, only the extracted names are handed over."""
