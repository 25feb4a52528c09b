"""Answers to GraphQL over HTTP, those to requests that cannot be served among them."""

from collections.abc import Mapping

from starlette.responses import Response

from ...core.json_value import dumps
from .negotiation import JSON, preferred

CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    408: "REQUEST_TIMEOUT",
    413: "TOO_LARGE",
    414: "TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    431: "TOO_LARGE",
    500: "INTERNAL_SERVER_ERROR",
}


class HttpError(Exception):
    """A request fails with a status of HTTP."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


def answer(
    content: bytes,
    media_type: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A response map, which is JSON, as one of the two types of JSON."""
    vary = {"Vary": "Accept"} | dict(headers or {})
    return Response(content, status, vary, f"{media_type}; charset=utf-8")


def error_answer(error: HttpError, accept: str | None) -> Response:
    """The answer to a request that fails, in the type that the client wants, or in JSON."""
    content = {"message": error.message, "extensions": {"code": CODES[error.status]}}
    media_type = preferred((JSON,), accept) or JSON
    return answer(dumps({"errors": [content]}), media_type, error.status, error.headers)
