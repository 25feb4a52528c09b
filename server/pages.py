"""The dashboard: a page without data in it, and the files that it is made of."""

from collections.abc import Iterator
from importlib.resources import files
from string import Template

from starlette.routing import BaseRoute

from .asset import MEDIA_TYPES, Asset

PAGES = {"/": "./", "/start": "./", "/executions/{id}": "../"}
"""By address, where the root is from there: a proxy may have put it below a prefix."""
FOLDER = "/dashboard/"


def routes() -> list[BaseRoute]:
    """The page at each of its addresses, and each of its files; no other file can be asked for."""
    contents = dict(_contents())
    template = Template(contents.pop("index.html").decode())
    return [
        *(_page(template, root).at(path) for path, root in PAGES.items()),
        *(Asset(name, content).at(FOLDER + name) for name, content in contents.items()),
    ]


def _page(template: Template, root: str) -> Asset:
    return Asset("index.html", template.substitute(root=root).encode())


def _contents() -> Iterator[tuple[str, bytes]]:
    for file in files(__package__).joinpath("dashboard").iterdir():
        if file.name.endswith(tuple(MEDIA_TYPES)):
            yield file.name, file.read_bytes()
