"""An answer that says no, in bytes: for what never becomes a request of the application."""

from http import HTTPStatus

from ..graphql.answers import HttpError
from ..guards import error_response

FULL = HttpError(503, "There are too many connections; try again soon", {"Retry-After": "1"})


def refusal(reason: HttpError, url: bytes = b"/") -> bytes:
    """A response as the door that was asked for spells it, after which the connection is closed."""
    path = url.partition(b"?")[0].decode("latin-1")
    headers = {"Connection": "close"} | dict(reason.headers or {})
    scope = {"type": "http", "path": path, "headers": []}
    response = error_response(scope, reason.message, reason.status, headers)
    status = HTTPStatus(reason.status)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body)
