"""The page says how it is connected, and comes back from every break."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from deadlines import eventually
from playwright.sync_api import Page, expect
from server_process import ENDS_SOON, ServerProcess, serving
from visitor import Visitor, ask, cancel, start

# What the browser itself writes on the console while a server is away.
AWAY = ("net::ERR_", "WebSocket connection to")

TRYING = re.compile(r"^Server stopped, trying in (\d|1[0-5]) s$")
BROKEN_AND_MENDED = ["reconnecting", "live"]
KEPT = "query ($id: ID!) { execution(id: $id) { stages { output(limit: 1000000) { text } } } }"

SOCKETS = """
window.sockets = [];
window.WebSocket = class extends WebSocket {
    constructor(...given) {
        super(...given);
        sockets.push(this);
    }
};
"""

SILENCE = """
const { now } = Date;
let ahead = 0;
window.passTime = ms => { ahead += ms; };
Date.now = () => now() + ahead;
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (text) { if (!window.silent) send.call(this, text); };
"""


# Every state that the page has said, with the words for it.
STATES = """
window.states = [];
const observer = new MutationObserver(([{ target }]) => {
    const said = () => document.getElementById("connection-text").textContent;
    states.push([target.dataset.state, said()]);
});
observer.observe(document, { subtree: true, attributeFilter: ["data-state"] });
"""

# The shortest of the waits between which chance chooses.
SHORTEST = "Math.random = () => 0;"

TRIES = """
window.tries = [];
const { fetch } = window;
window.fetch = (...given) => {
    tries.push(performance.now());
    return fetch(...given);
};
"""


def connection_is(page: Page, state: str) -> None:
    """Returns once it is. (`expect` looks once per second only, after a while.)"""
    page.wait_for_function(
        "state => document.querySelector('#connection').dataset.state === state", arg=state
    )


def port_of(server: ServerProcess) -> str:
    return str(urlsplit(server.url).port)


def test_live_over_a_websocket(visitor: Visitor, server: ServerProcess) -> None:
    """An open page says that it is live, and over what."""
    page = visitor.visit(server.url)
    connection_is(page, "live")
    expect(page.locator("#connection-text")).to_have_text("Live")
    expect(page.locator("#connection")).to_have_attribute("title", "Over WebSocket")
    expect(page.locator("#banner")).to_be_hidden()


@pytest.mark.campaign
def test_a_restart_during_a_run(visitor: Visitor, tmp_path: Path) -> None:
    """A stopped server is said; when it is back, the page is too, and the run shows its end."""
    visitor.tolerate(*AWAY)
    with serving(tmp_path, "--grace", "1", hurry=ENDS_SOON) as server:
        port = port_of(server)
        id = start(server.client, "waiting")
        page = visitor.visit(f"{server.url}/executions/{id}")
        list_page = visitor.visit(server.url)
        expect(page.locator("#output")).to_have_text("begun\n")
        expect(list_page.locator(".row")).to_have_attribute("data-status", "RUNNING")
    connection_is(page, "stopped")
    connection_is(list_page, "stopped")
    expect(page.locator("#banner")).to_contain_text("The server does not answer.")
    with serving(tmp_path, "--port", port):
        connection_is(page, "live")
        connection_is(list_page, "live")
        expect(page.locator("#banner")).to_be_hidden()
        expect(page.locator("#facts")).to_contain_text("Server shutdown")
        expect(page.locator("#output")).to_have_text("begun\n")
        expect(list_page.locator(".row")).to_have_attribute("data-status", "FAILED")


def test_a_killed_server_during_a_run(visitor: Visitor, tmp_path: Path) -> None:
    """After a crash the run is shown as ended by the restart."""
    visitor.tolerate(*AWAY)
    with serving(tmp_path) as server:
        port = port_of(server)
        id = start(server.client, "waiting")
        page = visitor.visit(f"{server.url}/executions/{id}")
        expect(page.locator("#output")).to_have_text("begun\n")
        server.process.kill()
        connection_is(page, "stopped")
    with serving(tmp_path, "--port", port):
        connection_is(page, "live")
        expect(page.locator("#facts")).to_contain_text("Server restart")
        expect(page.locator("article.execution")).to_have_attribute("data-status", "FAILED")


@pytest.mark.campaign
def test_what_a_stop_is_called(visitor: Visitor, tmp_path: Path) -> None:
    """Reconnecting at first, stopped once nothing answers, live when it is back: nothing missed."""
    visitor.tolerate(*AWAY)
    with serving(tmp_path, "--grace", "1") as server:
        port = port_of(server)
        page = visitor.visit(server.url, script=STATES)
        connection_is(page, "live")
        # Without a farewell: a page cannot know at once whether it is the server or the way to it.
        server.process.kill()
        connection_is(page, "stopped")
    page.context.set_offline(True)
    with serving(tmp_path, "--port", port) as server:
        id = start(server.client, "echo", "before the page is back")
        page.context.set_offline(False)
        connection_is(page, "live")
        expect(page.locator(f'.row[data-id="{id}"]')).to_have_attribute("data-status", "COMPLETED")
    states = dict(page.evaluate("states"))
    assert list(states) == ["live", "reconnecting", "stopped"]
    assert states["reconnecting"] == "Reconnecting in 1 s"


@pytest.mark.campaign
def test_tries_grow_apart(visitor: Visitor, tmp_path: Path) -> None:
    """The waits for a stopped server at least double, and the next one is told in seconds."""
    visitor.tolerate(*AWAY)
    with serving(tmp_path) as server:
        page = visitor.visit(server.url, script=TRIES + SHORTEST)
        connection_is(page, "live")
        page.evaluate("tries.length = 0")
    eventually(lambda: page.evaluate("tries.length") >= 4)
    expect(page.locator("#connection-text")).to_have_text(TRYING)
    waits = [later - earlier for earlier, later in pairwise(page.evaluate("tries"))]
    # A browser's timer may be early by a little.
    assert all(wait > 0.9 * least for wait, least in zip(waits, (500, 1000, 2000), strict=False))


@pytest.mark.campaign
def test_a_phone_has_room_to_say_it(visitor: Visitor, tmp_path: Path) -> None:
    """On a narrow screen the words for a stopped server leave the links in one line each."""
    visitor.tolerate(*AWAY)
    with serving(tmp_path) as server:
        page = visitor.visit(server.url, viewport={"width": 360, "height": 740})
        connection_is(page, "live")
        links = page.locator("#nav")
        height = links.evaluate("element => element.offsetHeight")
    connection_is(page, "stopped")
    expect(page.locator("#connection-retry")).to_be_visible()
    assert links.evaluate("element => element.offsetHeight") == height
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0


@pytest.mark.campaign
def test_a_refusal_is_not_asked_again_at_once(visitor: Visitor, server: ServerProcess) -> None:
    """A list that a server refuses while it is there is asked for again, a second later each."""
    page = visitor.visit(server.url + "/start", script=TRIES)
    connection_is(page, "live")
    page.route("**/graphql", lambda route: route.fulfill(json={"errors": [{"message": "busy"}]}))
    page.evaluate("tries.length = 0")
    page.locator("#home").click()
    expect(page.locator("#list-note")).to_contain_text("could not be loaded: busy")
    # The list, the pipelines to filter by, and then the list alone.
    eventually(lambda: page.evaluate("tries.length") >= 4)
    waits = [later - earlier for earlier, later in pairwise(page.evaluate("tries")[1:])]
    assert all(wait > 900 for wait in waits)
    page.unroute("**/graphql")
    expect(page.locator("#executions")).to_have_attribute("aria-busy", "false")


@pytest.mark.campaign
def test_a_break_leaves_no_hole_in_the_output(visitor: Visitor, server: ServerProcess) -> None:
    """What a stage says while the connection is broken is there afterwards, each line once."""
    visitor.tolerate(*AWAY)
    id = start(server.client, "chatty", "20000")
    page = visitor.visit(f"{server.url}/executions/{id}", script=SOCKETS + STATES)
    output = page.locator("#output")
    for known in (100, 400, 700):
        expect(output).to_contain_text(f"line {known}\n")
        page.evaluate("states.length = 0; sockets.at(-1).close()")
        eventually(lambda: page.evaluate("states.map(([name]) => name)") == BROKEN_AND_MENDED)
    cancel(server.client, id)
    expect(page.locator("article.execution")).to_have_attribute("data-status", "CANCELLED")
    kept = ask(server.client, KEPT, id=id)["execution"]["stages"][0]["output"]["text"]
    eventually(lambda: output.evaluate("element => element.textContent") == kept)
    assert page.evaluate("sockets.length") == 4


@pytest.mark.campaign
def test_what_started_meanwhile_is_there_after_a_break(
    visitor: Visitor, server: ServerProcess
) -> None:
    """A page that was cut off shows what happened meanwhile, without a reload."""
    visitor.tolerate(*AWAY)
    page = visitor.visit(server.url, script=SOCKETS)
    connection_is(page, "live")
    page.context.set_offline(True)
    page.evaluate("sockets.at(-1).close()")
    # A close that the other side cannot answer is given up by the page's own clock: after 35 s.
    expect(page.locator("#connection")).to_have_attribute("data-state", "stopped", timeout=90_000)
    expect(page.locator("#connection-text")).to_contain_text("trying")
    id = start(server.client, "echo", "meanwhile")
    page.context.set_offline(False)
    page.locator("#connection-retry").dispatch_event("click")
    connection_is(page, "live")
    expect(page.locator(f'.row[data-id="{id}"]')).to_have_attribute("data-status", "COMPLETED")


@pytest.mark.campaign
def test_silence_is_stale_and_then_broken(visitor: Visitor, server: ServerProcess) -> None:
    """A connection that gives no answer is called stale, then given up and made anew."""
    page = visitor.visit(server.url, script=SILENCE)
    connection_is(page, "live")
    page.evaluate("window.silent = true; passTime(11000)")

    def state_after(ms: int) -> str | None:
        page.evaluate("ms => passTime(ms)", ms)
        return page.locator("#connection").get_attribute("data-state")

    eventually(lambda: state_after(200) == "stale")
    expect(page.locator("#connection-text")).to_contain_text("No answer for")
    expect(page.locator("#banner")).to_contain_text("may be old")
    page.evaluate("window.silent = false; passTime(30000)")
    connection_is(page, "live")


def test_a_token_is_asked_for(visitor: Visitor, serve: Callable[..., ServerProcess]) -> None:
    """A server with a token opens to those who know it, and to nobody else."""
    visitor.tolerate("401", "WebSocket connection to")
    server = serve("--token", "open sesame")
    page = visitor.visit(server.url)
    connection_is(page, "locked")
    page.locator("#token").fill("wrong")
    page.locator("#token").press("Enter")
    expect(page.locator("#token-dialog .problem")).to_have_text("That token was not taken.")
    expect(page.locator("#token")).to_have_value("")
    page.locator("#token").fill("open sesame")
    page.locator("#token").press("Enter")
    connection_is(page, "live")
    page.reload()
    connection_is(page, "live")
    expect(page.locator("#token-dialog")).to_have_count(0)
    expect(page.locator("#list-note")).to_contain_text("Nothing has run yet.")
