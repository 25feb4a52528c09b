"""Pipelines as the API shows them."""

from typing import Self

import strawberry
from strawberry import ID

from ..core.pipelines import pipeline as definitions
from .node import Node


@strawberry.type(description="A stage as the pipeline defines it.")
class PipelineStage:
    id: ID = strawberry.field(description="Its id, unique within the pipeline.")
    name: str = strawberry.field(description="Its name.")
    type: str = strawberry.field(description="The kind of stage.")
    description: str | None = strawberry.field(description="Its description; null if it has none.")

    @classmethod
    def of(cls, stage: definitions.StageDefinition) -> Self:
        return cls(
            id=ID(stage.id), name=stage.title, type=stage.type, description=stage.description
        )


@strawberry.type(description="A pipeline: stages that run in order.")
class Pipeline(Node):
    id: ID = strawberry.field(description="Its id, as `startExecution` takes it.")
    name: str = strawberry.field(description="Its name.")
    version: str = strawberry.field(description="Its version, such as `1.2.3`.")
    description: str | None = strawberry.field(description="Its description; null if it has none.")
    total_stages: int = strawberry.field(description="The number of stages.")
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
