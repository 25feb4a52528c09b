"""Whoever keeps an eye on the groups of a process, until that is gone."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from deadlines import eventually
from patience import until
from runcast.core.running.keeper import Keeper

pytestmark = pytest.mark.usefixtures("leaves_no_task")
OWNER = """
import asyncio, os, subprocess, sys
from runcast.core.running.keeper import Keeper

async def main():
    async with Keeper() as keeper:
        for number in range(3):
            child = subprocess.Popen(["sleep", "600"], start_new_session=True)
            if number < 2:
                keeper.add(child.pid)
            if number == 1:
                keeper.remove(child.pid)
            print(child.pid, flush=True)
        marked = {**os.environ, **keeper.mark}
        child = subprocess.Popen(["sleep", "600"], start_new_session=True, env=marked)
        print(child.pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def sleepers() -> Iterator[list[psutil.Process]]:
    """Ends what a test leaves."""
    found: list[psutil.Process] = []
    yield found
    for process in found:
        if process.is_running():
            process.kill()


def test_what_was_added_and_what_is_marked_ends(sleepers: list[psutil.Process]) -> None:
    """What was removed, and what was never added, goes on."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    sleepers += [psutil.Process(int(owner.stdout.readline())) for _ in range(4)]
    added, removed, stranger, marked = sleepers
    keeper = next(child for child in psutil.Process(owner.pid).children() if child not in sleepers)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    eventually(lambda: not keeper.is_running())
    assert not added.is_running() and not marked.is_running()
    assert removed.is_running() and stranger.is_running()


async def test_it_ends_with_its_owner() -> None:
    """Whoever leaves the block waits for it."""
    before = psutil.Process().children()
    async with Keeper():
        [keeper] = [one for one in psutil.Process().children() if one not in before]
    assert not keeper.is_running()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
async def test_it_is_not_told_to_end_before(number: signal.Signals) -> None:
    """A signal to everything that runs is not for it: what it keeps may need it yet."""
    before = psutil.Process().children()
    async with Keeper() as keeper:
        [process] = [one for one in psutil.Process().children() if one not in before]
        await until(lambda: _ignores(process, number))
        process.send_signal(number)
        keeper.add(2**22)
        assert process.is_running()


async def test_one_that_is_killed_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    """Also while nothing is added or removed."""
    before = psutil.Process().children()
    async with Keeper():
        [first] = [one for one in psutil.Process().children() if one not in before]
        first.kill()
        await until(
            lambda: [one for one in psutil.Process().children() if one not in [*before, first]]
        )
    assert "is replaced" in caplog.text


def _ignores(process: psutil.Process, number: signal.Signals) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    [ignored] = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")]
    return bool(int(ignored, 16) >> (number - 1) & 1)
