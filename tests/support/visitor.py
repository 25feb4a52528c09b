"""Somebody who opens the live page in a browser, and notes what no page of ours may do."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
from needs import need
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
MISSING = "no chromium: apt-get install chromium"
LONGEST_MS = 30_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of this machine."""
    program = need(next(filter(None, map(shutil.which, NAMES)), None), MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


class Visitor:
    """Opens pages, each in a context of its own. `faults` is what they did wrong."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._hosts: set[str] = set()
        self._tolerated: tuple[str, ...] = ()
        self._seen: list[str] = []

    def visit(self, url: str, *, script: str | None = None, **options: Any) -> Page:
        """A page at that address; `script` runs before its own, `options` are the context's."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(LONGEST_MS)
        self._contexts.append(context)
        self._hosts.add(urlsplit(url).netloc)
        self._watch(context)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.goto(url)
        return page

    def tolerate(self, *texts: str) -> None:
        """A console message that contains one of them is no fault in this test."""
        self._tolerated += texts

    @property
    def faults(self) -> list[str]:
        """Errors and warnings on the console, dialogs, and requests to another host."""
        return [one for one in self._seen if not any(text in one for text in self._tolerated)]

    def leave(self) -> None:
        """Closes every page."""
        for context in self._contexts:
            context.close()

    def _watch(self, context: BrowserContext) -> None:
        context.on("console", self._heard)
        context.on("weberror", lambda error: self._seen.append(f"uncaught: {error.error}"))
        context.on("dialog", lambda dialog: (self._seen.append("a dialog"), dialog.dismiss()))
        context.on("request", lambda request: self._requested(request.url))
        context.on("page", lambda page: page.on("websocket", lambda ws: self._requested(ws.url)))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._seen.append(f"console: {message.text}")

    def _requested(self, url: str) -> None:
        address = urlsplit(url)
        if address.scheme not in ("data", "blob") and address.netloc not in self._hosts:
            self._seen.append(f"request to {url}")


def ask(client: httpx.Client, document: str, **variables: object) -> Any:
    """The data that a server gives for a GraphQL document."""
    body = {"query": document, "variables": variables}
    answer = client.post("/graphql", json=body).raise_for_status().json()
    assert "errors" not in answer, answer
    return answer["data"]


def start(client: httpx.Client, pipeline: str, text: str = "hello", **labels: str) -> str:
    """The id of an execution that has been started."""
    document = (
        "mutation ($pipeline: ID!, $text: String!, $options: StartOptions) "
        "{ startExecution(pipelineId: $pipeline, input: $text, options: $options) "
        "{ execution { id } userErrors { message } } }"
    )
    options = {"labels": [{"key": key, "value": value} for key, value in labels.items()]}
    data = ask(client, document, pipeline=pipeline, text=text, options=options)
    assert not data["startExecution"]["userErrors"], data
    return str(data["startExecution"]["execution"]["id"])


def cancel(client: httpx.Client, id: str, *, force: bool = False) -> None:
    """Asks an execution to stop."""
    document = (
        "mutation ($id: ID!, $force: Boolean!) "
        "{ cancelExecution(id: $id, force: $force) { userErrors { message } } }"
    )
    assert not ask(client, document, id=id, force=force)["cancelExecution"]["userErrors"]
