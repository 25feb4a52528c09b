"""kill -9 at any moment."""

import asyncio
import random
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from history_database import HistoryDatabase
from postgres_server import PostgresServer
from runcast.core.clock import SystemClock
from runcast.core.execution.model import EndReason, Status
from runcast.core.history import FILE_NAME

CHILD = Path(__file__).parents[2] / "support" / "history_child.py"
DEADLINE_SECONDS = 30.0
KILLS = 5
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(1, 8))]


async def kill_one(database: HistoryDatabase, after: float) -> list[str]:
    """What a child said until it was killed, so many seconds after it began to open."""
    arguments = [str(database.folder), *([] if database.url is None else [database.url])]
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), *arguments, stdout=asyncio.subprocess.PIPE
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

    def check_whole() -> None:
        if (tmp_path / FILE_NAME).exists():
            assert ask(tmp_path, "PRAGMA integrity_check") == "ok"

    await check_survival(HistoryDatabase(tmp_path), seed, check_whole)
    assert ask(tmp_path, "SELECT count(*) FROM executions WHERE ended_at IS NULL") == 0
    assert not broken(tmp_path)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(4))
async def test_what_was_acknowledged_survives_in_postgresql(
    tmp_path: Path, postgres: PostgresServer, seed: int
) -> None:
    """What a killed server had begun to write is not there, or all of it."""
    url = postgres.new_schema()
    await check_survival(HistoryDatabase(tmp_path, url), seed)
    with psycopg.connect(url) as connection:
        open_ones = "SELECT count(*) FROM executions WHERE ended_at IS NULL"
        assert connection.execute(open_ones).fetchone() == (0,)


async def check_survival(
    database: HistoryDatabase, seed: int, after_kill: Callable[[], None] = lambda: None
) -> None:
    moments = random.Random(seed)
    lines: list[str] = []
    for _ in range(KILLS):
        lines += await kill_one(database, moments.uniform(0, 0.6))
        after_kill()
    acknowledged = [line.split() for line in lines]
    assert acknowledged, "not one of five lived long enough to start something"
    async with database.history(SystemClock()) as history:
        assert history.problem is None
        for word, execution_id, *status in acknowledged:
            kept = await history.get(execution_id)
            assert kept is not None
            assert kept.status.terminal
            if word == "ended":
                assert kept.status == status[0]
            elif kept.status is Status.FAILED:
                assert kept.end_reason is EndReason.SERVER_RESTART
