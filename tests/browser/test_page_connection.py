"""The page says how it is connected, and comes back from every break."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from deadlines import eventually
from playwright.sync_api import Page, expect
from server_process import ServerProcess, serving
from visitor import Visitor, start

# What the browser itself writes on the console while a server is away.
AWAY = ("net::ERR_", "WebSocket connection to")

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


def connection_is(page: Page, state: str) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", state)


def port_of(server: ServerProcess) -> str:
    return str(urlsplit(server.url).port)


def test_live_over_a_websocket(visitor: Visitor, server: ServerProcess) -> None:
    """An open page says that it is live, and over what."""
    page = visitor.visit(server.url)
    connection_is(page, "live")
    expect(page.locator("#connection-text")).to_have_text("Live")
    expect(page.locator("#connection")).to_have_attribute("title", "Over WebSocket")
    expect(page.locator("#banner")).to_be_hidden()


def test_a_restart_during_a_run(visitor: Visitor, tmp_path: Path) -> None:
    """A stopped server is said; when it is back, the page is too, and the run shows its end."""
    visitor.tolerate(*AWAY)
    with serving(tmp_path, "--grace", "1") as server:
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


def test_what_started_meanwhile_is_there_after_a_break(
    visitor: Visitor, server: ServerProcess
) -> None:
    """A page that was cut off shows what happened meanwhile, without a reload."""
    visitor.tolerate(*AWAY)
    page = visitor.visit(
        server.url,
        script=SOCKETS,
    )
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
    expect(page.locator("#token")).to_have_value("")
    page.locator("#token").fill("open sesame")
    page.locator("#token").press("Enter")
    connection_is(page, "live")
    page.reload()
    connection_is(page, "live")
    expect(page.locator("#token-dialog")).to_have_count(0)
    expect(page.locator("#list-note")).to_contain_text("Nothing has run yet.")
