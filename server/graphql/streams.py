"""Several results in one response: server-sent events and multipart."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Protocol, TypeAlias

from ...core.json_value import dumps
from ...schema.document import RequestError
from ...schema.executable import Interrupted
from ...schema.result import Result, formatted_errors
from .negotiation import EVENTS, MULTIPART

Results: TypeAlias = AsyncGenerator[bytes, None]
"""Response maps in JSON."""


def error_result(error: RequestError) -> bytes:
    """The response map of a request error: it has no `data`."""
    return dumps({"errors": formatted_errors(error.errors)})


async def once(content: bytes) -> Results:
    """A stream of one result."""
    yield content


async def encoded(results: AsyncGenerator[Result, None]) -> Results:
    """The response map of each result; an error that ends the stream is the last one."""
    try:
        async with aclosing(results):
            async for result in results:
                yield result.encoded
    except RequestError as error:
        yield error_result(error)


class Framing(Protocol):
    """How results stand in a response."""

    content_type: str
    heartbeat: bytes

    def chunks(self, results: Results) -> AsyncGenerator[bytes, None]:
        """The bytes of each, and of the end."""
        ...


class EventFraming:
    """GraphQL over server-sent events, distinct connections mode (npm graphql-sse, PROTOCOL.md).

    Lines end in LF alone: several clients look for two of them.
    """

    content_type = EVENTS
    heartbeat = b": still here\n\n"

    async def chunks(self, results: Results) -> AsyncGenerator[bytes, None]:
        async with aclosing(results):
            async for result in results:
                yield b"event: next\ndata: %b\n\n" % result
        # A browser passes an event without data over.
        yield b"event: complete\ndata: \n\n"


class MultipartFraming:
    """The multipart protocol for subscriptions over HTTP that Apollo's clients speak.

    A boundary stands after each part, not before the next one: clients wait for it.
    """

    content_type = 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"'
    heartbeat = b"\r\nContent-Type: application/json\r\n\r\n{}\r\n--graphql"

    async def chunks(self, results: Results) -> AsyncGenerator[bytes, None]:
        yield b"--graphql"
        async with aclosing(results):
            async for result in results:
                yield self._part(result)
        yield b"--\r\n"

    def _part(self, result: bytes) -> bytes:
        head = b"\r\nContent-Type: application/json\r\n\r\n"
        return head + b'{"payload":%b}\r\n--graphql' % result


async def until_interrupted(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The chunks; a stream that is interrupted just stops, without the bytes of its end."""
    with suppress(Interrupted):
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk


FRAMINGS: dict[str, Framing] = {EVENTS: EventFraming(), MULTIPART: MultipartFraming()}
