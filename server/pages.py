"""The dashboard: a page without data in it, and the files that it is made of."""

from collections.abc import Iterator
from importlib.resources import files

from starlette.routing import BaseRoute

from .asset import MEDIA_TYPES, Asset

PAGES = ("/", "/start", "/executions/{id}")
FOLDER = "/dashboard/"


def routes() -> list[BaseRoute]:
    """The page at each of its addresses, and each of its files; no other file can be asked for."""
    assets = dict(_assets())
    page = assets.pop("index.html")
    return [
        *(page.at(path) for path in PAGES),
        *(asset.at(FOLDER + name) for name, asset in assets.items()),
    ]


def _assets() -> Iterator[tuple[str, Asset]]:
    for file in files(__package__).joinpath("dashboard").iterdir():
        if file.name.endswith(tuple(MEDIA_TYPES)):
            yield file.name, Asset(file.name, file.read_bytes())
