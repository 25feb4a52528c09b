"""A whole context without a door, on a scripted engine."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from runcast.core.live.manager import ExecutionManager
from runcast.resolvers.context import Context
from runcast.server.app import create_app
from runcast.server.settings import Settings
from samples import ScriptedEngine
from server_process import PIPELINES


@pytest.fixture
def folder_of_tools(tmp_path: Path) -> Path:
    """All that is on the PATH of the context."""
    folder = tmp_path / "tools"
    folder.mkdir()
    return folder


@pytest.fixture
def engine() -> ScriptedEngine:
    """Says what happens to an execution when the test says it."""
    return ScriptedEngine()


@pytest.fixture
async def context(
    engine: ScriptedEngine, folder_of_tools: Path, tmp_path: Path
) -> AsyncIterator[Context]:
    """What the use cases of a server work with, but for the engine and the environment."""
    app = create_app(Settings(pipelines=PIPELINES, data=tmp_path))
    served: Context = app.state.ctx
    environ = {"PATH": str(folder_of_tools)}
    manager = ExecutionManager(engine, served.clock, retention=60, followers=[served.history])
    async with app.router.lifespan_context(app), manager:
        await served.pipelines.settled()
        yield replace(served, manager=manager, version="1.2.3", environ=environ)
