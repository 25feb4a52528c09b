"""Whether the process lives, and whether it takes work."""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from ..resolvers.context import Context
from ..rest_compat.answers import answer
from .public_route import PublicRoute


class Watched(Protocol):
    """A part of the server that says what is wrong with it."""

    @property
    def problem(self) -> str | None:
        """For people; None while all is well."""


async def healthz(parts: Mapping[str, Watched], request: Request) -> Response:
    """200 as long as the process answers at all; `degraded` if one of the parts has a problem."""
    told = {name: part.problem for name, part in parts.items()}
    problems = {name: problem for name, problem in told.items() if problem is not None}
    if problems:
        return answer({"status": "degraded", "problems": problems})
    return answer({"status": "ok"})


async def readyz(ctx: Context, request: Request) -> Response:
    """200 unless the server starts, stops, has nothing to start, cannot store a start, or does
    not know what happens now; then 503 and why."""
    problems = []
    if ctx.manager.closing:
        problems.append("the server is stopping")
    if ctx.manager.stale:
        problems.append("the broker is away, or not everything is read yet that it has")
    if not ctx.pipelines.ready:
        problems.append("the pipelines are still being read")
    elif not ctx.pipelines.all():
        problems.append("there is no pipeline that can be started")
    if ctx.manager.engine.name == "embedded" and ctx.history.unwritable is not None:
        problems.append(f"starts cannot be stored: {ctx.history.unwritable}")
    if problems:
        return answer({"status": "not ready", "problems": problems}, 503)
    return answer({"status": "ready"})


def routes(ctx: Context, parts: Mapping[str, Watched]) -> list[PublicRoute]:
    return [
        PublicRoute("/healthz", partial(healthz, parts), methods=["GET"]),
        PublicRoute("/readyz", partial(readyz, ctx), methods=["GET"]),
    ]
