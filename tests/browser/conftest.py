"""What the tests of the live page can ask for."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect
from server_process import ServerProcess
from visitor import LONGEST_MS, Visitor, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one file: while it is there its event loop is in the way of async tests."""
    expect.set_options(timeout=LONGEST_MS)
    with chromium() as browser:
        yield browser


@pytest.fixture
def visitor(browser: Browser, serve: Callable[..., ServerProcess]) -> Iterator[Visitor]:
    """Opens pages; the test fails in the end if one of them did what no page of ours may do.

    It needs `serve` only to be gone before a test's own servers are, which pages would miss.
    """
    visitor = Visitor(browser)
    yield visitor
    visitor.leave()
    assert visitor.faults == []


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Takes what was measured: into the JUnit file, and to stdout, which `-rP` shows."""

    def take(name: str, value: object) -> None:
        request.node.user_properties.append((name, value))
        print(f"{name}: {value}")  # noqa: T201

    return take
