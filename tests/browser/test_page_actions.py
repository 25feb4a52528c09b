"""What a person does with an execution on its page."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from server_process import ServerProcess
from visitor import Visitor, ask, start

TOOK = re.compile(r"^[\d.]+ (ms|s)$")


def status_is(page: Page, status: str) -> None:
    expect(page.locator("article.execution")).to_have_attribute("data-status", status)


def opened(visitor: Visitor, server: ServerProcess, pipeline: str, text: str = "hello") -> Page:
    """The page of an execution that was just started."""
    id = start(server.client, pipeline, text)
    return visitor.visit(f"{server.url}/executions/{id}")


def begun(server: ServerProcess, url: str, stage: str) -> str:
    """When a stage of the execution at that address began."""
    document = "query ($id: ID!) { execution(id: $id) { stages { id startTime } } }"
    stages = ask(server.client, document, id=url.split("/")[-1])["execution"]["stages"]
    return str(next(one["startTime"] for one in stages if one["id"] == stage))


def test_cancel_with_a_reason(visitor: Visitor, server: ServerProcess) -> None:
    """The reason that is given stands with the execution, which ends as cancelled."""
    page = opened(visitor, server, "waiting")
    expect(page.locator("#output")).to_have_text("begun\n")
    page.locator("#cancel").click()
    page.locator("#reason").fill("wrong input")
    page.locator("#cancel-dialog [data-act]").click()
    status_is(page, "CANCELLED")
    expect(page.locator("#facts")).to_contain_text("“wrong input”")
    expect(page.locator("#cancel-dialog")).to_have_count(0)
    expect(page.locator("#cancel")).to_be_hidden()
    expect(page.locator('#timeline li[data-stage="after"]')).not_to_have_attribute(
        "data-status", "COMPLETED"
    )


def test_a_closed_dialog_cancels_nothing(visitor: Visitor, server: ServerProcess) -> None:
    """Who closes the question has not answered it with yes."""
    page = opened(visitor, server, "waiting")
    expect(page.locator("#output")).to_have_text("begun\n")
    page.keyboard.press("c")
    expect(page.locator("#cancel-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#cancel-dialog")).to_have_count(0)
    page.reload()
    status_is(page, "RUNNING")


def test_force_ends_a_stage_that_will_not(
    visitor: Visitor, serve: Callable[..., ServerProcess]
) -> None:
    """While a stage uses its grace period it can be stopped at once."""
    page = opened(visitor, serve("--grace", "60"), "stubborn")
    expect(page.locator("#output")).to_have_text("begun\n")
    page.locator("#cancel").click()
    page.locator("#cancel-dialog [data-act]").click()
    status_is(page, "CANCELLING")
    page.locator("#force").click()
    page.locator("#force-dialog [data-act]").click()
    status_is(page, "CANCELLED")
    expect(page.locator("#facts")).to_contain_text("forced")


def test_retry_from_a_stage_takes_over_what_was_before(
    visitor: Visitor, server: ServerProcess
) -> None:
    """The stage that failed is offered; those before it are not run again, and say so."""
    page = opened(visitor, server, "failing")
    status_is(page, "FAILED")
    expect(page.locator("#error")).to_contain_text("cannot make sense of hello")
    old = page.url
    page.locator("#retry").click()
    expect(page.locator("#from-stage")).to_have_value("break")
    page.locator("#retry-dialog [data-act]").click()
    expect(page).not_to_have_url(old)
    status_is(page, "FAILED")
    link = page.locator("#facts a", has_text="exec_")
    expect(link).to_have_attribute("href", urlsplit(old).path)
    assert begun(server, page.url, "read") == begun(server, old, "read")
    assert begun(server, page.url, "break") > begun(server, old, "break")
    taken, ran = (page.locator(f'#timeline li[data-stage="{id}"]') for id in ("read", "break"))
    expect(taken).to_have_attribute("data-status", "COMPLETED")
    expect(taken.locator(".time")).to_have_text("taken over")
    expect(taken.locator(".bar")).to_be_hidden()
    expect(ran.locator(".time")).to_have_text(TOOK)
    expect(ran.locator(".bar")).to_be_visible()


def test_retry_as_a_whole(visitor: Visitor, server: ServerProcess) -> None:
    """A completed execution runs again from its first stage, with the same input."""
    page = opened(visitor, server, "several-v1", "again")
    status_is(page, "COMPLETED")
    old = page.url
    page.locator("#retry").click()
    expect(page.locator("#from-stage")).to_have_value("")
    page.locator("#retry-dialog [data-act]").click()
    expect(page).not_to_have_url(old)
    status_is(page, "COMPLETED")
    expect(page.locator("#input")).to_have_text("again")
    expect(page.locator('#timeline li[data-status="COMPLETED"]')).to_have_count(3)
    expect(page.locator("#timeline .time")).to_have_text([TOOK] * 3)


@pytest.mark.parametrize(
    ("format", "word"), [("curl", "curl "), ("GraphQL", "mutation"), ("Python", "import ")]
)
def test_copy_as_code(visitor: Visitor, server: ServerProcess, format: str, word: str) -> None:
    """The same start can be taken elsewhere as a command, a document or a script."""
    page = opened(visitor, server, "echo", 'it\'s "quoted"')
    status_is(page, "COMPLETED")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#copy-as").click()
    page.locator("#snippet-format").select_option(format)
    expect(page.locator("#snippet")).to_contain_text(word)
    page.locator("#snippet-copy").click()
    expect(page.locator("#snippet-copy")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#snippet").text_content()


def test_an_unknown_execution_is_told(visitor: Visitor, server: ServerProcess) -> None:
    """An address with an id that nobody knows says so, and leads on."""
    page = visitor.visit(server.url + "/executions/exec_of_nobody")
    expect(page.locator("#execution-note")).to_contain_text("There is no execution of this id.")
    page.locator("#execution-note a").click()
    expect(page.locator("#executions, #list-note").first).to_be_attached()
