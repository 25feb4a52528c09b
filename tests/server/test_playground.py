"""The playground: GraphiQL for a browser."""

import re
from importlib.resources import files
from pathlib import Path

from runcast.server.playground import CDN, LIBRARIES, Playground
from server_process import ServerProcess
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OWN = files("runcast.server").joinpath("playground")


def checkout(folder: Path, *libraries: str) -> Playground:
    """The playground of a clone in which npm has put these files."""
    for name in ("index.html", "playground.css", "playground.js"):
        folder.joinpath(name).write_bytes(OWN.joinpath(name).read_bytes())
    for path in libraries:
        package, _, rest = path.partition("/")
        file = folder / "node_modules" / package.partition("@")[0] / rest
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"/* {path} */")
    return Playground(folder)


def shown(playground: Playground) -> Response:
    """The page as a browser gets it."""
    return playground.page().answer(Request({"type": "http", "headers": []}))


def test_a_browser_gets_the_page(server: ServerProcess) -> None:
    """Who asks for HTML gets it, with a policy; who does not gets JSON."""
    answer = server.client.get("/graphql", headers=BROWSER)
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert server.client.get("/graphql").headers["content-type"].startswith("application/json")


def test_offline_when_the_files_are_there(tmp_path: Path) -> None:
    """Everything then comes from the server itself, and the policy allows nothing else."""
    playground = checkout(tmp_path, *LIBRARIES.values())
    assert playground.offline
    page = shown(playground)
    body = bytes(page.body).decode()
    names = re.findall(r'(?:src|href)="(playground/[^"]+\.(?:js|css))"', body)
    with TestClient(Starlette(routes=playground.routes())) as client:
        assert [client.get(name).status_code for name in names] == [200] * 6
    assert "https://" not in body
    assert "https://" not in page.headers["content-security-policy"]


def test_from_the_cdn_when_one_is_missing(tmp_path: Path) -> None:
    """A clone names the CDN in its policy, and the page says how to do without it."""
    playground = checkout(tmp_path, *list(LIBRARIES.values())[1:])
    assert not playground.offline
    page = shown(playground)
    body = bytes(page.body).decode()
    assert all(f"{CDN}/{path}" in body for path in LIBRARIES.values())
    assert "npm ci --prefix server/playground" in body
    policy = page.headers["content-security-policy"]
    assert f"script-src 'self' {CDN};" in policy and f"style-src 'self' {CDN};" in policy
    assert "connect-src 'self';" in policy


def test_the_versions_are_those_that_npm_fetches() -> None:
    """The page and package.json name the same ones."""
    wanted = OWN.joinpath("package.json").read_text("utf-8")
    for path in LIBRARIES.values():
        package, version = path.split("/")[0].split("@")
        assert f'"{package}": "{version}"' in wanted


def test_files_carry_digests() -> None:
    """What is not ours is run only if it is what it was when it was looked at."""
    page = OWN.joinpath("index.html").read_text("utf-8")
    assert page.count('integrity="sha384-') == page.count("crossorigin") == len(LIBRARIES)


def test_nothing_else_is_served(server: ServerProcess) -> None:
    """The folder's other files are nobody's business."""
    for name in ("package.json", "../settings.py", "node_modules/graphiql/package.json"):
        assert server.client.get(f"/playground/{name}").status_code == 404
