"""kill -9 at any moment."""

import asyncio
import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from runcast.core.clock import SystemClock
from runcast.core.execution.model import EndReason, Status
from runcast.core.history import FILE_NAME, History

CHILD = Path(__file__).parents[2] / "support" / "history_child.py"
DEADLINE_SECONDS = 30.0
KILLS = 5
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(1, 8))]


async def kill_one(folder: Path, after: float) -> list[str]:
    """What a child said until it was killed, so many seconds after it began to open."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await child.stdout.readline() == b"opening\n"
        asyncio.get_running_loop().call_later(after, child.kill)
        async with asyncio.timeout(DEADLINE_SECONDS):
            said = await child.stdout.read()
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
    # What comes after the last line end was cut off by the kill.
    return said.decode().split("\n")[:-1]


def ask(folder: Path, question: str) -> object:
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        return connection.execute(question).fetchone()[0]


def broken(folder: Path) -> list[Path]:
    return list(folder.glob("*.broken-*"))


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_was_acknowledged_survives(tmp_path: Path, seed: int) -> None:
    """After five kills the file is whole, every start is there, and nothing is open."""
    moments = random.Random(seed)
    lines: list[str] = []
    for _ in range(KILLS):
        lines += await kill_one(tmp_path, moments.uniform(0, 0.6))
        if (tmp_path / FILE_NAME).exists():
            assert ask(tmp_path, "PRAGMA integrity_check") == "ok"
    acknowledged = [line.split() for line in lines]
    assert acknowledged, "not one of five lived long enough to start something"
    async with History(tmp_path, SystemClock()) as history:
        assert history.problem is None
        for word, execution_id, *status in acknowledged:
            kept = await history.get(execution_id)
            assert kept is not None
            assert kept.status.terminal
            if word == "ended":
                assert kept.status == status[0]
            elif kept.status is Status.FAILED:
                assert kept.end_reason is EndReason.SERVER_RESTART
    assert ask(tmp_path, "SELECT count(*) FROM executions WHERE ended_at IS NULL") == 0
    assert not broken(tmp_path)
