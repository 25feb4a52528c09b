"""The short way to what is known already."""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeAlias

from cachetools import LRUCache
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.execution.filter import EVERYTHING
from ..resolvers.context import Context
from ..rest_compat.admission import admit
from ..rest_compat.entity_tag import ALWAYS_ASK, is_known, tag_of
from ..rest_compat.executions import FILTERS
from ..rest_compat.lists import known_list
from ..schema.document import Operation, RequestError
from ..schema.executable import ExecutableSchema
from .graphql.negotiation import JSON, ONE_RESULT, RESPONSE_JSON, accepted, is_json, preferred
from .graphql.request import BadRequest, GraphQLRequest
from .sniffing import NO_SNIFFING

JUDGED = frozenset(
    (b"host", b"origin", b"authorization", b"accept", b"content-type", b"content-encoding")
)
"""The fields of a head that decide whether and how there is an answer."""
OF_CONTENT = (b"content-type", b"content-length")
MOST_MANNERS = 256
LONGEST_BODY = 64 << 10
MOST_BODIES = 500
LONGEST_REMEMBERED = 4096
"""Bytes of a body that need not be read again."""

Judge: TypeAlias = Callable[[Scope, Headers], object]
_Asked: TypeAlias = tuple[Operation, dict[str, Any] | None]
RawHeaders: TypeAlias = list[tuple[bytes, bytes]]

NO_SNIFFING_FIELDS = [(name.lower().encode(), text.encode()) for name, text in NO_SNIFFING.items()]


class _Way(NamedTuple):
    """How to find the answer to a body; `headers` are its own, but for its length."""

    answer: Callable[[bytes], bytes | None]
    headers: Callable[[Headers], RawHeaders | None]
    has_body: bool = False


class Express:
    """Answers what was asked and answered since anything has changed, before the application.

    A query and a list for which there is an answer need none of the application's layers. All that
    these would look at is the same for all requests with the same JUDGED fields: what `judge`, the
    application's own doorkeeper, says of the first of them, and which type is preferred, holds for
    the others. Whatever is not plain goes the long way, from the beginning: another address, a
    body in pieces or a large one, a request that is wrong, an answer that is not there.

    To be used only where no proxy is believed, and no other origin may read: what these would
    change is not done here.
    """

    def __init__(self, app: ASGIApp, judge: Judge, schema: ExecutableSchema, ctx: Context) -> None:
        self._app = app
        self._judge = judge
        self._schema = schema
        self._ctx = ctx
        self._found: LRUCache[Hashable, RawHeaders | None] = LRUCache(MOST_MANNERS)
        self._asked: LRUCache[bytes, _Asked] = LRUCache(MOST_BODIES)
        self._tags: dict[str, tuple[bytes, str]] = {}
        """The entity tags of lists, each with the list that it was made of."""
        self._ways = {
            ("POST", "/graphql"): _Way(self._query, _graphql_headers, has_body=True),
            ("GET", "/api/executions"): _Way(self._executions, _rest_headers),
            ("GET", "/api/executions/running"): _Way(self._running, _rest_headers),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        way = None
        if scope["type"] == "http" and not scope["query_string"]:
            way = self._ways.get((scope["method"], scope["path"]))
        headers = None if way is None else self._headers(scope, way)
        if way is None or headers is None:
            await self._app(scope, receive, send)
            return
        body: bytes | None = b""
        if way.has_body:
            message = await receive()
            body = _whole_body(message)
            receive = _with_first(message, receive)
        answer = None if body is None else way.answer(body)
        if answer is None:
            await self._app(scope, receive, send)
            return
        admit(scope)
        status, headers = 200, [(b"content-length", b"%d" % len(answer)), *headers]
        if not way.has_body:
            tag = self._tag(scope["path"], answer)
            headers += [(b"etag", tag.encode()), (b"cache-control", ALWAYS_ASK.encode())]
            if is_known(tag, Headers(scope=scope).get("if-none-match", "")):
                status, answer = 304, b""
                headers = [field for field in headers if field[0] not in OF_CONTENT]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _tag(self, path: str, answer: bytes) -> str:
        known, tag = self._tags.get(path, (b"", ""))
        if known is not answer:
            tag = tag_of(answer)
            self._tags[path] = answer, tag
        return tag

    def _headers(self, scope: Scope, way: _Way) -> RawHeaders | None:
        """Of the answer; None if the request must go the long way."""
        said = (scope["path"], *[field for field in scope["headers"] if field[0] in JUDGED])
        try:
            return self._found[said]
        except KeyError:
            headers = Headers(scope=scope)
            found = None if self._judge(scope, headers) else way.headers(headers)
            self._found[said] = found
            return found

    def _query(self, body: bytes) -> bytes | None:
        asked = self._asked.get(body)
        if asked is None:
            asked = self._read(body)
        if asked is None:
            return None
        answer = self._schema.known(*asked, self._ctx)
        if answer is not None and len(body) <= LONGEST_REMEMBERED:
            self._asked[body] = asked
        elif answer is None:
            # The same text may be another operation by now: documents are not cached for ever.
            self._asked.pop(body, None)
        return answer

    def _read(self, body: bytes) -> _Asked | None:
        try:
            asked = GraphQLRequest.from_body(body)
            operation = self._schema.read(asked.query, asked.operation_name, asked.digest)
        except (BadRequest, RequestError):
            return None
        return operation, asked.variables

    def _executions(self, body: bytes) -> bytes | None:
        return known_list(self._ctx, EVERYTHING)

    def _running(self, body: bytes) -> bytes | None:
        return known_list(self._ctx, FILTERS["running"], counted=True)


def _graphql_headers(headers: Headers) -> RawHeaders | None:
    """As the endpoint of GraphQL has them."""
    if "content-encoding" in headers or not is_json(headers.get("content-type", "")):
        return None
    media_type = preferred(ONE_RESULT, accepted(headers))
    if media_type not in (JSON, RESPONSE_JSON):
        return None
    content_type = f"{media_type}; charset=utf-8".encode()
    return [(b"vary", b"Accept"), (b"content-type", content_type), *NO_SNIFFING_FIELDS]


def _rest_headers(headers: Headers) -> RawHeaders | None:
    """As the lists of REST have them."""
    return [(b"content-type", b"application/json"), *NO_SNIFFING_FIELDS]


def _whole_body(message: Message) -> bytes | None:
    """The body, if there is no more of it, and it is not large."""
    body: bytes = message.get("body", b"")
    return None if message.get("more_body") or len(body) > LONGEST_BODY else body


def _with_first(message: Message, receive: Receive) -> Receive:
    """Receives a message that has been received already, then the others."""
    waiting = [message]

    async def receiving() -> Message:
        return waiting.pop() if waiting else await receive()

    return receiving
