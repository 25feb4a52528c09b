"""`/graphql` over HTTP: https://graphql.github.io/graphql-over-http/."""

from collections.abc import AsyncGenerator, Callable
from urllib.parse import unquote_to_bytes

from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from ...resolvers.context import Context
from ...rest_compat.client import while_connected
from ...rest_compat.entity_tag import tagged
from ...rest_compat.live import LiveResponse
from ...schema.document import Operation, RequestError
from ...schema.executable import ExecutableSchema, log_failure
from ...schema.result import Result
from ..asset import Asset
from . import streams
from .answers import HttpError, answer, error_answer
from .negotiation import JSON, MANY_RESULTS, ONE_RESULT, accepted, is_json, preferred, wants_a_page
from .request import BadRequest, GraphQLRequest
from .socket import Socket

METHODS = "GET, HEAD, OPTIONS, POST"
READING = ("GET", "HEAD")
NO_STREAM = (
    "A subscription has more than one result: use the WebSocket at this address "
    "(graphql-transport-ws), or send Accept: text/event-stream or multipart/mixed"
)


class GraphQLEndpoint:
    """An ASGI application: queries, mutations, subscriptions and, for a browser, the playground.

    `admits` judges an `Authorization` value. HTTP requests were judged before they came here.
    """

    def __init__(
        self, schema: ExecutableSchema, ctx: Context, admits: Callable[[object], bool], page: Asset
    ) -> None:
        self._schema = schema
        self._ctx = ctx
        self._admits = admits
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            socket = WebSocket(scope, receive, send)
            await Socket(socket, self._schema, self._ctx, self._admits).serve()
            return
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except HttpError as error:
            response = error_answer(error, accepted(request.headers))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        accept = accepted(request.headers)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": METHODS})
        if request.method in READING and wants_a_page(accept):
            page = self._page.answer(request)
            page.headers["Vary"] = "Accept"
            return page
        asked = await _asked(request)
        if preferred(ONE_RESULT, accept) is None:
            raise HttpError(406, f"Nothing that Accept allows can be answered; send {JSON}")
        try:
            return await self._run(request, asked, accept)
        except (HttpError, ClientDisconnect):
            raise
        except RequestError as error:
            return self._one_result(streams.error_result(error), accept, 400)
        except Exception as error:
            raise HttpError(500, f"Internal error {log_failure(error)}") from None

    async def _run(self, request: Request, asked: GraphQLRequest, accept: str | None) -> Response:
        operation = self._schema.read(asked.query, asked.operation_name, asked.digest)
        _check_method(request, operation)
        if operation.kind is OperationType.SUBSCRIPTION:
            return await self._subscribe(operation, asked, accept)
        result = self._schema.begin(operation, asked.variables, self._ctx)
        if not isinstance(result, Result):
            # A mutation is carried through, though nobody waits for its result.
            is_query = operation.kind is OperationType.QUERY
            result = await (while_connected(request, result) if is_query else result)
        response = self._one_result(result.encoded, accept)
        if request.method in READING and not isinstance(response, LiveResponse):
            return tagged(request, response)
        return response

    async def _subscribe(
        self, operation: Operation, asked: GraphQLRequest, accept: str | None
    ) -> Response:
        # `*/*` is no wish for a stream: a client that knows none of them would wait for its end.
        named = any(kind in (accept or "").lower() for kind in MANY_RESULTS)
        media_type = preferred(MANY_RESULTS, accept) if named else None
        if media_type is None:
            raise HttpError(400, NO_STREAM)
        try:
            results = await self._schema.subscribe(operation, asked.variables, self._ctx)
        except RequestError as error:
            return self._stream(media_type, streams.once(streams.error_result(error)))
        return self._stream(media_type, streams.encoded(results))

    def _one_result(self, content: bytes, accept: str | None, status: int = 200) -> Response:
        media_type = preferred(ONE_RESULT, accept) or JSON
        if media_type in MANY_RESULTS:
            return self._stream(media_type, streams.once(content))
        return answer(content, media_type, 200 if media_type == JSON else status)

    def _stream(self, media_type: str, results: AsyncGenerator[bytes, None]) -> LiveResponse:
        framing = streams.FRAMINGS[media_type]
        return LiveResponse(
            streams.until_interrupted(framing.chunks(results)),
            framing.heartbeat,
            self._ctx.clock,
            framing.content_type,
            {"Vary": "Accept"},
        )


async def _asked(request: Request) -> GraphQLRequest:
    try:
        if request.method in READING:
            _check_address(request)
            return GraphQLRequest.from_address(request.query_params)
        if request.method != "POST":
            allow = {"Allow": METHODS}
            raise HttpError(405, f"{request.method} is not allowed here; use POST or GET", allow)
        _check_headers(request)
        return GraphQLRequest.from_body(await request.body())
    except BadRequest as error:
        raise HttpError(400, str(error)) from None


def _check_headers(request: Request) -> None:
    if not is_json(request.headers.get("content-type", "")):
        raise HttpError(415, f"The body must be sent with Content-Type: {JSON}, in UTF-8")
    encodings = request.headers.getlist("content-encoding")
    if any(encoding.lower() != "identity" for encoding in encodings):
        raise HttpError(415, "The body must be sent as it is, without Content-Encoding")


def _check_address(request: Request) -> None:
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError:
        raise BadRequest("The address is not UTF-8") from None


def _check_method(request: Request, operation: Operation) -> None:
    if request.method in READING and operation.kind is OperationType.MUTATION:
        raise HttpError(405, "A mutation must be sent with POST", {"Allow": "POST"})
    if request.method == "HEAD" and operation.kind is OperationType.SUBSCRIPTION:
        raise HttpError(405, "A subscription needs a response with a body", {"Allow": "GET, POST"})
