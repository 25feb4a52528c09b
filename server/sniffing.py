"""Browsers are to take every answer for the type that it says it has."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}
ANSWERS = ("http.response.start", "websocket.http.response.start")


class Application(Starlette):
    """Also its answer to an internal error, which no middleware of an application sees, says so.

    What is `before` it says so by itself.
    """

    before: Callable[[ASGIApp], ASGIApp] | None = None

    def build_middleware_stack(self) -> ASGIApp:
        stack = _Said(super().build_middleware_stack())
        return stack if self.before is None else self.before(stack)


class _Said:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def saying(message: Message) -> None:
            if message["type"] in ANSWERS:
                MutableHeaders(scope=message).update(NO_SNIFFING)
            await send(message)

        await self._app(scope, receive, saying)
