"""Whether a server says that it lives, what is wrong with it, and that it takes no more work."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import DEADLINE_SECONDS, until
from runcast.core.history import FILE_NAME
from runcast.resolvers.context import Context
from runcast.resolvers.executions import start_execution
from runcast.server.app import create_app
from runcast.server.settings import Settings
from server_process import PIPELINES


@asynccontextmanager
async def living(data: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Context]]:
    """A server in this process, and its context."""
    app = create_app(Settings(pipelines=PIPELINES, data=data))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client, app.state.ctx


async def ended(ctx: Context) -> None:
    started = await start_execution(ctx, "echo", "hello")
    await until(lambda: ctx.manager.get(started.execution.id).status.terminal)


async def health(client: httpx.AsyncClient, status: str) -> dict[str, Any]:
    """What the server says of itself as soon as it has that status."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (found := (await client.get("/healthz")).json())["status"] != status:  # noqa: ASYNC110
            await asyncio.sleep(0.001)  # a client in the same loop leaves nobody else a turn
    return dict(found)


async def test_all_is_well(tmp_path: Path) -> None:
    """Also when something has been kept."""
    async with living(tmp_path) as (client, ctx):
        await ended(ctx)
        answers = [await client.get("/healthz"), await client.get("/readyz")]
    assert [(one.status_code, one.json()) for one in answers] == [
        (200, {"status": "ok"}),
        (200, {"status": "ready"}),
    ]


async def test_a_history_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The server lives; it is not ready for starts that it could not store."""
    async with living(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 99")
    async with living(tmp_path) as (client, _):
        live, ready = await client.get("/healthz"), await client.get("/readyz")
    assert (live.status_code, live.json()["status"]) == (200, "degraded")
    [(name, problem)] = live.json()["problems"].items()
    assert name == "history" and "newer version" in problem
    assert (ready.status_code, ready.json()["problems"]) == (
        503,
        [f"starts cannot be stored: {problem}"],
    )


async def test_result_files_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    """How many are missing, and why; until none is, without another execution that ends."""
    (tmp_path / "outputs").write_text("in the way")
    async with living(tmp_path) as (client, ctx):
        await ended(ctx)
        found = await health(client, "degraded")
        assert found["problems"] == {"outputs": "1 result file is missing: File exists"}
        (tmp_path / "outputs").unlink()
        await health(client, "ok")


async def test_a_server_that_stops_takes_no_more_work(tmp_path: Path) -> None:
    """It is not ready, says so, and lives until it has ended."""
    async with living(tmp_path) as (client, ctx):
        await ctx.manager.close(grace=0)
        live, ready = await client.get("/healthz"), await client.get("/readyz")
        refused = await client.post("/api/pipelines/echo/run", json={"input": "hello"})
    assert (ready.status_code, ready.json()) == (
        503,
        {"status": "not ready", "problems": ["the server is stopping"]},
    )
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (refused.status_code, list(refused.json())) == (503, ["error"])


@pytest.mark.parametrize("path", ["/", "/dashboard/main.js", "/dashboard/style.css"])
async def test_a_file_of_the_page_that_a_browser_has_is_not_sent_again(
    tmp_path: Path, path: str
) -> None:
    """304 for whoever names it; another one's name, or none, gets the file."""
    async with living(tmp_path) as (client, _):
        first = await client.get(path)
        known = {"If-None-Match": f'"another", {first.headers["etag"]}'}
        again = await client.get(path, headers=known)
        other = await client.get(path, headers={"If-None-Match": '"another"'})
    assert (first.status_code, other.status_code) == (200, 200)
    assert first.content == other.content != b""
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "content-security-policy"):
        assert again.headers[name] == first.headers[name]
