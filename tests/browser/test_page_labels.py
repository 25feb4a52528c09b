"""Labels as they are typed, and as they come in a link."""

import re

from playwright.sync_api import expect
from server_process import ServerProcess
from visitor import Visitor, start


def test_what_is_no_label_starts_nothing(visitor: Visitor, server: ServerProcess) -> None:
    """A label without `=` is told, and neither dropped nor started with."""
    page = visitor.visit(server.url + "/start?pipeline=echo")
    page.locator("#start-input").fill("hello")
    page.locator("#labels").fill("team=search, urgent")
    page.locator("#start").click()
    labels = page.locator("#labels")
    expect(labels).to_be_focused()
    assert labels.evaluate("element => element.validationMessage") == "A label is key=value."
    labels.fill("team=search, kind=urgent,")
    page.locator("#start").click()
    expect(page.locator("#facts .label")).to_have_text(["team=search", "kind=urgent"])


def test_what_is_no_label_filters_nothing(visitor: Visitor, server: ServerProcess) -> None:
    """A filter that is no label is told, and the list stays narrowed as it was."""
    page = visitor.visit(server.url + "/?label=team%3Dsearch")
    expect(page.locator("#filter-labels")).to_have_value("team=search")
    page.locator("#filter-labels").fill("urgent")
    expect(page.locator("#filter-problem")).to_have_text("A label is key=value.")
    expect(page).to_have_url(re.compile(r"\?label=team%3Dsearch$"))
    page.locator("#filter-labels").fill("")
    expect(page.locator("#filter-problem")).to_be_hidden()
    expect(page).to_have_url(server.url + "/")


def test_a_label_with_a_comma_outlives_a_chip(visitor: Visitor, server: ServerProcess) -> None:
    """What a link has brought stays as it is when another filter changes."""
    id = start(server.client, "echo", env="a,b")
    page = visitor.visit(server.url + "/?label=env%3Da%2Cb")
    page.locator('.chip[data-status="COMPLETED"]').click()
    expect(page).to_have_url(re.compile(r"\?status=COMPLETED&label=env%3Da%2Cb$"))
    expect(page.locator(f'.row[data-id="{id}"]')).to_have_attribute("data-status", "COMPLETED")
