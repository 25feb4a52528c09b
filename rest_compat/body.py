"""The body of a request that acts: one JSON object."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request

from ..core.errors import InvalidInput
from ..core.json_value import CLIENT_DIGITS, loads

JSON = "application/json"


def check_type(request: Request) -> None:
    """Lets a POST pass that says it is JSON, or that has neither a body nor a type.

    The forms of other sites always have another type, and need no leave of the browser to be sent.

    Raises:
        HTTPException: 415, it is neither.
    """
    headers = request.headers
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    if _type(request) != JSON and (has_body or "content-type" in headers):
        raise _not_json()


async def json_object(request: Request, otherwise: str) -> dict[str, object]:
    """The object in the body; `otherwise` is the error where it is another JSON value.

    Raises:
        InvalidInput: the body is no JSON object.
        HTTPException: 415, it is not said to be JSON.
    """
    if _type(request) != JSON:
        raise _not_json()
    try:
        body = loads(await request.body(), CLIENT_DIGITS)
    except ValueError as error:
        raise InvalidInput(f"The body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise InvalidInput(otherwise)
    return dict(body)


def _not_json() -> HTTPException:
    return HTTPException(415, f"The body must be {JSON}")


def _type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def text(body: Mapping[str, object], key: str) -> str | None:
    """The text at a key; None if there is none.

    Raises:
        InvalidInput: it is no text.
    """
    value = body.get(key)
    if value is None or isinstance(value, str):
        return value
    raise InvalidInput(f"{key} must be a string")
