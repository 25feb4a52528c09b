"""Which routes may be asked without a token."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope


class PublicRoute(Route):
    """A route that holds no data: it needs no token. Every other route needs one."""


def is_public(scope: Scope, routes: Iterable[BaseRoute]) -> bool:
    """Whether the route that will answer the request is a public one; false if there is none."""
    answering = (route for route in routes if route.matches(scope)[0] is Match.FULL)
    return isinstance(next(answering, None), PublicRoute)
