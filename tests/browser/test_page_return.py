"""Whoever leaves a view and comes back finds it as it was left."""

from collections.abc import Callable

import pytest
from deadlines import eventually
from playwright.sync_api import expect
from server_process import ServerProcess
from visitor import Visitor, start

FOCUSED = "document.activeElement.id"
IN_VIEW = "[...document.querySelectorAll('.name')].find(a => a.getBoundingClientRect().top > 200)"


@pytest.mark.campaign
def test_back_leads_to_where_the_list_was_left(
    visitor: Visitor, serve: Callable[..., ServerProcess]
) -> None:
    """The list is scrolled to where it was, also beyond what its first request brings."""
    server = serve("--max-concurrent", "300")
    for _ in range(150):
        start(server.client, "echo")
    page = visitor.visit(server.url)
    page.wait_for_selector(".row")
    page.evaluate("scrollTo(0, 6500)")
    expect(page.locator("#list-note")).to_contain_text("150 executions")
    page.evaluate("scrollTo(0, 7500)")
    eventually(lambda: page.evaluate("scrollY") == 7500)
    eventually(lambda: page.evaluate(f"!!{IN_VIEW}"))
    page.evaluate(f"{IN_VIEW}.click()")
    expect(page.locator("article.execution")).to_have_attribute("data-status", "COMPLETED")
    assert page.evaluate("scrollY") == 0
    page.go_back()
    eventually(lambda: page.evaluate("scrollY") == 7500)


def test_what_was_typed_is_still_there(visitor: Visitor, server: ServerProcess) -> None:
    """An input that was not started yet outlives a look elsewhere, and not its start."""
    page = visitor.visit(server.url + "/start?pipeline=echo")
    page.locator("#start-input").fill("half a thought")
    page.locator("#labels").fill("team=search")
    page.locator("#time-limit").fill("30")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    expect(page.locator("#executions, #list-note").first).to_be_attached()
    page.keyboard.press("n")
    expect(page.locator("#start-input")).to_have_value("half a thought")
    expect(page.locator("#labels")).to_have_value("team=search")
    expect(page.locator("#time-limit")).to_have_value("30")
    expect(page.locator('[data-pipeline="echo"] input')).to_be_checked()
    page.locator("#start").click()
    expect(page.locator("article.execution")).to_have_attribute("data-status", "COMPLETED")
    page.keyboard.press("n")
    expect(page.locator("#start-input")).to_be_focused()
    expect(page.locator("#start-input")).to_have_value("")


def test_the_focus_goes_along(visitor: Visitor, server: ServerProcess) -> None:
    """After a navigation the focus is on the content, and in a field where there is one for it."""
    start(server.client, "echo")
    page = visitor.visit(server.url)
    page.wait_for_selector(".row")
    assert page.evaluate(FOCUSED) == ""
    page.locator(".name").first.click()
    expect(page.locator("article.execution")).to_be_attached()
    assert page.evaluate(FOCUSED) == "view"
    page.keyboard.press("/")
    assert page.evaluate(FOCUSED) == "search"
    page.locator("#search").fill("nothing like it")
    page.locator("#clear").click()
    assert page.evaluate(FOCUSED) == "search"
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.locator("#start-input")).to_be_focused()
