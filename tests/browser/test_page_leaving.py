"""A view that is left leaves nothing behind, and a row that no longer fits leaves its list."""

from collections.abc import Callable, Iterator

import pytest
from deadlines import eventually
from playwright.sync_api import Locator, Page, expect
from server_process import ServerProcess
from visitor import Visitor, ask, cancel, start

RUNNING = "{ executions(status: RUNNING) { id } }"
SUBSCRIBERS = "{ server { subscribers } }"
ALWAYS = 1
"""How many subscriptions an open page has, whatever it shows: what runs, for its title."""

# Answers arrive when the test says so.
HELD = """
window.held = [];
window.hold = false;
const { fetch } = window;
window.fetch = async (...given) => {
    const answer = await fetch(...given);
    if (window.hold) await new Promise(release => held.push(release));
    return answer;
};
"""


@pytest.fixture
def alone(serve: Callable[..., ServerProcess]) -> Iterator[ServerProcess]:
    """A server that has no other visitors; it need not wait for what still runs in the end."""
    server = serve("--grace", "1")
    yield server
    for execution in ask(server.client, RUNNING)["executions"]:
        cancel(server.client, execution["id"])


def follows(server: ServerProcess, number: int) -> None:
    """Returns when the page has so many subscriptions beside the one that it always has."""
    wanted = ALWAYS + number

    def subscribers() -> int:
        return int(ask(server.client, SUBSCRIBERS)["server"]["subscribers"])

    eventually(lambda: subscribers() == wanted)


def row(page: Page, id: str) -> Locator:
    return page.locator(f'.row[data-id="{id}"]')


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("", id="socket"),
        pytest.param("delete window.WebSocket", id="events", marks=pytest.mark.campaign),
    ],
)
def test_a_view_that_is_left_follows_nothing(
    visitor: Visitor, alone: ServerProcess, script: str
) -> None:
    """The list, an execution that runs and the start follow what they show, and nothing else."""
    id = start(alone.client, "waiting")
    page = visitor.visit(alone.url, script=script)
    for _ in range(2):
        follows(alone, 1)
        row(page, id).locator(".name").click()
        expect(page.locator("#output")).to_have_text("begun")
        follows(alone, 2)
        page.keyboard.press("n")
        expect(page.locator("#start")).to_be_visible()
        follows(alone, 0)
        page.go_back()
        expect(page.locator("#output")).to_have_text("begun")
        follows(alone, 2)
        page.locator("#home").click()
        expect(row(page, id)).to_be_visible()


def test_an_execution_that_has_ended_is_not_followed_any_more(
    visitor: Visitor, alone: ServerProcess
) -> None:
    """Neither one that ends while it is looked at, nor one that is opened afterwards."""
    id = start(alone.client, "waiting")
    page = visitor.visit(f"{alone.url}/executions/{id}")
    follows(alone, 2)
    cancel(alone.client, id)
    expect(page.locator("article.execution")).to_have_attribute("data-status", "CANCELLED")
    follows(alone, 0)
    page.reload()
    expect(page.locator("article.execution")).to_have_attribute("data-status", "CANCELLED")
    follows(alone, 0)


@pytest.mark.campaign
def test_another_filter_is_followed_instead(visitor: Visitor, alone: ServerProcess) -> None:
    """However often it changes: a list is one subscription, and what it shows is what it asks."""
    ids = [start(alone.client, pipeline) for pipeline in ("waiting", "echo")]
    page = visitor.visit(alone.url)
    for status, shown in (("RUNNING", ids[0]), ("COMPLETED", ids[1])) * 2:
        page.locator(f'.chip[data-status="{status}"]').click()
        expect(row(page, shown)).to_have_attribute("data-status", status)
        expect(page.locator(".row")).to_have_count(1)
        follows(alone, 1)
        page.locator(f'.chip[data-status="{status}"]').click()
        expect(page.locator(".row")).to_have_count(2)
        follows(alone, 1)


@pytest.mark.campaign
def test_what_a_view_has_asked_for_is_not_shown_in_the_next_one(
    visitor: Visitor, alone: ServerProcess
) -> None:
    """An answer that comes late is the answer of a view that is gone: nothing follows from it."""
    id = start(alone.client, "waiting")
    page = visitor.visit(alone.url, script=HELD)
    expect(row(page, id)).to_be_visible()
    page.evaluate("window.hold = true")
    row(page, id).locator(".name").click()
    eventually(lambda: page.evaluate("held.length") == 1)
    page.locator("#home").click()
    eventually(lambda: page.evaluate("held.length") >= 2)
    page.keyboard.press("n")
    expect(page.locator("#start-input")).to_be_visible()
    page.evaluate("window.hold = false; held.forEach(release => release())")
    expect(page.locator("#start")).to_be_enabled()
    expect(page).to_have_title("(1) Start · runcast")
    follows(alone, 0)


@pytest.mark.parametrize(
    ("pipeline", "end"), [("waiting", "CANCELLED"), ("gate", "COMPLETED")], ids=["cancel", "end"]
)
def test_what_has_ended_leaves_a_list_of_what_runs(
    visitor: Visitor, alone: ServerProcess, pipeline: str, end: str
) -> None:
    """At once and for good; where its status is asked for, it comes up."""
    stays = start(alone.client, "waiting", "stays")
    goes = start(alone.client, pipeline, f"GO-{end}")
    running = visitor.visit(alone.url + "/?status=RUNNING")
    ended = visitor.visit(f"{alone.url}/?status={end}")
    expect(row(running, goes)).to_have_attribute("data-status", "RUNNING")
    expect(ended.locator("#list-note")).to_contain_text("No execution matches")
    if end == "CANCELLED":
        cancel(alone.client, goes)
    else:
        start(alone.client, "key", f"GO-{end}")
    expect(row(ended, goes)).to_have_attribute("data-status", end)
    expect(row(running, goes)).to_have_count(0)
    expect(row(running, stays)).to_have_attribute("data-status", "RUNNING")
    expect(running.locator("#list-note")).to_have_text("1 execution, nothing older.")
    running.reload()
    expect(running.locator(".row")).to_have_count(1)


@pytest.mark.campaign
def test_what_has_gone_to_the_history_stays_where_it_fits(
    visitor: Visitor, serve: Callable[..., ServerProcess]
) -> None:
    """A list of what has ended does not lose it when its retention is over; no other gets it."""
    server = serve("--retention", "0.4", "--grace", "1")
    completed = visitor.visit(server.url + "/?status=COMPLETED")
    failed = visitor.visit(server.url + "/?status=FAILED")
    expect(completed.locator("#list-note")).to_contain_text("No execution matches")
    expect(failed.locator("#list-note")).to_contain_text("No execution matches")
    id = start(server.client, "echo")
    expect(row(completed, id)).to_be_visible()
    eventually(lambda: not ask(server.client, "{ executions { id } }")["executions"])
    count = '.chip[data-status="COMPLETED"] .count'
    for page in (completed, failed):
        expect(page.locator(count)).to_have_text("1")
    expect(row(completed, id)).to_be_visible()
    expect(failed.locator(".row")).to_have_count(0)
