"""A pipelines folder that does not behave, under a running server and in other programs."""

import subprocess
import sys
import time
from collections.abc import Callable
from os import fsdecode
from pathlib import Path

import httpx
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from pipeline_files import BIG_STAGES, blocking, put, reading_processes
from runcast.server.app import create_app
from runcast.server.settings import Settings
from server_process import ServerProcess, all_gone

Serve = Callable[..., ServerProcess]
IMPATIENT = {
    "runcast.core.pipelines.library:START_SECONDS": 1.0,
    "runcast.core.pipelines.loader:SLOW_SECONDS": 0.3,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pipelines folder with one pipeline in it."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    put(folder, "echo.yaml", "echo")
    return folder


def ids(server: ServerProcess) -> list[str]:
    return [row["id"] for row in server.client.get("/api/pipelines").json()]


def test_a_file_that_blocks_does_not_prevent_the_start(serve: Serve, folder: Path) -> None:
    """Nor does a link to it; the others are there from the start, and the server is ready."""
    blocked = put(folder, "a.yaml", "a")
    (folder / "link.yaml").symlink_to(blocked)
    with blocking(blocked):
        begun = time.monotonic()
        server = serve("--pipelines", str(folder), hurry=IMPATIENT)
        assert time.monotonic() - begun < 30, "the file blocks for 45 s"
        assert "Pipelines  echo  (" in server.said
        assert ids(server) == ["echo"]
        assert server.client.get("/readyz").status_code == 200
    eventually(lambda: ids(server) == ["a", "echo"])


def test_a_change_is_seen(serve: Serve, folder: Path) -> None:
    """Without a restart, and what runs is not touched by it."""
    server = serve("--pipelines", str(folder))
    put(folder, "echo.yaml", "renamed")
    put(folder, "new.yaml", "new")
    eventually(lambda: ids(server) == ["renamed", "new"])
    door = GraphQLDoor(server.client)
    id = door.start("renamed", "hello")
    eventually(lambda: not door.running())
    [row] = door.list()
    assert (row["id"], row["status"]) == (id, "completed")


def test_killed_while_it_reads(serve: Serve, folder: Path) -> None:
    """The process that reads ends with the server: one that blocks, and one that parses."""
    server = serve("--pipelines", str(folder))
    blocked = put(folder, "a.yaml", "a")
    with blocking(blocked) as opened:
        eventually(opened)
        put(folder, "b.yaml", "b", stages=BIG_STAGES)
        readers = eventually(lambda: _two(server))
        server.process.kill()
        server.process.wait(20)
        eventually(lambda: all_gone(readers), seconds=5)


def _two(server: ServerProcess) -> list[object]:
    found = reading_processes(server.process)
    return found if len(found) >= 2 else []


@pytest.mark.parametrize("stages", [1, BIG_STAGES], ids=["blocked", "blocked and parsing"])
def test_stopped_while_it_reads(serve: Serve, folder: Path, stages: int) -> None:
    """It stops as soon as ever, and no process is left."""
    server = serve("--pipelines", str(folder))
    blocked = put(folder, "a.yaml", "a")
    put(folder, "b.yaml", "b", stages=stages)
    with blocking(blocked) as opened:
        eventually(opened)
        readers = reading_processes(server.process)
        assert readers
        asked = time.monotonic()
        server.process.terminate()
        server.process.wait(20)
        assert time.monotonic() - asked < 5
        assert all_gone(readers)
    assert "Traceback" not in server.complained


def test_a_name_that_is_no_text(serve: Serve, folder: Path) -> None:
    """It is listed over REST and GraphQL, and runs."""
    put(folder, fsdecode(b"\xff.yaml"), "strange")
    server = serve("--pipelines", str(folder))
    rows = server.client.get("/api/pipelines").json()
    assert [row["filename"] for row in rows] == ["echo.ts", "\\udcff.ts"]
    door = GraphQLDoor(server.client)
    assert len(door.ask("{ pipelines { id } }")["pipelines"]) == 2
    door.start("strange", "hello")
    eventually(lambda: not door.running())
    assert [row["status"] for row in door.list()] == ["completed"]


async def test_not_ready_before_the_files_are_read(folder: Path, tmp_path: Path) -> None:
    """Then it is, as soon as they are."""
    app = create_app(Settings(pipelines=folder, data=tmp_path / "data"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["problems"] == ["the pipelines are still being read"]
        async with app.state.ctx.pipelines:
            assert (await client.get("/readyz")).status_code == 200


PROGRAM = """\
import asyncio, pathlib, sys
from runcast.core.pipelines.library import PipelineLibrary

print("the program runs")

async def main():
    async with PipelineLibrary(pathlib.Path(sys.argv[1])) as library:
        print([pipeline.id for pipeline in library.all()], library.problems())

asyncio.run(main())
"""


def test_embedded_in_a_program(folder: Path, tmp_path: Path) -> None:
    """The main module of the program is not run again, whatever it does and however it is run."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    # What lies beside it takes the place of no library.
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "pickle.py").write_text("raise SystemExit(1)")
    for how in ([str(program)], ["-P", "-c", PROGRAM]):
        done = subprocess.run(
            [sys.executable, *how, str(folder)],
            cwd=tmp_path / "work",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.stdout, done.stderr) == ("the program runs\n['echo'] ()\n", "")
