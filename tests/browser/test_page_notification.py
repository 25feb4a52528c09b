"""The page tells of an end to those who asked for it, and asks for permission only then."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from deadlines import eventually
from playwright.sync_api import Page, expect
from server_process import ServerProcess
from visitor import Visitor, ask, cancel, start

# What is shown is only noted: a browser without a screen shows nothing. Permissions are real.
NOTED = """
window.noted = { asked: [], shown: [] };
const Real = window.Notification;
window.Notification = class {
    static requestPermission() {
        const { type, isTrusted } = window.event ?? {};
        noted.asked.push(isTrusted ? type : "nobody");
        return Real.requestPermission();
    }
    constructor(title, options) {
        noted.shown.push({ title, ...options });
    }
};
"""


def noted(page: Page, kind: str) -> Any:
    return page.evaluate("kind => noted[kind]", kind)


def opened(visitor: Visitor, server: ServerProcess, id: str, *granted: str) -> Page:
    """The page of an execution that runs, in a browser that has granted these permissions."""
    page = visitor.visit(f"{server.url}/executions/{id}", script=NOTED, permissions=list(granted))
    expect(page.locator("article.execution")).to_have_attribute("data-status", "RUNNING")
    expect(page.locator("#notify")).to_have_text("Notify me")
    return page


def status_of(server: ServerProcess, id: str) -> str:
    data = ask(server.client, "query ($id: ID!) { execution(id: $id) { status } }", id=id)
    return str(data["execution"]["status"])


def ended(page: Page, server: ServerProcess, id: str) -> None:
    """Ends an execution; returns when the page has told of an end to those who listen."""
    cancel(server.client, id)
    expect(page.locator("#announcer")).to_contain_text("A function that waits was cancelled after")


def watch(page: Page) -> None:
    page.locator("#notify").click()
    expect(page.locator("#notify")).to_have_text("Will notify")


def test_the_end_of_a_watched_execution_is_notified(
    visitor: Visitor, server: ServerProcess
) -> None:
    """Who asked for it gets one notification, by name and id, wherever on the page they are."""
    id = start(server.client, "waiting")
    page = opened(visitor, server, id, "notifications")
    watch(page)
    page.locator("#home").click()
    expect(page.locator(f'.row[data-id="{id}"]')).to_be_visible()
    assert noted(page, "shown") == []
    ended(page, server, id)
    [shown] = noted(page, "shown")
    assert shown["title"].startswith("A function that waits was cancelled after ")
    assert (shown["tag"], shown["body"]) == (id, id)


def test_permission_is_asked_for_by_a_click_alone(visitor: Visitor, server: ServerProcess) -> None:
    """Neither a visit, nor a reload, nor an end asks: only whoever presses the button is asked."""
    id = start(server.client, "waiting")
    page = opened(visitor, server, id, "notifications")
    page.reload()
    expect(page.locator("#notify")).to_have_text("Notify me")
    assert noted(page, "asked") == []
    watch(page)
    assert noted(page, "asked") == ["click"]
    page.reload()
    expect(page.locator("#notify")).to_have_text("Will notify")
    ended(page, server, id)
    assert noted(page, "asked") == []
    assert len(noted(page, "shown")) == 1


@pytest.mark.campaign
def test_a_refused_permission_is_told(visitor: Visitor, server: ServerProcess) -> None:
    """Where the browser does not allow it the button says so, and nothing is shown in the end."""
    id = start(server.client, "waiting")
    page = opened(visitor, server, id)
    page.locator("#notify").click()
    expect(page.locator("#notify")).to_have_text("The browser does not allow it")
    ended(page, server, id)
    assert noted(page, "shown") == []


@pytest.mark.campaign
def test_nobody_is_told_unasked(visitor: Visitor, serve: Callable[..., ServerProcess]) -> None:
    """An end that nobody watches, or not any more, is no notification."""
    server = serve("--grace", "1")
    unwatched, watched = (start(server.client, "waiting") for _ in range(2))
    page = opened(visitor, server, watched, "notifications")
    watch(page)
    page.locator("#notify").click()
    expect(page.locator("#notify")).to_have_text("Notify me")
    cancel(server.client, unwatched)
    cancel(server.client, watched)
    # The title has this mark once nothing runs any more.
    expect(page).to_have_title(re.compile("^⊘ "))
    assert noted(page, "shown") == []


def test_an_end_that_nobody_heard_is_notified_later(
    visitor: Visitor, server: ServerProcess
) -> None:
    """What ended while the page was away is told as soon as it is back, and only once."""
    id = start(server.client, "waiting")
    page = opened(visitor, server, id, "notifications")
    watch(page)
    page.goto("about:blank")
    cancel(server.client, id)
    eventually(lambda: status_of(server, id) == "CANCELLED")
    page.goto(server.url)
    [shown] = eventually(lambda: noted(page, "shown"))
    assert shown["tag"] == id
    page.reload()
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator("#announcer")).to_have_text("")
    assert noted(page, "shown") == []
