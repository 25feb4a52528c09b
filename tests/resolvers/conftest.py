"""A whole context without a door, on a scripted engine."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from runcast.core.live.manager import ExecutionManager
from runcast.core.pipelines.library import PipelineLibrary
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


@pytest.fixture(scope="module")
async def library() -> AsyncIterator[PipelineLibrary]:
    """The test pipelines, which processes have read and checked once for all."""
    async with PipelineLibrary(PIPELINES) as library:
        yield library


@pytest.fixture
async def context(
    engine: ScriptedEngine, library: PipelineLibrary, folder_of_tools: Path, tmp_path: Path
) -> AsyncIterator[Context]:
    """What the use cases of a server work with, but for the engine and the environment."""
    app = create_app(Settings(pipelines=folder_of_tools, data=tmp_path))
    served: Context = app.state.ctx
    environ = {"PATH": str(folder_of_tools)}
    manager = ExecutionManager(engine, served.clock, retention=60, followers=[served.history])
    async with app.router.lifespan_context(app), manager:
        yield replace(served, manager=manager, pipelines=library, version="1.2.3", environ=environ)
