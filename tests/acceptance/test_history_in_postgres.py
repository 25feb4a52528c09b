"""Servers with their history in PostgreSQL."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from deadlines import eventually
from doors import START, GraphQLDoor
from postgres_server import PASSWORD, PostgresServer
from pydantic import SecretStr, ValidationError
from runcast.server.settings import Settings
from server_process import ServerProcess, runcast

SOON = {
    "runcast.core.history.writer:LONGEST_PAUSE_SECONDS": 0.2,
    "runcast.core.history.writer:LOOK_SECONDS": 0.1,
}
HISTORY = "{ executionsConnection(includeHistory: true) { totalCount nodes { id status } } }"
FOUND = "query ($id: ID!) { execution(id: $id) { status } }"

Serve = Callable[..., ServerProcess]


def guarded(postgres: PostgresServer) -> str:
    """The URL of an empty database, with a password in it."""
    name = postgres.new_database().rsplit("/", 1)[1]
    return postgres.url(name, f"guarded:{quote(PASSWORD, safe='')}")


def started(server: ServerProcess) -> str:
    start = START.replace("existing", "existing stored")
    answer = GraphQLDoor(server.client).ask(start, pipelineId="echo", input="hello")
    assert not answer["startExecution"]["userErrors"]
    return str(answer["startExecution"]["execution"]["id"])


def history(server: ServerProcess) -> dict[str, str]:
    """The statuses of all executions, by id; each is there once."""
    found: dict[str, Any] = GraphQLDoor(server.client).ask(HISTORY)["executionsConnection"]
    ids = [node["id"] for node in found["nodes"]]
    assert len(ids) == len(set(ids)) == found["totalCount"]
    return {node["id"]: node["status"] for node in found["nodes"]}


def health(server: ServerProcess) -> dict[str, Any]:
    return dict(server.client.get("/healthz").json())


def code(server: ServerProcess, id: str) -> str:
    """How a look for an execution is refused."""
    answer = server.client.post("/graphql", json={"query": FOUND, "variables": {"id": id}})
    return str(answer.json()["errors"][0]["extensions"]["code"])


def test_executions_outlive_the_server_and_its_database(
    serve: Serve, postgres: PostgresServer
) -> None:
    """What comes while the database is killed is in it once, when it is back."""
    url = guarded(postgres)
    flags = ("--retention", "0")
    server = serve(*flags, hurry=SOON, RUNCAST_DATABASE=url)
    ids = [started(server) for _ in range(3)]
    eventually(lambda: history(server) == dict.fromkeys(ids, "COMPLETED"))
    assert not (server.data / "history.db").exists()
    with postgres.killed():
        eventually(lambda: "Connection refused" in str(health(server)))
        assert server.client.get("/readyz").status_code == 503
        assert code(server, ids[0]) == "UNAVAILABLE"
        ids += [started(server) for _ in range(3)]
    eventually(lambda: health(server) == {"status": "ok"})
    eventually(lambda: history(server) == dict.fromkeys(ids, "COMPLETED"))
    server.end(soon=True)
    after = serve(*flags, "--data", str(server.data), "--database", url)
    assert history(after) == dict.fromkeys(ids, "COMPLETED")
    for one in (server, after):
        assert "Traceback" not in one.complained
        assert quote(PASSWORD, safe="") not in one.complained + one.said


def test_a_server_starts_without_its_database(serve: Serve, postgres: PostgresServer) -> None:
    """One line says what is wrong and where, and it begins to store when it can."""
    url = guarded(postgres)
    with postgres.killed():
        server = serve(hurry=SOON, RUNCAST_DATABASE=url)
        place = url.replace(f":{quote(PASSWORD, safe='')}", "")
        [line] = [one for one in server.complained.splitlines() if "cannot be written" in one]
        assert f"the history at {place} cannot be written: " in line
        assert "Connection refused" in line
        id = started(server)
    eventually(lambda: health(server) == {"status": "ok"})
    eventually(lambda: history(server) == {id: "COMPLETED"})


def test_servers_share_a_database(serve: Serve, postgres: PostgresServer) -> None:
    """One sees what another has run, and ends nothing that another runs."""
    url = guarded(postgres)
    one = serve("--retention", "0", RUNCAST_DATABASE=url)
    done = started(one)
    start = START.replace("existing", "existing stored")
    slow = GraphQLDoor(one.client).ask(start, pipelineId="waiting", input="30")["startExecution"]
    assert slow["stored"], slow
    other = serve(RUNCAST_DATABASE=url)
    eventually(lambda: history(other) == {done: "COMPLETED"})
    running = str(slow["execution"]["id"])
    assert GraphQLDoor(one.client).ask(FOUND, id=running)["execution"]["status"] == "RUNNING"
    one.end(soon=True)
    last = serve("--data", str(one.data), RUNCAST_DATABASE=url)
    assert history(last) == {done: "COMPLETED", running: "FAILED"}


def test_a_url_that_is_none_is_refused_without_being_repeated(tmp_path: Path) -> None:
    """There may be a password in it."""
    data = ("serve", "--data", str(tmp_path))
    url = "postgresql://user:secret@host/name?no=1"
    for refused, name in (
        (runcast(*data, "--database", url), "--database"),
        (runcast(*data, RUNCAST_DATABASE="mysql://user:secret@host/name"), "RUNCAST_DATABASE"),
    ):
        assert refused.returncode == 1
        [line] = refused.stderr.splitlines()
        assert line.startswith(f"runcast: {name}: ") and "secret" not in line


def test_who_lacks_the_client_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before anything is opened."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "runcast.core.history.postgres_connection", raising=False)
    with pytest.raises(ValidationError, match=r"pip install 'runcast\[postgres\]'"):
        Settings(data=tmp_path, database=SecretStr("postgresql://host/name"))
