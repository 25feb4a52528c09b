"""The live list: its filters, its counts and its history."""

import re
from collections.abc import Callable

import pytest
from deadlines import eventually
from playwright.sync_api import Locator, Page, expect
from server_process import ServerProcess
from visitor import Visitor, ask, cancel, start

FACTS = "query ($id: ID!) { execution(id: $id) { status } }"


def row(page: Page, id: str) -> Locator:
    return page.locator(f'.row[data-id="{id}"]')


def ended(server: ServerProcess, id: str) -> str:
    """Returns when the execution has ended."""
    final = ("COMPLETED", "FAILED", "CANCELLED")
    return eventually(
        lambda: (
            (status := ask(server.client, FACTS, id=id)["execution"]["status"]) in final and status
        )
    )


@pytest.fixture
def mixed(serve: Callable[..., ServerProcess]) -> tuple[ServerProcess, dict[str, str]]:
    """A server with an execution that runs, one that completed, and one that failed."""
    server = serve()
    ids = {
        "RUNNING": start(server.client, "waiting", "one", team="search"),
        "COMPLETED": start(server.client, "echo", "two", team="search"),
        "FAILED": start(server.client, "failing", "three", team="mail"),
    }
    assert ended(server, ids["COMPLETED"]) == "COMPLETED"
    assert ended(server, ids["FAILED"]) == "FAILED"
    return server, ids


def test_a_start_elsewhere_comes_up_by_itself(visitor: Visitor, server: ServerProcess) -> None:
    """What another client starts and cancels is in the list without a reload."""
    page = visitor.visit(server.url)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    id = start(server.client, "waiting", "comes by itself")
    expect(row(page, id)).to_have_attribute("data-status", "RUNNING")
    expect(row(page, id)).to_contain_text("comes by itself")
    cancel(server.client, id)
    expect(row(page, id)).to_have_attribute("data-status", "CANCELLED")


def test_one_execution_is_counted_as_one(
    visitor: Visitor, serve: Callable[..., ServerProcess]
) -> None:
    """Neither executions nor stages are many when there is one."""
    server = serve()
    start(server.client, "echo")
    page = visitor.visit(server.url)
    expect(page.locator("#list-note")).to_have_text("1 execution, nothing older.")
    page.goto(server.url + "/start")
    expect(page.locator('[data-pipeline="echo"]')).to_contain_text("· 1 stage")
    expect(page.locator('[data-pipeline="several-v1"]')).to_contain_text("· 3 stages")


def test_an_empty_list_says_what_to_do(
    visitor: Visitor, serve: Callable[..., ServerProcess]
) -> None:
    """A server on which nothing ran offers to start something."""
    page = visitor.visit(serve().url)
    expect(page.locator("#list-note")).to_contain_text("Nothing has run yet.")
    page.locator("#list-note a").click()
    expect(page.locator("#start")).to_be_visible()


def test_filters_are_kept_in_the_address(
    visitor: Visitor, mixed: tuple[ServerProcess, dict[str, str]]
) -> None:
    """Status, pipeline, label and text narrow the list, and survive reload and going back."""
    server, ids = mixed
    page = visitor.visit(server.url)
    expect(page.locator(".row")).to_have_count(3)
    page.locator('.chip[data-status="FAILED"]').click()
    expect(page.locator(".row")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?status=FAILED$"))
    page.reload()
    expect(page.locator('.chip[data-status="FAILED"]')).to_have_attribute("aria-pressed", "true")
    row(page, ids["FAILED"]).locator(".name").click()
    expect(page.locator("article.execution")).to_have_attribute("data-status", "FAILED")
    page.go_back()
    expect(page).to_have_url(re.compile(r"\?status=FAILED$"))
    expect(page.locator(".row")).to_have_count(1)
    page.go_forward()
    expect(page.locator("#error")).to_contain_text("cannot make sense of three")


def test_each_filter_finds_its_own(
    visitor: Visitor, mixed: tuple[ServerProcess, dict[str, str]]
) -> None:
    """An address with filters shows what fits them, in the list and in the form."""
    server, ids = mixed
    page = visitor.visit(server.url + "/?label=team%3Dsearch&pipeline=echo&text=two")
    expect(page.locator(".row")).to_have_count(1)
    expect(row(page, ids["COMPLETED"])).to_be_visible()
    expect(page.locator("#filter-labels")).to_have_value("team=search")
    expect(page.locator("#filter-pipeline")).to_have_value("echo")
    page.locator("#search").fill("nothing like it")
    page.locator("#clear").click()
    expect(page.locator(".row")).to_have_count(3)
    page.locator("#filter-labels").fill("team=search")
    expect(page.locator(".row")).to_have_count(2)
    page.locator("#filter-pipeline").select_option("waiting")
    expect(page.locator(".row")).to_have_count(1)


def test_counts_by_status_follow(
    visitor: Visitor, mixed: tuple[ServerProcess, dict[str, str]]
) -> None:
    """The number on each status is that of the executions in it, and changes with them."""
    server, ids = mixed
    page = visitor.visit(server.url)

    def counted(status: str) -> Locator:
        return page.locator(f'.chip[data-status="{status}"] .count')

    expect(counted("RUNNING")).to_have_text("1")
    expect(counted("COMPLETED")).to_have_text("1")
    cancel(server.client, ids["RUNNING"])
    expect(counted("CANCELLED")).to_have_text("1")
    expect(counted("RUNNING")).to_have_text("0")
    expect(counted("FAILED")).to_have_text("1")


def test_history_stays_in_the_list(visitor: Visitor, serve: Callable[..., ServerProcess]) -> None:
    """What has left the active list, before or while one looks, is still there and counted."""
    server = serve("--retention", "0.4")
    before = start(server.client, "echo", "before")
    held = "{ executions { id } }"
    eventually(lambda: ended(server, before) and not ask(server.client, held)["executions"])
    page = visitor.visit(server.url)
    expect(row(page, before)).to_have_attribute("data-status", "COMPLETED")
    meanwhile = start(server.client, "echo", "meanwhile")
    expect(row(page, meanwhile)).to_have_attribute("data-status", "COMPLETED")
    eventually(lambda: not ask(server.client, held)["executions"])
    expect(page.locator('.chip[data-status="COMPLETED"] .count')).to_have_text("2")
    expect(page.locator(".row")).to_have_count(2)
    row(page, before).locator(".name").click()
    expect(page.locator("#result")).to_have_text("before")


def test_history_comes_page_by_page(visitor: Visitor, serve: Callable[..., ServerProcess]) -> None:
    """Whoever scrolls to the end of 210 executions gets every one of them once."""
    server = serve("--max-concurrent", "300")
    ids = [start(server.client, "chatty", "1") for _ in range(210)]
    page = visitor.visit(server.url)
    expect(page.locator(f'.row[data-id="{ids[-1]}"]')).to_be_visible()
    seen: set[str] = set()

    def reached_the_end() -> bool:
        page.mouse.wheel(0, 600)
        seen.update(page.evaluate("[...document.querySelectorAll('.row')].map(r => r.dataset.id)"))
        return seen == set(ids)

    eventually(reached_the_end)
    expect(page.locator("#list-note")).to_contain_text("210 executions, nothing older.")
