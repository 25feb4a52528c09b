"""The page for those without a mouse, without eyes, at night, and on a phone."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from server_process import ServerProcess
from visitor import Visitor, cancel, start

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def places(server: ServerProcess) -> dict[str, str]:
    """The addresses of the views, with something in each of them."""
    start(server.client, "failing", "a long input " * 30, team="search", ticket="42")
    start(server.client, "several-v1", "word" * 300)
    running = start(server.client, "waiting", "one that runs")
    cancel(server.client, start(server.client, "waiting", "one that is cancelled"))
    return {"list": "/", "detail": f"/executions/{running}", "start": "/start"}


def loaded(page: Page) -> None:
    """Returns when the view has what it shows."""
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator(".row, #output .block, #pipelines input:checked").first).to_be_attached()


def grave(page: Page) -> list[str]:
    """What axe-core finds serious or critical, and on which elements."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("view", ["list", "detail", "start"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_grave(
    visitor: Visitor,
    server: ServerProcess,
    places: dict[str, str],
    view: str,
    size: dict[str, int],
) -> None:
    """Contrast, names, roles and structure are sound; on a phone nothing scrolls sideways."""
    url = server.url + places[view]
    page = visitor.visit(url, color_scheme="light", viewport=size, bypass_csp=True)
    loaded(page)
    assert grave(page) == []
    page.emulate_media(color_scheme="dark")
    assert grave(page) == []
    assert page.evaluate(SIDEWAYS) <= 0


@pytest.mark.parametrize("key", ["?", "c"])
def test_axe_finds_nothing_grave_in_dialogs(
    visitor: Visitor, server: ServerProcess, places: dict[str, str], key: str
) -> None:
    """The dialogs are as accessible as the page beneath them."""
    page = visitor.visit(server.url + places["detail"], bypass_csp=True)
    loaded(page)
    page.keyboard.press(key)
    expect(page.locator("dialog")).to_be_visible()
    assert grave(page) == []


def focused(page: Page) -> str | None:
    row: str | None = page.evaluate("document.activeElement.closest('.row')?.dataset.id ?? null")
    return row


def test_the_list_by_keyboard(
    visitor: Visitor, server: ServerProcess, places: dict[str, str]
) -> None:
    """j and k move, Enter opens, / searches, Escape leaves the field, ? explains."""
    page = visitor.visit(server.url)
    loaded(page)
    page.keyboard.press("j")
    first = focused(page)
    page.keyboard.press("j")
    second = focused(page)
    assert first and second and first != second
    page.keyboard.press("k")
    assert focused(page) == first
    page.keyboard.press("Enter")
    expect(page.locator("article.execution")).to_have_attribute("data-id", first)
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("njk?")
    expect(page.locator("#search")).to_have_value("njk?")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).not_to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#help-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help-dialog")).to_have_count(0)
    page.keyboard.press("n")
    expect(page.locator("#start-input")).to_be_focused()


def test_stages_by_keyboard(
    visitor: Visitor, server: ServerProcess, places: dict[str, str]
) -> None:
    """On an execution j and k choose the stage whose output is shown."""
    page = visitor.visit(server.url + places["detail"])
    loaded(page)
    page.keyboard.press("j")
    chosen = page.locator('#timeline li[data-stage="after"] button')
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#output-empty")).to_be_visible()
    page.keyboard.press("k")
    expect(chosen).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#output")).to_have_text("begun")


def test_motion_is_reduced_on_demand(visitor: Visitor, server: ServerProcess) -> None:
    """Who asks for less motion sees nothing that goes on moving."""
    id = start(server.client, "waiting")
    page = visitor.visit(f"{server.url}/executions/{id}", reduced_motion="reduce")
    loaded(page)
    endless = "document.getAnimations().filter(one => one.effect.getTiming().iterations > 1).length"
    assert page.evaluate(endless) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(endless) > 0


def test_a_short_text_takes_little_room(visitor: Visitor, server: ServerProcess) -> None:
    """What lies below the screen is as high as it is, so that nothing jumps when it comes."""
    id = start(server.client, "several-v1", "short")
    page = visitor.visit(f"{server.url}/executions/{id}", viewport={"width": 360, "height": 400})
    expect(page.locator("#result")).to_contain_text("SHORT")
    for panel in ("#result", "#input"):
        assert page.locator(panel).evaluate("element => element.offsetHeight") < 100
