"""Whatever others write is text on the page, and the page talks to its own server only."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from server_process import ServerProcess
from visitor import Visitor, start

PAYLOAD = " ".join(
    (
        "<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        '"><svg onload=alert(1)><a href="javascript:alert(1)">x</a>',
        "</textarea></pre></title><iframe srcdoc='<script>alert(1)</script>'></iframe>",
    )
)
PIPELINES = """
pipeline: {{id: hostile, name: {name}, version: 1.0.0, description: {name}}}
stages:
  - {{id: says, name: {name}, description: {name}, command: [cat]}}
  - {{id: breaks, name: {name}, call: "hostile_acts:breaks"}}
"""
ACTS = """
async def breaks(text):
    raise ValueError(text)
"""
INJECTED = "img, iframe, object, embed, [onload], [onerror], [href^='javascript:'], body script"


@pytest.fixture
def hostile(serve: Callable[..., ServerProcess], tmp_path: Path) -> ServerProcess:
    """A server whose only pipeline has the markup in every name, and fails with its input."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "hostile.yaml").write_text(PIPELINES.format(name=json.dumps(PAYLOAD)))
    (folder / "hostile_acts.py").write_text(ACTS)
    return serve("--pipelines", str(folder), "--debug")


def nothing_is_injected(page: Page) -> None:
    assert page.locator(INJECTED).count() == 0
    assert page.locator("script").count() == 1


def test_markup_stays_text(visitor: Visitor, hostile: ServerProcess) -> None:
    """Input, output, error, label and the names of pipeline and stage are shown as they are."""
    id = start(hostile.client, "hostile", PAYLOAD, kind=PAYLOAD)
    page = visitor.visit(f"{hostile.url}/executions/{id}")
    expect(page.locator("article.execution")).to_have_attribute("data-status", "FAILED")
    expect(page.locator("#name")).to_have_text(PAYLOAD)
    expect(page.locator("#input")).to_have_text(PAYLOAD)
    expect(page.locator("#error")).to_contain_text(PAYLOAD)
    expect(page.locator("#facts .label")).to_have_text(f"kind={PAYLOAD}")
    page.locator('#timeline li[data-stage="says"] button').click()
    expect(page.locator("#output")).to_have_text(PAYLOAD)
    expect(page.locator("#output-title")).to_have_text(f"Output of {PAYLOAD}")
    page.locator("#copy-as").click()
    expect(page.locator("#snippet")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#retry").click()
    expect(page.locator("#from-stage option").last).to_have_text(f"From {PAYLOAD}")
    nothing_is_injected(page)


def test_markup_stays_text_in_the_list_and_at_the_start(
    visitor: Visitor, hostile: ServerProcess
) -> None:
    """So it is in the list, in its filters, in the tab's title, and where one starts."""
    start(hostile.client, "hostile", PAYLOAD, kind=PAYLOAD)
    page = visitor.visit(hostile.url)
    expect(page.locator(".row .name")).to_have_text(PAYLOAD)
    expect(page.locator(".row .preview")).to_contain_text(PAYLOAD[:80])
    expect(page.locator(".row .label")).to_have_text(f"kind={PAYLOAD}")
    expect(page.locator("#filter-pipeline option").last).to_have_text(PAYLOAD)
    page.locator("#search").fill(PAYLOAD)
    expect(page.locator(".row .name")).to_have_text(PAYLOAD)
    nothing_is_injected(page)
    page.locator(".row .name").click()
    expect(page.locator("#name")).to_have_text(PAYLOAD)
    nothing_is_injected(page)
    page.goto(hostile.url + "/start")
    expect(page.locator(".pipeline-name")).to_have_text(PAYLOAD)
    expect(page.locator(".pipeline .description")).to_have_text(PAYLOAD)
    expect(page.locator("#pipeline-stages li").first).to_contain_text(PAYLOAD)
    nothing_is_injected(page)


@pytest.mark.parametrize("path", ["/", "/start", "/executions/exec_1"])
def test_each_page_is_under_a_strict_policy(server: ServerProcess, path: str) -> None:
    """No inline script or style, nothing from elsewhere, and in nobody's frame."""
    answer = server.client.get(path)
    policy = answer.headers["content-security-policy"]
    directives = dict(one.strip().split(" ", 1) for one in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["connect-src"] == "'self'"
    assert directives["frame-ancestors"] == directives["base-uri"] == "'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_policy_holds_in_the_browser(visitor: Visitor, server: ServerProcess) -> None:
    """Even a script that got into the page would not run."""
    visitor.tolerate("Content Security Policy")
    page = visitor.visit(server.url)
    ran = page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.body.append(script);
        return window.ran ?? false;
    }""")
    assert ran is False
