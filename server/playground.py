"""The playground: GraphiQL for a browser that opens `/graphql`."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from .asset import POLICY, Asset
from .public_route import PublicRoute

FOLDER = "/playground/"
OWN = ("playground.css", "playground.js")
CDN = "https://unpkg.com"
LIBRARIES = {
    "graphiql_css": "graphiql@3.8.3/graphiql.min.css",
    "graphiql_js": "graphiql@3.8.3/graphiql.min.js",
    "react_js": "react@18.2.0/umd/react.production.min.js",
    "react_dom_js": "react-dom@18.2.0/umd/react-dom.production.min.js",
}
"""Package, version and file. The page has their digests; they hold for npm and the CDN alike."""


class PlaygroundRoute(PublicRoute):
    """GraphQL's own address, for a request that asks nothing: the page needs no token."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["query_string"]:
            return Match.NONE, {}
        return super().matches(scope)


class Playground:
    """The page and its files.

    GraphiQL's own are put beside it at build time (`npm ci --prefix server/playground`), so that a
    release works offline. In a clone without them the page loads them from the CDN, and says so.
    """

    def __init__(self, folder: Traversable | None = None) -> None:
        self._folder = folder or files(__package__).joinpath("playground")
        self._libraries = {
            name: self._folder.joinpath("node_modules", *_file(path))
            for name, path in LIBRARIES.items()
        }
        self.offline = all(library.is_file() for library in self._libraries.values())

    def page(self) -> Asset:
        """What a browser gets at `/graphql`."""
        template = Template(self._folder.joinpath("index.html").read_text("utf-8"))
        origin = "this server" if self.offline else CDN
        # Relative: a proxy may have put them below a prefix.
        addresses = {name: self._address(name).removeprefix("/") for name in LIBRARIES}
        body = template.substitute(addresses, origin=origin).encode()
        return Asset("index.html", body, self._policy())

    def routes(self) -> list[BaseRoute]:
        """Each of its files; no other file can be asked for."""
        found: list[BaseRoute] = [
            Asset(name, self._folder.joinpath(name).read_bytes()).at(FOLDER + name) for name in OWN
        ]
        if self.offline:
            for name, library in self._libraries.items():
                found.append(Asset(library.name, library.read_bytes()).at(self._address(name)))
        return found

    def _policy(self) -> str:
        # GraphiQL's style sheet has its fonts in itself.
        own = f"{POLICY}; font-src data:"
        return own if self.offline else own.replace("-src 'self';", f"-src 'self' {CDN};", 2)

    def _address(self, name: str) -> str:
        path = LIBRARIES[name]
        return f"{FOLDER}{path}" if self.offline else f"{CDN}/{path}"


def _file(path: str) -> list[str]:
    """Where npm puts it: the same without the version."""
    package, *rest = path.split("/")
    return [package.partition("@")[0], *rest]
