"""What REST says when runcast itself is at fault."""

import httpx
import pytest
from runcast.server.app import create_app
from runcast.server.settings import Settings


async def test_a_bug_is_a_500(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """An exception that nobody expected is a 500 in JSON without a word about it."""

    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("secret")

    app = create_app(Settings(data=tmp_path))
    monkeypatch.setattr(type(app.state.ctx.manager), "list", broken)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/api/executions")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"error": "Internal error"}
