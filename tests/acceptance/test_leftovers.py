"""No log, value, folder or result file is left of what is forgotten, whatever came between."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from deadlines import eventually
from doors import GraphQLDoor, Refused
from runcast.core.results.result_file import owner_of
from server_process import ServerProcess

LARGE = "x" * 400_000
LOG = "/api/executions/{}/stages/say/log"


@pytest.fixture
def start(serve: Callable[..., ServerProcess], tmp_path: Path) -> Callable[..., ServerProcess]:
    """Starts a server on the same data as the one before."""
    return lambda *flags: serve("--data", str(tmp_path / "data"), *flags)


def run(server: ServerProcess, number: int) -> list[str]:
    """The ids of so many executions that have ended, each with logs and values."""
    door = GraphQLDoor(server.client)
    ids = [door.start("echo", LARGE) for _ in range(number)]
    eventually(lambda: not door.running())
    return ids


def owners(data: Path, kind: str = "logs") -> set[str]:
    folder = data / kind
    found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    return found - {"new"}


def results(data: Path) -> set[str]:
    """The executions that have a result file."""
    return {owner_of(path.name) for path in (data / "outputs").glob("result-*.json")}


def forget(data: Path, *ids: str) -> None:
    """As a server leaves it that is killed when the records are gone, and their files are not."""
    with closing(sqlite3.connect(data / "history.db")) as connection, connection:
        for table in ("executions", "records"):
            for id in ids:
                connection.execute(f"DELETE FROM {table} WHERE id = ?", (id.encode(),))


def test_what_has_no_record_goes_at_the_next_start(
    start: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    """All that has one stays as it is, and so does what is no execution's."""
    data = tmp_path / "data"
    server = start()
    lost, *known = run(server, 4)
    server.end()
    forget(data, lost)
    assert results(data) == {lost, *known}
    for kind in ("logs", "values"):
        (data / kind / "notes").mkdir()
        (data / kind / "notes" / "file").write_text("mine")
        (data / kind / "exec_0_file").write_text("mine")
    # A kill in the middle of a value leaves a draft that nobody sees.
    (data / "values" / "exec_0_draft" / "say").mkdir(parents=True)
    (data / "values" / "exec_0_draft" / "say" / ".draft").write_text("half")
    (data / "work" / lost).mkdir(exist_ok=True)
    server = start()
    for kind in ("logs", "values"):
        eventually(lambda kind=kind: owners(data, kind) == {*known, "notes", "exec_0_file"})
    assert owners(data, "work") == set()
    for id in known:
        assert server.client.get(LOG.format(id)).text == LARGE
    new = run(server, 1)
    assert owners(data) == {*known, *new, "notes", "exec_0_file"}
    # It says on its own what has been, and the record may be missing because of an accident.
    assert lost in results(data)


@pytest.mark.campaign
def test_what_a_broken_history_knows_stays(
    start: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    """As long as its file is there, for somebody may repair it."""
    data = tmp_path / "data"
    server = start()
    ids = run(server, 2)
    server.end()
    for file in data.glob("history.db*"):
        file.write_bytes(b"this is no database" * 1000)
    server = start()
    new, _ = run(server, 2)
    assert {*ids, new} < owners(data)
    server.end()
    for file in data.glob("history.db.broken-*"):
        file.unlink()
    server = start()
    eventually(lambda: not owners(data) & set(ids))
    assert new in owners(data) and server.client.get(LOG.format(new)).text == LARGE


def test_what_is_forgotten_goes_at_once(
    start: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    """With its record, as soon as there are too many, or they are too old."""
    data = tmp_path / "data"
    server = start("--history-max", "3", "--retention", "0")
    ids = run(server, 8)
    for kind in ("logs", "values"):
        eventually(lambda kind=kind: len(owners(data, kind)) == 3)
    assert owners(data) < set(ids)
    eventually(lambda: results(data) == owners(data))
    listed = server.client.get("/api/outputs").json()
    assert {owner_of(one["filename"]) for one in listed} == owners(data)
    eventually(lambda: not owners(data, "work"))


def test_a_start_that_is_refused_leaves_nothing(
    start: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    """Its input had been stored by then."""
    data = tmp_path / "data"
    server = start("--queue", "0", "--max-concurrent", "1", "--grace", "0.1")
    door = GraphQLDoor(server.client)
    running = door.start("waiting", LARGE)
    for _ in range(3):
        with pytest.raises(Refused, match="CAPACITY"):
            door.start("echo", LARGE)
    assert owners(data, "values") == {running}
