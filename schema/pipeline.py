"""Pipelines as the API shows them."""

from typing import Self

import strawberry
from strawberry import ID

from ..core.pipelines import pipeline as definitions
from .node import Node


@strawberry.type(description="A stage as the pipeline defines it.")
class PipelineStage:
    id: ID = strawberry.field(description="No two stages of a pipeline have the same.")
    name: str = strawberry.field(description="What people call it.")
    type: str = strawberry.field(description="What kind of stage it is.")
    description: str | None = strawberry.field(description="What it does.")

    @classmethod
    def of(cls, stage: definitions.StageDefinition) -> Self:
        return cls(
            id=ID(stage.id), name=stage.title, type=stage.type, description=stage.description
        )


@strawberry.type(description="Something that can be started: stages that run in order.")
class Pipeline(Node):
    id: ID = strawberry.field(description="What `startExecution` takes.")
    name: str = strawberry.field(description="What people call it.")
    version: str = strawberry.field(description="As in `1.2.3`.")
    description: str | None = strawberry.field(description="What it is for.")
    total_stages: int = strawberry.field(description="How many stages it has.")
    stages: list[PipelineStage] = strawberry.field(description="Its stages, in order.")

    @classmethod
    def of(cls, pipeline: definitions.Pipeline) -> Self:
        return cls(
            id=ID(pipeline.id),
            name=pipeline.name,
            version=pipeline.version,
            description=pipeline.description,
            total_stages=len(pipeline.stages),
            stages=[PipelineStage.of(stage) for stage in pipeline.stages],
        )
