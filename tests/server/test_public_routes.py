"""What may be asked without a token."""

from pathlib import Path

import httpx
import pytest
from runcast.server.app import create_app
from runcast.server.guards import Doorkeeper
from runcast.server.public_route import PublicRoute
from runcast.server.settings import Settings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

CLOSED = [
    ("GET", "/api/executions"),
    ("GET", "/api/config/status"),
    ("GET", "/api/nothing"),
    ("GET", "/api"),
    ("GET", "/nothing"),
    ("GET", "/executions"),
    ("GET", "/executions/exec_1/more"),
    ("GET", "/executions/"),
    ("GET", "/dashboard/nothing.js"),
    ("GET", "/playground/nothing.js"),
    ("GET", "/healthz/"),
    ("GET", "/healthz/more"),
    ("GET", "/HEALTHZ"),
    ("GET", "/ws"),
    ("GET", "/graphql?query={__typename}"),
    ("GET", "/graphql?x"),
    ("GET", "/graphql/"),
    ("POST", "/graphql"),
    ("OPTIONS", "/graphql"),
    ("DELETE", "/graphql"),
    ("POST", "/"),
    ("POST", "/healthz"),
    ("DELETE", "/readyz"),
    ("POST", "/executions/exec_1"),
    ("POST", "/dashboard/graphql.js"),
    ("PUT", "/playground/playground.js"),
]


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


def client_of(app: Starlette) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def guarded(*routes: BaseRoute) -> httpx.AsyncClient:
    """A client without the token of a server with these routes."""
    keeper = Middleware(Doorkeeper, hosts=None, token="secret", routes=routes)
    return client_of(Starlette(routes=routes, middleware=[keeper]))


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    """The whole server, with a token."""
    return create_app(Settings(data=tmp_path, token="secret"))


async def test_a_new_route_is_closed_unless_it_says_otherwise() -> None:
    """A plain one, a mounted one, and one that was forgotten: 401 for who has no token."""
    mounted = Mount("/mounted", routes=[Route("/new", hello), PublicRoute("/open", hello)])
    async with guarded(Route("/new", hello), PublicRoute("/open", hello), mounted) as client:
        assert (await client.get("/open")).status_code == 200
        for path in ("/new", "/mounted/new", "/mounted/open", "/none"):
            assert (await client.get(path)).status_code == 401


async def test_a_closed_route_before_an_open_one_stays_closed() -> None:
    """It is the route that answers that counts, not any that the address fits."""
    routes = Route("/executions/all", hello), PublicRoute("/executions/{id}", hello)
    async with guarded(*routes) as client:
        assert (await client.get("/executions/all")).status_code == 401
        assert (await client.get("/executions/exec_1")).status_code == 200


async def test_an_open_route_is_open_to_its_methods_only() -> None:
    """For others it would be a 405, which is said to those who have the token."""
    async with guarded(PublicRoute("/open", hello, methods=["GET"])) as client:
        assert (await client.get("/open")).status_code == 200
        assert (await client.head("/open")).status_code == 200
        assert (await client.post("/open")).status_code == 401
        told = await client.post("/open", headers={"Authorization": "Bearer secret"})
        assert told.status_code == 405


def test_these_routes_are_open_and_no_others(app: Starlette) -> None:
    """Health, the page, the playground, and their files: nothing that tells of an execution."""
    public = {route.path for route in app.routes if isinstance(route, PublicRoute)}
    files = {path for path in public if path.startswith(("/dashboard/", "/playground/"))}
    pages = {"/", "/start", "/executions/{id}", "/graphql"}
    assert public - files == {"/healthz", "/readyz", *pages}
    assert {path.rpartition(".")[2] for path in files} == {"css", "js"}


async def test_what_is_open_needs_no_token(app: Starlette) -> None:
    """Each of them answers, to GET and to HEAD."""
    public = [route.path for route in app.routes if isinstance(route, PublicRoute)]
    async with client_of(app) as client:
        for path in public:
            for method in ("GET", "HEAD"):
                answer = await client.request(method, path.replace("{id}", "exec_1"))
                assert answer.status_code != 401, (method, path)


@pytest.mark.parametrize(("method", "target"), CLOSED)
async def test_all_else_needs_the_token(app: Starlette, method: str, target: str) -> None:
    """What there is and what there is not, near what is open or far from it."""
    async with client_of(app) as client:
        answer = await client.request(method, target)
        assert answer.status_code == 401
        told = await client.request(method, target, headers={"Authorization": "Bearer secret"})
        assert told.status_code != 401
