"""How much the page weighs, how soon it is there, and what a busy list costs it."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from deadlines import eventually
from playwright.sync_api import Page, expect
from server_process import ServerProcess
from visitor import Visitor, cancel, start

DASHBOARD = Path(__file__).parents[2] / "server" / "dashboard"
LOUD = """
pipeline: {id: loud, name: Loud, version: 1.0.0}
stages:
  - id: talk
    maxOutputBytes: 16777216
    command: [sh, -c, "yes one line of many | head -c 10000000"]
"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"

WATCH_FRAMES = """() => {
    window.longestGap = 0;
    let last = performance.now();
    const frame = now => {
        window.longestGap = Math.max(window.longestGap, now - last);
        last = now;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""


def test_all_files_together_are_small() -> None:
    """The page is under 100 KiB, uncompressed."""
    assert sum(file.stat().st_size for file in DASHBOARD.iterdir()) < 100 << 10


def test_first_paint(
    visitor: Visitor, server: ServerProcess, measured: Callable[[str, object], None]
) -> None:
    """The page paints at once; how soon is recorded, for a busy machine is no measure."""
    page = visitor.visit(server.url)
    paint = eventually(lambda: page.evaluate(PAINT))
    measured("first_paint_ms", round(paint))
    assert paint < 3000


def metrics_of(page: Page) -> Callable[[], dict[str, float]]:
    """What reads the browser's own measures of the page; times in seconds."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def read() -> dict[str, float]:
        listed = session.send("Performance.getMetrics")["metrics"]
        return {one["name"]: one["value"] for one in listed}

    return read


@pytest.fixture(params=[300, pytest.param(1000, marks=pytest.mark.campaign)])
def full(
    serve: Callable[..., ServerProcess], request: pytest.FixtureRequest
) -> tuple[ServerProcess, list[str]]:
    """A server on which so many executions run."""
    server = serve("--max-concurrent", str(request.param), "--grace", "1")
    with ThreadPoolExecutor(4) as threads:
        ids = list(threads.map(lambda _: start(server.client, "waiting"), range(request.param)))
    return server, ids


@pytest.mark.campaign
def test_a_busy_list_leaves_the_main_thread_free(
    visitor: Visitor,
    full: tuple[ServerProcess, list[str]],
    measured: Callable[[str, object], None],
) -> None:
    """Hundreds of rows of which a hundred a second change: the thread's share is recorded."""
    server, ids = full
    half = len(ids) // 2
    page = visitor.visit(server.url)
    running = page.locator('.chip[data-status="RUNNING"] .count')
    expect(running).to_have_text(f"{len(ids):,}")
    metrics = metrics_of(page)
    before = metrics()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda id: cancel(server.client, id), ids[-half:]))
    expect(page.locator('.chip[data-status="CANCELLED"] .count')).to_have_text(str(half))
    after = metrics()
    seconds = after["Timestamp"] - before["Timestamp"]
    share = (after["TaskDuration"] - before["TaskDuration"]) / seconds
    measured("changes_per_second", round(2 * half / seconds))
    measured("main_thread_share", round(share, 3))
    assert share < 1


@pytest.mark.campaign
def test_ten_megabytes_of_output_freeze_nothing(
    visitor: Visitor,
    serve: Callable[..., ServerProcess],
    tmp_path: Path,
    measured: Callable[[str, object], None],
) -> None:
    """10 MB come in whole while the page goes on painting; the longest gap is recorded."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "loud.yaml").write_text(LOUD)
    server = serve("--pipelines", str(tmp_path / "pipelines"))
    page = visitor.visit(server.url)
    page.evaluate(WATCH_FRAMES)
    id = start(server.client, "loud")
    page.locator(f'.row[data-id="{id}"] .name').click()
    expect(page.locator("article.execution")).to_have_attribute("data-status", "COMPLETED")
    expect(page.locator("#output-size")).to_have_text(
        re.compile(r"^(9,999,999|10,000,000) characters$")
    )
    gap = page.evaluate("window.longestGap")
    measured("longest_frame_gap_ms", round(gap))
    assert gap < 5000
