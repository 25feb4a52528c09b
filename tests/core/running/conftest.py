"""What the tests of the stage runners can ask for."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import psutil
import pytest
from runcast.core.running.stages.python import PythonRunner
from runcast.core.running.workers.pool import WorkerPool


@pytest.fixture
def leaves_no_process() -> Iterator[None]:
    """Fails a test after which a process that it started is still there, or is a zombie."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = [each for each in psutil.Process().children(recursive=True) if each not in before]
    for process in left:
        process.kill()
    assert not left, f"these processes were left: {left}"


@pytest.fixture
async def pool(leaves_no_task: None) -> AsyncIterator[WorkerPool]:
    """Keeps one worker warm."""
    async with WorkerPool(max_idle=1) as pool:
        yield pool


@pytest.fixture
def python(pool: WorkerPool) -> PythonRunner:
    return PythonRunner(pool)


@pytest.fixture
async def lags(anyio_backend: object) -> AsyncIterator[list[float]]:
    """By how many seconds the event loop was late, measured every 10 ms while the test runs."""
    measured: list[float] = []

    async def measuring() -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + 0.01
            await asyncio.sleep(0.01)
            measured.append(clock() - due)

    task = asyncio.create_task(measuring())
    yield measured
    task.cancel()
    await asyncio.wait([task])
