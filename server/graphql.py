"""GraphQL over HTTP and over sockets: Strawberry's ASGI view with our context and our token."""

from datetime import timedelta
from typing import Any

from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from ..resolvers.context import Context
from ..schema.build import Schema
from ..schema.context import RequestContext
from .guards import bears


class GraphQLView(GraphQL[RequestContext, None]):
    """To be mounted at `/graphql`: queries, mutations, subscriptions and the playground."""

    def __init__(self, schema: Schema, ctx: Context, token: str | None) -> None:
        super().__init__(
            schema,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=10),
            allowed_origins=["*"],  # the doorkeeper has looked at the origin
        )
        self._ctx = ctx
        self._token = token

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> RequestContext:
        return RequestContext(self._ctx, request.headers.get("authorization"))

    def parse_json(self, data: str | bytes) -> Any:
        """Strawberry takes it for granted that JSON is an object, and can be read at all."""
        try:
            content = super().parse_json(data)
        except (ValueError, RecursionError) as error:
            raise HTTPException(400, f"This is not JSON: {error}") from None
        if content is not None and not isinstance(content, (dict, list)):
            raise HTTPException(400, f"A JSON object is needed, not {content!r:.40}")
        return {} if content is None else content

    async def on_ws_connect(self, context: RequestContext) -> Any:
        """Browsers cannot set a header on a socket: the token may be in `connection_init`.

        As `Authorization` or `authorization`, in the same form as the header.
        """
        params = context.connection_params
        said = params.get("Authorization", params.get("authorization", context.authorization))
        if not bears(said, self._token):
            raise ConnectionRejectionError
        return await super().on_ws_connect(context)
