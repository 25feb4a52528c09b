"""A restart: the server that begins waits for the one that still ends."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from server_process import PIPELINES, ServerProcess, runcast

SAID = "runcast: waiting for another runcast that still uses"
ENDS = "{ executionsConnection(includeHistory: true) { nodes { status endReason } } }"


@pytest.fixture
def first(serve: Callable[..., ServerProcess]) -> ServerProcess:
    """A server on which something runs that does not end by itself."""
    server = serve("--grace", "1", hurry={"runcast.server.serve:SHUTDOWN_GRACE_SECONDS": 0.5})
    door = GraphQLDoor(server.client)
    door.start("stubborn")
    eventually(lambda: door.running()[0]["currentStage"])
    return server


@pytest.fixture
def second(first: ServerProcess, tmp_path: Path) -> Iterator[ServerProcess]:
    """The next one, with the same port and the same data, that waits for it."""
    places = ["--data", str(first.data), "--port", str(first.client.base_url.port)]
    server = ServerProcess(tmp_path, [*places, "--pipelines", str(PIPELINES)], {})
    try:
        eventually(lambda: SAID in server.complained)
        yield server
    finally:
        server.end()


def check_takes_over(second: ServerProcess, first: ServerProcess, reason: str) -> None:
    """Only one had the data at a time: the second would have ended what ran in the first."""
    assert not first.process.is_running() or first.process.status() == psutil.STATUS_ZOMBIE
    assert second.url == first.url
    ends = GraphQLDoor(second.client).ask(ENDS)["executionsConnection"]["nodes"]
    assert ends == [{"status": "FAILED", "endReason": reason}]
    assert "Traceback" not in first.complained + second.complained


@pytest.mark.parametrize(
    ("number", "reason"),
    [(signal.SIGTERM, "SERVER_SHUTDOWN"), (signal.SIGKILL, "SERVER_RESTART")],
    ids=["SIGTERM", "SIGKILL"],
)
def test_it_waits_for_the_one_before(
    first: ServerProcess, second: ServerProcess, number: signal.Signals, reason: str
) -> None:
    """However that ends; the wait is said once."""
    assert second.said == ""
    first.process.send_signal(number)
    second.wait_until_ready()
    assert second.complained.count(SAID) == 1
    check_takes_over(second, first, reason)


@pytest.mark.campaign
def test_both_at_the_same_time(first: ServerProcess, serve: Callable[..., ServerProcess]) -> None:
    """One is told to stop while the next one is started, as a supervisor does it."""
    first.process.terminate()
    second = serve("--data", str(first.data), "--port", str(first.client.base_url.port))
    check_takes_over(second, first, "SERVER_SHUTDOWN")


def test_one_that_never_ends(server: ServerProcess) -> None:
    """The wait is said once, has an end, and the refusal says what to do."""
    flags = ("--data", str(server.data), "--port", "0")
    refusal = runcast("serve", *flags, hurry={"runcast.server.serve:DATA_WAIT_SECONDS": 0.3})
    assert (refusal.returncode, refusal.stdout) == (1, "")
    waits, fails = refusal.stderr.splitlines()
    assert waits == f"{SAID} {server.data}"
    assert fails == (
        f"runcast: another runcast uses {server.data}; give this one a --data folder of its own"
    )
    assert server.client.get("/readyz").status_code == 200


@pytest.fixture
def waiting(server: ServerProcess, tmp_path: Path) -> Iterator[ServerProcess]:
    """A second server, which waits for the first one."""
    second = ServerProcess(tmp_path, ["--data", str(server.data), "--port", "0"], {})
    try:
        eventually(lambda: SAID in second.complained)
        yield second
    finally:
        second.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_told_to_stop_while_it_waits(waiting: ServerProcess, number: signal.Signals) -> None:
    """It does not wait for its turn first."""
    waiting.process.send_signal(number)
    assert waiting.process.wait(5) in (0, -number)
    assert "Traceback" not in waiting.complained
    assert waiting.said == ""
