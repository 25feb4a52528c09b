"""The dashboard: a page without data in it, and the files that it is made of."""

from collections.abc import Iterable
from functools import partial
from hashlib import blake2b
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

PAGES = ("/", "/start", "/executions/{id}")
FOLDER = "/dashboard/"
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Asked again each time: a page must not be put together from two releases.
    "Cache-Control": "no-cache",
}


class Asset:
    """A file of the dashboard, held in memory: 304 for who has it already."""

    def __init__(self, name: str, body: bytes) -> None:
        suffix = name[name.rindex(".") :]
        self._body = body
        self._media_type = MEDIA_TYPES[suffix]
        self._etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'

    def answer(self, request: Request) -> Response:
        headers = HEADERS | {"ETag": self._etag}
        if self._etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self._body, media_type=self._media_type, headers=headers)


def is_page(path: str) -> bool:
    """Whether a path is the dashboard's own: nothing there tells of an execution."""
    parts = path.strip("/").split("/")
    return (
        path in PAGES or path.startswith(FOLDER) or (parts[0] == "executions" and len(parts) == 2)
    )


def routes() -> list[BaseRoute]:
    """The page at each of its addresses, and each of its files; no other file can be asked for."""
    assets = dict(_assets())
    page = assets.pop("index.html")
    return [
        *(_route(path, page) for path in PAGES),
        *(_route(FOLDER + name, asset) for name, asset in assets.items()),
    ]


def _assets() -> Iterable[tuple[str, Asset]]:
    for file in files(__package__).joinpath("dashboard").iterdir():
        if file.name.endswith(tuple(MEDIA_TYPES)):
            yield file.name, Asset(file.name, file.read_bytes())


def _route(path: str, asset: Asset) -> Route:
    return Route(path, partial(_answer, asset), methods=["GET"])


async def _answer(asset: Asset, request: Request) -> Response:
    return asset.answer(request)
