"""The routes of `/api`, in the order in which they are tried."""

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..core.results.outputs import Outputs
from ..resolvers.context import Context
from ..resolvers.tools import CliTools
from .config import config_status
from .executions import (
    cancel_execution,
    list_executions,
    list_history,
    list_running,
    only_post,
    retry_execution,
    show_execution,
)
from .outputs import list_outputs, show_output
from .pipelines import list_pipelines, list_problems, run_pipeline, show_pipeline
from .stages import show_log, show_value
from .stream import stream_execution


def routes(ctx: Context, outputs: Outputs, tools: CliTools) -> list[Route]:
    """To be mounted at `/api`."""

    def get(path: str, endpoint: Callable[[Context, Request], Awaitable[Response]]) -> Route:
        return Route(path, partial(endpoint, ctx), methods=["GET"])

    def post(path: str, endpoint: Callable[[Context, Request], Awaitable[Response]]) -> Route:
        return Route(path, partial(endpoint, ctx), methods=["POST"])

    return [
        get("/executions", list_executions),
        get("/executions/running", list_running),
        get("/executions/history", list_history),
        get("/executions/{id}", show_execution),
        get("/executions/{id}/events", stream_execution),
        get("/executions/{id}/stages/{stage}/log", show_log),
        get("/executions/{id}/stages/{stage}/value", show_value),
        post("/executions/{id}/cancel", cancel_execution),
        Route("/executions/{id}/cancel", only_post, methods=["GET"]),
        post("/executions/{id}/retry", retry_execution),
        Route("/executions/{id}/retry", only_post, methods=["GET"]),
        get("/pipelines", list_pipelines),
        get("/pipelines/problems", list_problems),
        get("/pipelines/{id}", show_pipeline),
        post("/pipelines/{id}/run", run_pipeline),
        Route("/pipelines/{id}/run", only_post, methods=["GET"]),
        Route("/outputs", partial(list_outputs, outputs), methods=["GET"]),
        Route("/outputs/{filename}", partial(show_output, ctx, outputs), methods=["GET"]),
        Route("/config/status", partial(config_status, ctx, tools), methods=["GET"]),
    ]
