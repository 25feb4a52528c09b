"""The page on a server of a cluster."""

from pathlib import Path

from cluster_processes import a_cluster
from playwright.sync_api import expect
from visitor import Visitor, start


def test_it_says_that_the_broker_is_away(visitor: Visitor, tmp_path: Path) -> None:
    """The list stays; the page is live again by itself, and shows what was started elsewhere."""
    with a_cluster(tmp_path) as cluster:
        here, there = cluster.server(), cluster.server()
        start(there.client, "echo", "the first")
        page = visitor.visit(here.url)
        state = page.locator("#connection")
        expect(page.get_by_text("the first")).to_be_visible()
        expect(state).to_have_attribute("data-state", "live")
        cluster.broker.kill()
        expect(state).to_have_attribute("data-state", "behind")
        expect(page.locator("#banner")).to_contain_text("may be stale")
        expect(page.get_by_text("the first")).to_be_visible()
        cluster.broker.start()
        expect(state).to_have_attribute("data-state", "live")
        expect(page.locator("#banner")).to_be_hidden()
        start(there.client, "echo", "the second")
        expect(page.get_by_text("the second")).to_be_visible()
