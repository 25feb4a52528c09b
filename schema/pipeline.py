"""Pipelines as the API shows them."""

from typing import Self

import strawberry
from strawberry import ID

from ..core.pipelines import pipeline as definitions
from ..resolvers.pipelines import ShownProblem
from .enums import ProblemSeverity
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
    version: str = strawberry.field(
        description="Its version, such as `1.2.3`; `0.0.0` if its file has none."
    )
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


@strawberry.type(description="Something that is wrong with a pipeline file.")
class PipelineProblem:
    file: str = strawberry.field(
        description="The name of the file; `.` for what is wrong with the pipelines folder."
    )
    line: int | None = strawberry.field(
        description="The line, counted from 1; null if it is not known."
    )
    message: str = strawberry.field(description="The place in the file, and what is wrong there.")
    severity: ProblemSeverity = strawberry.field(description="Whether the pipeline is left out.")

    @classmethod
    def of(cls, problem: ShownProblem) -> Self:
        severity = ProblemSeverity(problem.severity.value)
        return cls(file=problem.file, line=problem.line, message=problem.message, severity=severity)
