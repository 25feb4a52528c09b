"""What a client that has an answer already is told: RFC 9110, sections 8.8.3 and 13.1.2."""

from hashlib import blake2b

from starlette.requests import Request
from starlette.responses import Response

ALWAYS_ASK = "no-cache"
"""An answer may be stored, and is asked for again each time."""
OF_NOTHING_NEW = ("etag", "cache-control", "vary")


def tag_of(content: bytes) -> str:
    """The entity tag of a content: the same for the same bytes, after a restart too."""
    return f'"{blake2b(content, digest_size=12).hexdigest()}"'


def is_known(tag: str, if_none_match: str) -> bool:
    """Whether the client has what has this tag, by the value of its field."""
    known = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return tag in known or "*" in known


def tagged(request: Request, response: Response) -> Response:
    """A response to GET with its entity tag; 304 and no content for a client that has it."""
    tag = tag_of(bytes(response.body))
    response.headers["ETag"] = tag
    response.headers.setdefault("Cache-Control", ALWAYS_ASK)
    if not is_known(tag, request.headers.get("if-none-match", "")):
        return response
    return Response(
        status_code=304,
        headers={
            name: response.headers[name] for name in OF_NOTHING_NEW if name in response.headers
        },
    )
