"""Files of the pages, and the policy that keeps a page to its own files."""

from pathlib import PurePath

from starlette.requests import Request
from starlette.responses import Response

from ..rest_compat.entity_tag import ALWAYS_ASK, is_known, tag_of
from .public_route import PublicRoute

MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    "Referrer-Policy": "no-referrer",
    # Asked again each time: a page must not be put together from two releases.
    "Cache-Control": ALWAYS_ASK,
}


POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Asset:
    """A file in memory: 304 for a client that has it already."""

    def __init__(self, name: str, body: bytes, content_policy: str = POLICY) -> None:
        self._body = body
        self._media_type = MEDIA_TYPES[PurePath(name).suffix]
        self._headers = HEADERS | {
            "Content-Security-Policy": content_policy,
            "ETag": tag_of(body),
        }

    def answer(self, request: Request) -> Response:
        if is_known(self._headers["ETag"], request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=self._headers)
        return Response(self._body, media_type=self._media_type, headers=self._headers)

    def at(self, path: str) -> PublicRoute:
        """A route that answers with it."""

        async def endpoint(request: Request) -> Response:
            return self.answer(request)

        return PublicRoute(path, endpoint, methods=["GET"])
