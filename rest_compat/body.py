"""The body of a request that acts: one JSON object."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request

from ..core.errors import InvalidInput
from ..core.json_value import CLIENT_DIGITS, loads


async def json_object(request: Request, otherwise: str) -> dict[str, object]:
    """The object in the body; `otherwise` is the error where it is another JSON value.

    Raises:
        InvalidInput: the body is no JSON object.
        HTTPException: 415, it is not said to be JSON.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise HTTPException(415, "The body must be application/json")
    try:
        body = loads(await request.body(), CLIENT_DIGITS)
    except ValueError as error:
        raise InvalidInput(f"The body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise InvalidInput(otherwise)
    return dict(body)


def text(body: Mapping[str, object], key: str) -> str | None:
    """The text at a key; None if there is none.

    Raises:
        InvalidInput: it is no text.
    """
    value = body.get(key)
    if value is None or isinstance(value, str):
        return value
    raise InvalidInput(f"{key} must be a string")
