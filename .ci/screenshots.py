"""Takes the pictures of the README from a real run: `python .ci/screenshots.py`.

Needs what the browser tests need: the extra `dev`, and a Chromium.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import httpx
from playwright.sync_api import Browser, ViewportSize

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tests" / "support"))

from deadlines import eventually  # noqa: E402
from server_process import ServerProcess, serving  # noqa: E402
from visitor import ask, chromium, start  # noqa: E402

Scheme: TypeAlias = Literal["light", "dark"]
IMAGES = ROOT / "docs" / "images"
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 360, "height": 740}
NIGHTLY = r"""
pipeline: {id: nightly, name: Nightly report, version: 1.2.0}
stages:
  - id: fetch
    name: Fetch the orders
    command: [sh, -c, "for n in 1 2 3 4 5 6; do echo page $n: 500 orders; sleep 0.2; done"]
  - id: check
    name: Check the totals
    command: [sh, -c, "sleep 0.7; echo all 3000 totals agree"]
  - id: summarise
    name: Summarise by region
    command:
      - sh
      - -c
      - for n in $(seq 1 400); do echo "region $n, 12$n orders, 3 refunds"; sleep 0.15; done
  - {id: publish, name: Publish, command: [cat]}
"""
IMPORT = """
pipeline: {id: import, name: Import of the catalogue, version: 0.4.1}
stages:
  - {id: read, name: Read the file, command: [cat]}
  - id: parse
    name: Parse
    command: [sh, -c, "echo 'line 812: a price without a currency' >&2; exit 3"]
  - {id: write, name: Write, command: [cat]}
"""
CANCEL = 'mutation ($id: ID!) { cancelExecution(id: $id, reason: "wrong day") { cancelled } }'
STAGES = "query ($id: ID!) { execution(id: $id) { currentStage stages { output { text } } } }"
LOG = """2026-01-31 02:14:07 INFO index opened
2026-01-31 02:14:09 WARN slow query, 812 ms
2026-01-31 02:15:31 ERROR shard 3 does not answer
2026-01-31 02:15:32 INFO shard 3 is back
"""
PROMPT = "Write a 200 word blog post about tea for beginners, as markdown"


@contextmanager
def served() -> Iterator[ServerProcess]:
    """A server with the shipped pipelines and two more."""
    with tempfile.TemporaryDirectory() as folder:
        pipelines = Path(folder, "pipelines")
        shutil.copytree(ROOT / "examples", pipelines)
        (pipelines / "nightly.yaml").write_text(NIGHTLY)
        (pipelines / "import.yaml").write_text(IMPORT)
        with serving(Path(folder, "server"), "--pipelines", str(pipelines)) as server:
            yield server


def run_until(client: httpx.Client, id: str, words: str) -> None:
    """Returns when a stage of the execution has said these words."""

    def said() -> bool:
        stages = ask(client, STAGES, id=id)["execution"]["stages"]
        return any(words in stage["output"]["text"] for stage in stages)

    eventually(said, 60)


def fill(client: httpx.Client) -> str:
    """A day's work; the id of the one that is looked at closely."""
    start(client, "import", "catalogue of the spring, 4,120 lines", team="shop")
    for subject in ("tea for beginners", "the history of chess", "repairing a bicycle"):
        start(client, "prompt-optimizer", f"Write a 200 word blog post about {subject}", team="web")
    start(client, "log-report", LOG, team="search")
    wrong = start(client, "nightly", "2026-01-30", team="finance")
    run_until(client, wrong, "region 8,")
    ask(client, CANCEL, id=wrong)
    start(client, "nightly", "2026-01-31, with the late orders", team="finance")
    chosen = start(client, "nightly", "2026-01-31", team="finance", run="monthly")
    run_until(client, chosen, "region 40,")
    start(client, "prompt-optimizer", PROMPT, team="web")
    last = start(client, "nightly", "2026-02-01", team="finance")
    run_until(client, last, "page 4")
    return chosen


def take(browser: Browser, name: str, url: str, size: ViewportSize, scheme: Scheme) -> None:
    """A picture of the page as soon as it has what it shows."""
    page = browser.new_page(viewport=size, color_scheme=scheme)
    page.goto(url)
    page.locator("#connection[data-state=live]").wait_for()
    page.locator(".row, #output .block, #pipelines :checked").first.wait_for()
    if name.startswith("start"):
        page.locator("#start-input").fill(PROMPT)
    page.screenshot(path=IMAGES / f"{name}.png")
    page.close()


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with served() as server, chromium() as browser:
        one = f"{server.url}/executions/{fill(server.client)}"
        take(browser, "executions-light", f"{server.url}/", DESKTOP, "light")
        take(browser, "executions-dark", f"{server.url}/", DESKTOP, "dark")
        take(browser, "execution-light", one, DESKTOP, "light")
        take(browser, "execution-phone", one, PHONE, "dark")
        chosen = f"{server.url}/start?pipeline=prompt-optimizer"
        take(browser, "start-dark", chosen, DESKTOP, "dark")


if __name__ == "__main__":
    main()
