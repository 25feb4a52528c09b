"""The old dashboard, served from elsewhere: which origins may use the server."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from old_door import Door, door, hear, say, types
from pydantic import ValidationError
from runcast.server.guards import LOOPBACK_NAMES, Doorkeeper, cross_origin
from runcast.server.settings import Settings
from scripted_stages import Gate, ScriptedRunner
from starlette.middleware import Middleware
from websockets.exceptions import InvalidStatus

FRIEND, STRANGER = "https://dashboard.example", "https://evil.example"


@pytest.fixture
async def served() -> AsyncIterator[Door]:
    """A server with a token, to which the pages of one origin may come."""
    origins = [FRIEND]
    keeper = Middleware(Doorkeeper, hosts=LOOPBACK_NAMES, token="secret", origins=origins)
    runner = ScriptedRunner(one=Gate())
    async with door(middleware=[*cross_origin(origins), keeper], runner=runner) as one:
        one.client.headers["Authorization"] = "Bearer secret"
        yield one


async def cancelling(served: Door, origin: str) -> Any:
    id = await served.start()
    return await served.client.post(f"/api/executions/{id}/cancel", headers={"Origin": origin})


async def test_an_allowed_page_may_act_and_read(served: Door) -> None:
    """POST is accepted, and the browser is told that the page may see the answer."""
    answer = await cancelling(served, FRIEND)
    assert answer.json() == {"cancelled": True}
    assert answer.headers["access-control-allow-origin"] == FRIEND
    listed = await served.client.get("/api/executions", headers={"Origin": FRIEND})
    assert listed.headers["access-control-allow-origin"] == FRIEND


@pytest.mark.parametrize(
    "origin", [STRANGER, "null", "http://dashboard.example", f"{FRIEND}:8443", f"{FRIEND}.evil"]
)
async def test_any_other_page_may_not(served: Door, origin: str) -> None:
    """Neither act nor read: 403, and no header that would let it see an answer."""
    answer = await cancelling(served, origin)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    listed = await served.client.get("/api/executions", headers={"Origin": origin})
    assert "access-control-allow-origin" not in listed.headers


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,last-event-id",
    "Access-Control-Request-Private-Network": "true",
}


async def test_the_browser_asks_first_and_needs_no_token_for_it(served: Door) -> None:
    """A preflight carries no credentials; for a stranger it is refused."""
    del served.client.headers["Authorization"]
    path = "/api/pipelines/demo/run"
    may = await served.client.options(path, headers={"Origin": FRIEND} | PREFLIGHT)
    may_not = await served.client.options(path, headers={"Origin": STRANGER} | PREFLIGHT)
    assert may.status_code == 200
    assert may.headers["access-control-allow-origin"] == FRIEND
    assert "POST" in may.headers["access-control-allow-methods"]
    assert "authorization" in may.headers["access-control-allow-headers"].lower()
    assert may_not.status_code == 400
    assert "access-control-allow-origin" not in may_not.headers


async def test_a_refusal_can_be_read_by_an_allowed_page(served: Door) -> None:
    """The page shows what is wrong, and not only that something is."""
    del served.client.headers["Authorization"]
    answer = await served.client.get("/api/executions", headers={"Origin": FRIEND})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == FRIEND


async def test_sockets_are_judged_alike(served: Door) -> None:
    """The old dashboard's `/ws` from elsewhere."""
    async with served.socket(origin=FRIEND) as socket:
        await say(socket, type="unsubscribe", executionId="x")
        assert types(await hear(socket)) == ["unsubscribed"]
    with pytest.raises(InvalidStatus) as refused:
        async with served.socket(origin=STRANGER):
            pass
    assert refused.value.response.status_code == 403


async def test_without_a_list_there_are_no_headers() -> None:
    """CORS is off unless it is configured."""
    assert cross_origin([]) == []
    keeper = Middleware(Doorkeeper, hosts=LOOPBACK_NAMES, token=None)
    async with door(middleware=[keeper]) as served:
        answer = await served.client.get("/api/executions", headers={"Origin": FRIEND})
        refused = await served.client.post("/api/executions/x/cancel", headers={"Origin": FRIEND})
    assert "access-control-allow-origin" not in answer.headers
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("", ()),
        (FRIEND, (FRIEND,)),
        (
            "https://A.example:443/ , http://localhost:5173,",
            ("https://a.example", "http://localhost:5173"),
        ),
        (
            ("http://[::1]:80", "http://b,https://c:80"),
            ("http://[::1]", "http://b", "https://c:80"),
        ),
    ],
)
def test_origins_are_read_as_browsers_write_them(
    tmp_path: Path, said: Any, meant: tuple[str, ...]
) -> None:
    """Several by commas or one by one; small letters, no port that goes without saying."""
    assert Settings(allow_origin=said, data=tmp_path).allow_origin == meant


def test_origins_come_from_the_environment_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RUNCAST_ALLOW_ORIGIN, separated by commas."""
    monkeypatch.setenv("RUNCAST_ALLOW_ORIGIN", "http://a,http://b")
    assert Settings(data=tmp_path).allow_origin == ("http://a", "http://b")


@pytest.mark.parametrize(
    "said",
    ["*", "null", "a.example", "https://", "https://a/b", "https://u@a", "file:///x", "http://a:x"],
)
def test_what_is_no_origin_is_refused(tmp_path: Path, said: str) -> None:
    """`*` and `null` among them: any page could then start executions."""
    with pytest.raises(ValidationError, match="is not an origin"):
        Settings(allow_origin=said, data=tmp_path)  # type: ignore[arg-type]
