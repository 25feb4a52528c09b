"""Who may come in, and how much they may bring: checked before a route answers."""

import hmac
from collections.abc import Iterable, Mapping, Sequence

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ..rest_compat.admission import admit
from ..rest_compat.answers import error
from .graphql.answers import HttpError, error_answer
from .graphql.negotiation import accepted
from .host import Host, origin
from .message_size import LIMIT, MAX_BYTES, MessageSize
from .proxies import route_path
from .public_route import is_public
from .sniffing import NO_SNIFFING

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
"""As `Host` has them."""


class _TooLarge(Exception):
    """More body came than is allowed."""


class BodyLimit:
    """413 for a body that is larger than LIMIT, whether or not its length was announced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > MAX_BYTES:
            await self._refuse(scope, receive, send)
            return
        try:
            await self._app(scope, self._counted(receive), send)
        except _TooLarge:
            await self._refuse(scope, receive, send)

    def _counted(self, receive: Receive) -> Receive:
        size = MessageSize()

        async def counting() -> Message:
            message = await receive()
            if not size.fits(message.get("body", b"")):
                raise _TooLarge
            return message

        return counting

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = f"The body is larger than the limit: {LIMIT}"
        await error_response(scope, text, 413, {"Connection": "close"})(scope, receive, send)


class Doorkeeper:
    """Checks Host and Origin (DNS rebinding, cross-site requests), then the token if there is one.

    `hosts` are the names that the server answers to; None: any name, for a server that others can
    reach and that a token protects. `origins` may act here although they are elsewhere, or are
    those by which a proxy that changes Host shows the server. Of `routes`
    those that are public need no token; an address without a route needs one. A socket's token may
    come later, in `connection_init`.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str] | None,
        token: str | None,
        origins: Iterable[str] = (),
        routes: Sequence[BaseRoute] = (),
    ) -> None:
        self._app = app
        self._hosts = None if hosts is None else frozenset(hosts)
        self._token = token
        self._origins = frozenset(origins)
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = None
        if scope["type"] in ("http", "websocket"):
            reason = self.reason_to_refuse(scope, Headers(scope=scope))
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(4403, reason[0])(scope, receive, send)
        else:
            message, status = reason
            challenge = {"WWW-Authenticate": "Bearer"} if status == 401 else None
            await error_response(scope, message, status, challenge)(scope, receive, send)

    def reason_to_refuse(self, scope: Scope, headers: Headers) -> tuple[str, int] | None:
        """What is to be said to whoever may not come in, and the status of HTTP."""
        if len(headers.getlist("host")) != 1:
            return "A request must have one Host header", 400
        host = Host.parse(headers["host"])
        if self._hosts is not None and (host is None or host.name not in self._hosts):
            return f"This server does not answer to {headers['host']!r}: see --allow-host", 403
        if host is None:
            return f"{headers['host']!r} is not the name of a host", 400
        said = headers.get("origin")
        acts = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if acts and said is not None and not self._may_act(said, host, scope["scheme"]):
            return f"Requests from {said} are not allowed", 403
        if scope["type"] == "http" and not self._is_open(scope, headers):
            return "A token is needed: send it as Authorization: Bearer …", 401
        return None

    def _is_open(self, scope: Scope, headers: Headers) -> bool:
        if bears(headers.get("authorization"), self._token):
            admit(scope)
            return True
        return is_public(scope, self._routes)

    def _may_act(self, said: str, host: Host, scheme: str) -> bool:
        asked = origin(said)
        # A proxy that encrypts, and does not say so, passes on what seems not to be encrypted.
        own = [host.origin("https")] if scheme in ("https", "wss") else host.origins
        return asked is not None and (asked in own or asked in self._origins)


def error_response(
    scope: Scope, message: str, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """An error as the door that was asked for spells it: GraphQL and REST differ."""
    headers = NO_SNIFFING | dict(headers or {})
    if route_path(scope) == "/graphql":
        return error_answer(HttpError(status, message, headers), accepted(Headers(scope=scope)))
    return error(message, status, headers)


def cross_origin(origins: Sequence[str]) -> list[Middleware]:
    """Lets pages of these origins read the answers, also the doorkeeper's: to stand before it."""
    if not origins:
        return []
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Last-Event-ID"],
        allow_private_network=True,
    )
    return [cors]


def bears(authorization: object, token: str | None) -> bool:
    """Whether an `Authorization` value carries the token; compared in constant time."""
    if token is None:
        return True
    if not isinstance(authorization, str):
        return False
    scheme, _, credentials = authorization.partition(" ")
    same = hmac.compare_digest(credentials.strip().encode(errors="replace"), token.encode())
    return same and scheme.lower() == "bearer"
