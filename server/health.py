"""Whether the process lives, and whether it takes work."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..resolvers.context import Context
from ..rest_compat.answers import answer


async def healthz(request: Request) -> Response:
    """200 as long as the process answers at all."""
    return answer({"status": "ok"})


async def readyz(ctx: Context, request: Request) -> Response:
    """200 if a start would be accepted, else 503 and why not."""
    problems = []
    if ctx.manager.closing:
        problems.append("the server is stopping")
    if not ctx.pipelines.all():
        problems.append("there is no pipeline that can be started")
    if problems:
        return answer({"status": "not ready", "problems": problems}, 503)
    return answer({"status": "ready"})


def routes(ctx: Context) -> list[Route]:
    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", partial(readyz, ctx), methods=["GET"]),
    ]
