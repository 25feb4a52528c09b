"""Whether the process lives, and whether it takes work."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from ..core.results.output_writer import OutputWriter
from ..resolvers.context import Context
from ..rest_compat.answers import answer
from .public_route import PublicRoute


async def healthz(ctx: Context, writer: OutputWriter, request: Request) -> Response:
    """200 as long as the process answers at all; `degraded` if something cannot be stored."""
    found = {
        "history": ctx.history.problem,
        "outputs": writer.problem,
        "logs": ctx.files.problem,
    }
    problems = {name: problem for name, problem in found.items() if problem is not None}
    if problems:
        return answer({"status": "degraded", "problems": problems})
    return answer({"status": "ok"})


async def readyz(ctx: Context, request: Request) -> Response:
    """200 unless the server is stopping or has nothing to start; then 503 and why."""
    problems = []
    if ctx.manager.closing:
        problems.append("the server is stopping")
    if not ctx.pipelines.all():
        problems.append("there is no pipeline that can be started")
    if problems:
        return answer({"status": "not ready", "problems": problems}, 503)
    return answer({"status": "ready"})


def routes(ctx: Context, writer: OutputWriter) -> list[PublicRoute]:
    return [
        PublicRoute("/healthz", partial(healthz, ctx, writer), methods=["GET"]),
        PublicRoute("/readyz", partial(readyz, ctx), methods=["GET"]),
    ]
