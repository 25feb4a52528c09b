"""Who a pipeline is, and how its executions run: the `pipeline` part of a pipeline file."""

from typing import Annotated, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from .definition import Definition, Identifier, Milliseconds, ModelDefinition, Provider

# With tags, so that what is wrong with a model is said of the model, not of text, too.
TargetModel: TypeAlias = Annotated[
    Annotated[ModelDefinition, Tag("model")] | Annotated[str, Tag("text")],
    Discriminator(lambda given: "text" if isinstance(given, str) else "model"),
]


NO_VERSION = "0.0.0"
"""What a pipeline that does not say its version is shown with."""

# Semantic Versioning 2.0.0, items 2, 9 and 10; but old files may have zeros before the numbers.
_NUMBERS = r"[0-9]+\.[0-9]+\.[0-9]+"
_PRE_RELEASE = r"(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD = r"[0-9A-Za-z-]+"
SEMANTIC_VERSION = rf"^{_NUMBERS}(-{_PRE_RELEASE}(\.{_PRE_RELEASE})*)?(\+{_BUILD}(\.{_BUILD})*)?$"


class PipelineSettings(Definition):
    """How a pipeline's executions run."""

    enable_caching: bool | None = None
    """The old name of continueOnError, which is what it did; nothing was ever cached. Left out it
    is false: the old server filled no defaults in when it ran a file."""
    continue_on_error: bool = Field(
        default_factory=lambda settings: bool(settings.get("enable_caching"))
    )
    """A failed stage is recorded and the next one runs."""
    enable_early_exit: bool = True
    """Whether the stages' `earlyExit` conditions are looked at."""
    timeout_ms: Milliseconds | None = None
    """For the whole execution; None: as long as it takes."""
    max_retries: int | None = Field(default=None, ge=0, le=5)
    """Accepted from old files; it does nothing: each stage has its own retryCount."""
    parallel_execution: bool = False
    """Accepted from old files; it does nothing: the stages run in order."""
    max_concurrent: int | None = Field(default=None, gt=0)
    """How many executions of this pipeline run at a time; None: the server's limit."""

    @model_validator(mode="after")
    def _both_names_agree(self) -> Self:
        if self.enable_caching not in (None, self.continue_on_error):
            raise PydanticCustomError(
                "settings_disagree",
                "`enableCaching` is the old name of `continueOnError`, and they differ",
            )
        return self


class PipelineHead(Definition):
    """Who a pipeline is."""

    id: Identifier
    name: str = Field(min_length=1)
    version: str = Field(default=NO_VERSION, pattern=SEMANTIC_VERSION)
    description: str | None = None
    default_provider: Provider = "anthropic"
    """Shown to clients; it does nothing: each prompt stage names its own."""
    target_model: TargetModel | None = None
    """The model that the result is written for; to be read by people, it does nothing."""
    settings: PipelineSettings = PipelineSettings()
