"""One execution, looked at while it runs."""

import re
from collections.abc import Callable

from deadlines import eventually
from playwright.sync_api import Page, expect
from server_process import ServerProcess
from visitor import Visitor, ask, cancel, start

# More lines than a test waits for: it runs until it is cancelled.
ENDLESS = "20000"
KEPT = "query ($id: ID!) { execution(id: $id) { stages { output(limit: 1000000) { text } } } }"


def talk(lines: int) -> str:
    return "".join(f"line {number}\n" for number in range(lines))


def output(page: Page) -> str:
    return page.locator("#output").evaluate("element => element.textContent")


def is_whole_after_cancel(page: Page, server: ServerProcess, id: str) -> None:
    """The page has every line up to the cancel, as the server has kept them, each once."""
    cancel(server.client, id)
    expect(page.locator("article.execution")).to_have_attribute("data-status", "CANCELLED")
    kept = ask(server.client, KEPT, id=id)["execution"]["stages"][0]["output"]["text"]
    assert kept == talk(kept.count("\n"))
    eventually(lambda: output(page) == kept)


def test_progress_comes_live(visitor: Visitor, server: ServerProcess) -> None:
    """Stages, output and status follow the run with nobody touching the page."""
    id = start(server.client, "gate", "LIVE-PAGE")
    page = visitor.visit(f"{server.url}/executions/{id}")
    expect(page.locator('#timeline li[data-stage="wait"]')).to_have_attribute(
        "data-status", "RUNNING"
    )
    expect(page.locator("#output")).to_have_text("begun")
    expect(page.locator("#elapsed")).to_have_text(re.compile(r"^[1-9]\d* s$"))
    start(server.client, "key", "LIVE-PAGE")
    expect(page.locator("article.execution")).to_have_attribute("data-status", "COMPLETED")
    expect(page.locator('#timeline li[data-status="COMPLETED"]')).to_have_count(3)
    expect(page.locator("#result")).to_have_text("LIVE-PAGE")


def test_output_streams_without_a_hole(visitor: Visitor, server: ServerProcess) -> None:
    """What a stage says is shown as it says it, each line once."""
    id = start(server.client, "chatty", ENDLESS)
    page = visitor.visit(f"{server.url}/executions/{id}")
    expect(page.locator("#output")).to_contain_text("line 700\n")
    expect(page.locator("article.execution")).to_have_attribute("data-status", "RUNNING")
    is_whole_after_cancel(page, server, id)


def test_a_refresh_in_the_middle_loses_nothing(visitor: Visitor, server: ServerProcess) -> None:
    """After a reload during the run the output is complete: no hole, no repetition."""
    id = start(server.client, "chatty", ENDLESS)
    page = visitor.visit(f"{server.url}/executions/{id}")
    for known in (50, 300, 600):
        expect(page.locator("#output")).to_contain_text(f"line {known}\n")
        page.reload()
    expect(page.locator("#output")).to_contain_text("line 900\n")
    expect(page.locator("article.execution")).to_have_attribute("data-status", "RUNNING")
    is_whole_after_cancel(page, server, id)


def test_much_output_is_whole(visitor: Visitor, server: ServerProcess) -> None:
    """More output than one request brings is fetched to its end."""
    id = start(server.client, "echo", ("0123456789abcde\n" * 60_000).strip())
    page = visitor.visit(f"{server.url}/executions/{id}")
    expect(page.locator("#output-size")).to_have_text("959,999 characters")
    assert len(output(page)) == 959_999


def test_following_can_be_paused(visitor: Visitor, server: ServerProcess) -> None:
    """The end of the output stays in view until it is paused, and comes back on demand."""
    id = start(server.client, "chatty", ENDLESS)
    page = visitor.visit(f"{server.url}/executions/{id}")
    pane = page.locator("#output")
    expect(pane).to_contain_text("line 200\n")
    page.locator("#follow").click()
    expect(page.locator("#follow")).to_have_text("Follow")
    stopped = pane.evaluate("element => element.scrollTop")
    expect(pane).to_contain_text("line 600\n")
    assert pane.evaluate("element => element.scrollTop") == stopped
    page.locator("#follow").click()
    expect(page.locator("#follow")).to_have_text("Pause")
    assert pane.evaluate("element => element.scrollTop") > stopped
    cancel(server.client, id)
    expect(page.locator("article.execution")).to_have_attribute("data-status", "CANCELLED")


def test_output_streams_over_server_sent_events(visitor: Visitor, server: ServerProcess) -> None:
    """Where there is no WebSocket the same comes over SSE."""
    id = start(server.client, "chatty", ENDLESS)
    without = "delete window.WebSocket"
    page = visitor.visit(f"{server.url}/executions/{id}", script=without)
    expect(page.locator("#connection")).to_have_attribute("title", "Over server-sent events")
    expect(page.locator("#output")).to_contain_text("line 300\n")
    page.reload()
    expect(page.locator("#output")).to_contain_text("line 600\n")
    is_whole_after_cancel(page, server, id)


def test_title_and_icon_tell_what_runs(
    visitor: Visitor, serve: Callable[..., ServerProcess]
) -> None:
    """The tab's title counts what runs, then tells how the last one ended; so does its icon."""
    server = serve()
    page = visitor.visit(server.url)
    expect(page).to_have_title("Executions · runcast")
    icon = page.locator("link[rel=icon]")
    idle = icon.get_attribute("href")
    id = start(server.client, "waiting")
    expect(page).to_have_title("(1) Executions · runcast")
    busy = icon.get_attribute("href")
    cancel(server.client, id)
    expect(page).to_have_title("⊘ Executions · runcast")
    expect(page.locator("#announcer")).to_contain_text("was cancelled after")
    assert len({idle, busy, icon.get_attribute("href")}) == 3


def test_choosing_what_runs_follows_along(visitor: Visitor, server: ServerProcess) -> None:
    """Whoever goes back to the stage that runs sees the next one when that begins."""
    id = start(server.client, "gate", "GO-ALONG")
    page = visitor.visit(f"{server.url}/executions/{id}")
    button = '#timeline li[data-stage="{}"] button'.format
    expect(page.locator(button("wait"))).to_have_attribute("aria-pressed", "true")
    page.locator(button("before")).click()
    page.keyboard.press("j")
    expect(page.locator(button("wait"))).to_have_attribute("aria-pressed", "true")
    start(server.client, "key", "GO-ALONG")
    expect(page.locator(button("after"))).to_have_attribute("aria-pressed", "true")


def test_colours_of_a_terminal_are_left_out(visitor: Visitor, server: ServerProcess) -> None:
    """What only colours a terminal is not shown as text."""
    id = start(server.client, "echo", "\x1b[1;32mINFO\x1b[0m all \x1b]8;;x\x1b\\well")
    page = visitor.visit(f"{server.url}/executions/{id}")
    expect(page.locator("#output")).to_have_text("INFO all well")
