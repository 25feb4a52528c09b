"""What a client is told that has the answer already, over both doors."""

from pathlib import Path

import pytest
from server_process import ServerProcess, serving

LIST = "{ executions { id status } }"
ADDRESSES = {
    "rest": "/api/executions",
    "rest, one status": "/api/executions?status=completed",
    "rest, running": "/api/executions/running",
    "graphql": f"/graphql?query={LIST}",
}


@pytest.fixture(params=ADDRESSES.values(), ids=ADDRESSES)
def address(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("known", ["{tag}", "W/{tag}", '"other", {tag}', "*"])
def test_a_client_that_has_the_answer(server: ServerProcess, address: str, known: str) -> None:
    """No content, with the same tag, as often as it asks."""
    first = server.client.get(address)
    tag = first.headers["etag"]
    for _ in range(3):
        again = server.client.get(address, headers={"If-None-Match": known.format(tag=tag)})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == first.headers["cache-control"] == "no-cache"
        assert again.headers.get("vary") == first.headers.get("vary")
        assert "content-type" not in again.headers


def test_a_client_that_has_another_answer(server: ServerProcess, address: str) -> None:
    """The answer as it is now."""
    for known in ('"other"', "W/", "", "nonsense"):
        again = server.client.get(address, headers={"If-None-Match": known})
        assert again.status_code == 200
        assert again.content


def test_a_list_that_has_changed(tmp_path: Path) -> None:
    """Has another tag."""
    with serving(tmp_path) as server:
        empty = {name: server.client.get(at).headers["etag"] for name, at in ADDRESSES.items()}
        server.client.post("/api/pipelines/echo/run", json={"input": "a"}).raise_for_status()
        for name in ("rest", "graphql"):
            at = ADDRESSES[name]
            changed = server.client.get(at, headers={"If-None-Match": empty[name]})
            assert changed.status_code == 200
            assert changed.headers["etag"] != empty[name]


def test_what_is_no_reading_has_no_tag(server: ServerProcess) -> None:
    """Nobody may take the answer to a POST for a later one."""
    answer = server.client.post("/graphql", json={"query": LIST}, headers={"If-None-Match": "*"})
    assert answer.status_code == 200
    assert "etag" not in answer.headers
