"""The live page and the playground behind a proxy, below a prefix."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import runcast
from needs import need
from playwright.sync_api import expect
from reverse_proxy import reverse_proxy
from server_process import ServerProcess
from visitor import Visitor, start

PREFIX = "/deep/runcast"
GRAPHIQL = Path(runcast.__file__).parent / "server" / "playground" / "node_modules" / "graphiql"


@pytest.fixture(params=["stripped", "kept"])
def below(
    request: pytest.FixtureRequest, serve: Callable[..., ServerProcess]
) -> Iterator[tuple[ServerProcess, str]]:
    """A server, and its address behind the proxy."""
    stripped = request.param == "stripped"
    # A proxy that takes the prefix off, and tells nobody, needs no setting at all.
    server = serve(*([] if stripped else ["--root-path", PREFIX]))
    with ExitStack() as stack:
        proxy = reverse_proxy(server.url, strip=PREFIX if stripped else "")
        yield server, stack.enter_context(proxy) + PREFIX


def test_every_view(visitor: Visitor, below: tuple[ServerProcess, str]) -> None:
    """The list, an execution and the form are there by links, by keys and by a reload."""
    server, url = below
    id = start(server.client, "waiting", "below a prefix")
    page = visitor.visit(url + "/")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    page.locator(f'.row[data-id="{id}"] a.name').click()
    for _ in range(2):
        expect(page).to_have_url(f"{url}/executions/{id}")
        expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        expect(page.locator("#view")).to_contain_text("below a prefix")
        page.reload()
    page.locator("#nav").get_by_text("Start").click()
    expect(page).to_have_url(f"{url}/start?pipeline=attempts")
    expect(page.locator('#nav a[aria-current="page"]')).to_have_text("Start")
    page.locator("#home").click()
    expect(page).to_have_url(f"{url}/")
    page.keyboard.press("n")
    expect(page).to_have_url(f"{url}/start?pipeline=attempts")
    page.go_back()
    expect(page.locator(f'.row[data-id="{id}"]')).to_be_visible()


def test_the_playground(visitor: Visitor, below: tuple[ServerProcess, str]) -> None:
    """It asks the server that it came from."""
    need(GRAPHIQL.is_dir(), "GraphiQL (npm ci --prefix server/playground)")
    _, url = below
    page = visitor.visit(url + "/")
    page.locator("#nav").get_by_text("API").click()
    expect(page).to_have_url(f"{url}/graphql")
    page.locator(".graphiql-execute-button").click()
    expect(page.locator(".result-window")).to_contain_text('"executions"')
