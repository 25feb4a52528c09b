"""JSON answers of REST, those to errors among them."""

from collections.abc import Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..core.errors import RuncastError
from ..core.execution.model import Execution
from ..core.json_value import EncodedJSON, dumps
from ..resolvers.context import Context
from ..resolvers.logs import spelled

STATUS_OF_CODE = {
    "NOT_FOUND": 404,
    "INVALID_INPUT": 400,
    "ALREADY_ENDED": 409,
    "CONFLICT": 409,
    "CAPACITY": 429,
    "UNAVAILABLE": 503,
    "FORBIDDEN": 403,
}


def answer(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer."""
    return json_answer(dumps(content), status, headers)


def json_answer(
    content: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """As `answer`, of what is JSON already."""
    return Response(content, status, headers, media_type="application/json")


async def encoded(
    ctx: Context, execution: Execution, shape: Callable[[Execution], object]
) -> EncodedJSON:
    """A shape of an execution, made where it holds up nobody; to be part of an answer."""
    return await spelled(ctx, execution, lambda texts: EncodedJSON(dumps(shape(texts))))


def error(message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Section 0 of the REST contract: an error is always one object with one text."""
    return answer({"error": message}, status, headers)


async def core_error(request: Request, exc: Exception) -> Response:
    """The answer to an error of the core."""
    if not isinstance(exc, RuncastError) or exc.code is None:
        raise exc
    return error(exc.message, STATUS_OF_CODE[exc.code])


async def http_error(request: Request, exc: Exception) -> Response:
    """The answer to an unknown route or a method that a route does not have."""
    if not isinstance(exc, HTTPException):
        raise exc
    message, headers = exc.detail, dict(exc.headers or {})
    if exc.status_code == 404 and exc.detail == "Not Found":
        message = f"Not found: {request.url.path}"
    elif exc.status_code == 405:
        # Starlette joins a set: in another order each time.
        headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
        message = f"{request.method} is not allowed here; use {headers['Allow']}"
    return error(message, exc.status_code, headers)


async def gone(request: Request, exc: Exception) -> Response:
    """For a client that went before its request was whole: nobody is there to read it."""
    return Response(status_code=400)


async def internal_error(request: Request, exc: Exception) -> Response:
    """The answer to a bug; the log has the traceback."""
    return error("Internal error", 500)
