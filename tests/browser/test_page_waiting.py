"""An execution that waits for its turn, on the page."""

import re
from collections.abc import Callable

import pytest
from deadlines import eventually
from playwright.sync_api import expect
from server_process import ServerProcess
from visitor import Visitor, ask, cancel, start

WAITED = "query ($id: ID!) { execution(id: $id) { queuedMs durationMs } }"


@pytest.fixture
def busy(serve: Callable[..., ServerProcess]) -> ServerProcess:
    """It runs one at a time."""
    return serve("--max-concurrent", "1", "--grace", "1")


def test_waiting_is_shown_apart_from_running(visitor: Visitor, busy: ServerProcess) -> None:
    """In the row and in the facts: how long it waits, and later how long it ran."""
    first = start(busy.client, "shell")
    second = start(busy.client, "echo")
    listed = visitor.visit(busy.url).locator(f'.row[data-id="{second}"]')
    page = visitor.visit(f"{busy.url}/executions/{second}")
    expect(page.locator("#elapsed")).to_have_text(re.compile(r"^waits [2-9] s$"))
    expect(listed.locator(".elapsed")).to_have_text(re.compile(r"^waits [2-9] s$"))
    cancel(busy.client, first)
    expect(page.locator("article.execution")).to_have_attribute("data-status", "COMPLETED")
    expect(page.locator("#elapsed")).to_have_text(re.compile(r"^\d+ ms$"))
    expect(listed.locator(".elapsed")).to_have_text(re.compile(r"^\d+ ms$"))
    waited = ask(busy.client, WAITED, id=second)["execution"]["queuedMs"]
    assert waited >= 2000
    expect(page.locator(".facts")).to_contain_text(f"Waited{int(waited / 100) / 10:.1f} s")
    # The stages fill the time in which it ran, as far as they lasted; the wait is not a part of it.
    bar = page.locator(".bar").evaluate("bar => bar.getBoundingClientRect().width")
    track = page.locator(".track").evaluate("track => track.getBoundingClientRect().width")
    assert bar > track / 2


@pytest.mark.campaign
def test_what_never_ran_has_only_waited(visitor: Visitor, busy: ServerProcess) -> None:
    """Who listens hears how long that was."""
    start(busy.client, "shell")
    second = start(busy.client, "echo")
    page = visitor.visit(busy.url)
    expect(page.locator(f'.row[data-id="{second}"] .elapsed')).to_contain_text("waits")
    eventually(lambda: ask(busy.client, WAITED, id=second)["execution"]["queuedMs"] > 1000)
    cancel(busy.client, second)
    expect(page.locator(f'.row[data-id="{second}"] .elapsed')).to_have_text("0 ms")
    expect(page.locator("#announcer")).to_have_text(
        re.compile(r"^Echo was cancelled after \d\.\d s$")
    )
