"""`/api/pipelines`: section 2 of the REST contract."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..core.live.request import INPUT_REQUIRED
from ..core.pipelines.pipeline import CommandStage, Pipeline, PythonStage, StageDefinition
from ..core.text import printable
from ..resolvers import pipelines as resolvers
from ..resolvers.context import Context
from ..resolvers.executions import start_execution
from .answers import answer
from .body import json_object, text
from .shapes import started_answer


async def list_pipelines(ctx: Context, request: Request) -> Response:
    return answer([_list_item(pipeline) for pipeline in resolvers.list_pipelines(ctx)])


async def list_problems(ctx: Context, request: Request) -> Response:
    return answer([_problem(problem) for problem in resolvers.list_problems(ctx)])


async def show_pipeline(ctx: Context, request: Request) -> Response:
    return answer(_as_written(resolvers.get_pipeline(ctx, request.path_params["id"])))


async def run_pipeline(ctx: Context, request: Request) -> Response:
    """Section 2.3: the pipeline is looked for before the body is read."""
    pipeline = resolvers.get_pipeline(ctx, request.path_params["id"])
    body = await json_object(request, INPUT_REQUIRED)
    started = await start_execution(
        ctx,
        pipeline.id,
        body.get("input"),
        execution_mode=text(body, "executionMode"),
        cli_tool=text(body, "cliTool"),
        idempotency_key=text(body, "idempotencyKey"),
    )
    return answer(started_answer(started))


def _list_item(pipeline: Pipeline) -> dict[str, object]:
    item: dict[str, object] = {
        # Old clients take the ending off to find the pipeline again; they know this one only.
        "filename": f"{printable(pipeline.path.stem)}.ts",
        "id": pipeline.id,
        "name": pipeline.name,
        "version": pipeline.version,
    }
    if pipeline.description is not None:
        item["description"] = pipeline.description
    item["stageCount"] = len(pipeline.stages)
    item["defaultProvider"] = pipeline.default_provider
    return item


def _problem(problem: resolvers.ShownProblem) -> dict[str, object]:
    return {
        "file": problem.file,
        "line": problem.line,
        "message": problem.message,
        "severity": problem.severity.value,
    }


def _as_written(pipeline: Pipeline) -> dict[str, object]:
    """The file as clients may see it, and what the old dashboard's page reads unguarded."""
    written = zip(pipeline.source["stages"], pipeline.stages, strict=True)
    stages = [_completed(source, _stand_ins(stage)) for source, stage in written]
    head = {"version": pipeline.version, **pipeline.source["pipeline"]}
    return {**pipeline.source, "pipeline": head, "stages": stages}


def _completed(source: dict[str, Any], stand_ins: dict[str, Any]) -> dict[str, Any]:
    """What is written wins, also within `prompt` and `output`, which need not be written whole."""
    shown = {**stand_ins, **source}
    for key in ("prompt", "output"):
        if isinstance(source.get(key), dict):
            shown[key] = {**stand_ins[key], **source[key]}
    return shown


def _stand_ins(stage: StageDefinition) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": stage.title, "type": stage.type}
    match stage:
        case CommandStage():
            runs = " ".join(stage.command)
        case PythonStage():
            runs = stage.call
        case _:
            runs = ""
    shown["model"] = {"providerID": "runcast", "modelID": stage.kind}
    shown["prompt"] = {"template": runs, "variables": []}
    shown["output"] = {"format": "text"}
    return shown
