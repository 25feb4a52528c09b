"""Starting an execution from the live page."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect
from server_process import ServerProcess
from visitor import Visitor

DROP = """([text, name]) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], name, { type: "text/plain" }));
    const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
    document.getElementById("start-input").dispatchEvent(event);
}"""


def choose(page: Page, pipeline: str) -> None:
    page.locator(f'[data-pipeline="{pipeline}"] input').check()


def test_ctrl_enter_starts_and_opens_the_execution(visitor: Visitor, server: ServerProcess) -> None:
    """Pick a pipeline, type, Ctrl+Enter: the live view of the new execution opens."""
    page = visitor.visit(server.url + "/start")
    choose(page, "several-v1")
    expect(page.locator("#pipeline-stages li")).to_have_count(3)
    page.locator("#start-input").fill("hello")
    page.locator("#start-input").press("Control+Enter")
    expect(page.locator("article.execution")).to_have_attribute("data-status", "COMPLETED")
    expect(page.locator("#input")).to_have_text("hello")
    expect(page.locator("#result")).to_contain_text("HELLO")
    assert "/executions/exec_" in page.url


def test_a_dropped_file_becomes_the_input(visitor: Visitor, server: ServerProcess) -> None:
    """The text of a file that is dropped onto the page is the input."""
    page = visitor.visit(server.url + "/start?pipeline=echo")
    expect(page.locator('[data-pipeline="echo"] input')).to_be_checked()
    page.evaluate(DROP, ["from a file ☕", "note.txt"])
    expect(page.locator("#start-input")).to_have_value("from a file ☕")


def test_a_chosen_file_becomes_the_input(visitor: Visitor, server: ServerProcess) -> None:
    """A file can also be chosen; one beyond the limit is refused in words."""
    page = visitor.visit(server.url + "/start?pipeline=echo")
    file = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"chosen"}
    page.locator("#file").set_input_files([file])
    expect(page.locator("#start-input")).to_have_value("chosen")
    page.locator("#file").set_input_files([file | {"buffer": b"x" * (2**20 + 1)}])
    expect(page.locator("#start-problem")).to_contain_text("larger than 1 MiB")


def test_recent_inputs_are_offered(visitor: Visitor, server: ServerProcess) -> None:
    """What was started before can be taken again, for the same pipeline only."""
    page = visitor.visit(server.url + "/start?pipeline=echo")
    page.locator("#start-input").fill("once more")
    page.locator("#start").click()
    expect(page.locator("article.execution")).to_have_attribute("data-status", "COMPLETED")
    page.keyboard.press("n")
    page.locator(".recent-input", has_text="once more").click()
    expect(page.locator("#start-input")).to_have_value("once more")
    choose(page, "chatty")
    expect(page.locator(".recent-input")).to_have_count(0)


def test_labels_go_along(visitor: Visitor, server: ServerProcess) -> None:
    """Labels that are typed as key=value stand on the execution."""
    page = visitor.visit(server.url + "/start?pipeline=echo")
    page.locator("#start-input").fill("hello")
    page.locator("#labels").fill("team=search, ticket=42")
    page.locator("#start").click()
    expect(page.locator("#facts .label")).to_have_text(["team=search", "ticket=42"])


def test_a_time_limit_goes_along(visitor: Visitor, server: ServerProcess) -> None:
    """A limit that is typed in seconds ends the execution when it is over."""
    page = visitor.visit(server.url + "/start?pipeline=waiting")
    page.locator("#start-input").fill("hello")
    page.locator("#time-limit").fill("1.5")
    page.locator("#start").click()
    expect(page.locator("article.execution")).to_have_attribute("data-status", "FAILED")
    expect(page.locator("#facts")).to_contain_text("Timeout")
    expect(page.locator("#error")).to_contain_text("longer than 1500 ms")


def test_a_limit_that_is_none_starts_nothing(visitor: Visitor, server: ServerProcess) -> None:
    """Neither the button nor Ctrl+Enter starts anything with a time limit that cannot be."""
    posts: list[str] = []
    page = visitor.visit(server.url + "/start?pipeline=echo")
    page.on("request", lambda request: posts.append(request.post_data or ""))
    page.locator("#start-input").fill("hello")
    for limit in ("0", "-1", "2147484"):
        page.locator("#time-limit").fill(limit)
        page.locator("#start").click()
        page.locator("#start-input").press("Control+Enter")
        expect(page.locator("#time-limit")).to_be_focused()
    assert not any("startExecution" in post for post in posts)
    page.locator("#time-limit").fill("")
    page.locator("#start-input").press("Control+Enter")
    expect(page.locator("article.execution")).to_have_attribute("data-status", "COMPLETED")


def test_a_server_without_pipelines_says_so(
    visitor: Visitor, serve: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    """An empty folder of pipelines is told, with what to do about it."""
    (tmp_path / "none").mkdir()
    server = serve("--pipelines", str(tmp_path / "none"))
    page = visitor.visit(server.url + "/start")
    expect(page.locator("#pipelines")).to_contain_text("There is no pipeline")
    expect(page.locator("#start")).to_be_disabled()
