"""What every test can ask for."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from server_process import ServerProcess, serving

if TYPE_CHECKING:
    from postgres_server import PostgresServer

# How long an example takes says nothing on a machine that does other things, too.
settings.register_profile("runcast", settings.default, deadline=None)
settings.load_profile("runcast")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each thing that this machine lacks, however many tests needed it."""
    skipped = terminalreporter.getreports("skipped")
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, number in reasons.items():
        terminalreporter.write_line(f"{number} skipped: {reason}", yellow=True)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, which is what the server runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator["PostgresServer"]:
    """One PostgreSQL server for each worker of the test run; tests have databases of their own."""
    from postgres_server import postgres_server

    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for each worker of the test run, for tests that need no flags of their own."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, "--max-concurrent", "300", "--grace", "1") as server:
        yield server


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts a server with a test's own flags, deadlines and variables; it ends with the test."""
    with ExitStack() as stack:

        def start(
            *flags: str,
            hurry: Mapping[str, float] | None = None,
            within: Sequence[str] = (),
            **environ: str,
        ) -> ServerProcess:
            folder = tmp_path / f"server-{len(list(tmp_path.iterdir()))}"
            server = stack.enter_context(
                serving(folder, *flags, hurry=hurry, within=within, **environ)
            )
            stack.callback(server.end, soon=True)
            return server

        yield start
