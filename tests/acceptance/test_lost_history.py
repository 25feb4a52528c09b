"""A history whose files go while a server has them open: nothing that it acknowledges is lost."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from deadlines import eventually
from doors import START, GraphQLDoor
from server_process import ServerProcess, runcast, serving
from small_disk import small_disk

FOUND = "query ($id: ID!) { execution(id: $id) { status } }"


def started(server: ServerProcess) -> dict[str, Any]:
    """What a start says of itself."""
    start = START.replace("existing", "existing stored")
    door = GraphQLDoor(server.client)
    return dict(door.ask(start, pipelineId="echo", input="hello")["startExecution"])


def stored(server: ServerProcess) -> str:
    """The id of an execution that was acknowledged as stored."""
    answer = started(server)
    assert answer["stored"] and not answer["userErrors"], answer
    return str(answer["execution"]["id"])


def health(server: ServerProcess) -> dict[str, Any]:
    return dict(server.client.get("/healthz").json())


def check_well(server: ServerProcess) -> None:
    eventually(lambda: health(server) == {"status": "ok"})
    assert server.client.get("/readyz").status_code == 200


def check_survive_a_kill(server: ServerProcess, folder: Path, *ids: str) -> None:
    server.end(soon=True)
    with closing(sqlite3.connect(server.data / "history.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with serving(folder, "--data", str(server.data)) as after:
        for id in ids:
            assert GraphQLDoor(after.client).ask(FOUND, id=id)["execution"], id
        assert health(after) == {"status": "ok"}


def remove(*names: str) -> Callable[[Path], None]:
    def act(data: Path) -> None:
        for name in names:
            (data / name).unlink()

    return act


def remove_folder(data: Path) -> None:
    """In one step: the server may be writing to it."""
    gone = data.rename(data.parent / "gone")
    shutil.rmtree(gone, ignore_errors=True)


def replace(data: Path) -> None:
    """By a copy of itself, as a backup is brought back; what is beside it stays."""
    copy = data / "copy"
    with (
        closing(sqlite3.connect(data / "history.db")) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    copy.rename(data / "history.db")


def move(name: str) -> Callable[[Path], object]:
    return lambda data: (data / name).rename(data.parent / "aside")


ACCIDENTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "the database": (remove("history.db"), "history.db was removed"),
    "its log": (remove("history.db-wal"), "history.db-wal was removed"),
    "the index of its log": (remove("history.db-shm"), "history.db-shm was removed"),
    "the three": (remove("history.db", "history.db-wal", "history.db-shm"), "history.db was"),
    "the folder": (remove_folder, "history.db was removed"),
    "the database moved": (move("history.db"), "history.db was removed"),
    "the folder moved": (move("."), "history.db was removed"),
    "emptied": (lambda data: (data / "history.db").write_bytes(b""), "history.db was"),
    "replaced": (replace, "history.db was replaced"),
}


RARE = ("the index of its log", "the three", "the database moved", "the folder moved", "emptied")


@pytest.mark.parametrize(
    "accident",
    [pytest.param(name, marks=pytest.mark.campaign if name in RARE else ()) for name in ACCIDENTS],
)
def test_what_is_held_is_written_anew(tmp_path: Path, accident: str) -> None:
    """And what is started from then on is stored, however the server ends."""
    act, words = ACCIDENTS[accident]
    with serving(tmp_path / "first") as server:
        before = stored(server)
        check_well(server)
        act(server.data)
        after = [stored(server) for _ in range(3)]
        assert words in server.complained
        check_well(server)
        assert "Traceback" not in server.complained
        check_survive_a_kill(server, tmp_path / "second", before, *after)


@pytest.mark.parametrize(
    "accident",
    [
        "the database",
        pytest.param("its log", marks=pytest.mark.campaign),
        pytest.param("the folder", marks=pytest.mark.campaign),
    ],
)
def test_it_is_noticed_without_a_start(tmp_path: Path, accident: str) -> None:
    """A server that has nothing to do looks as well, and writes anew what it has."""
    act, words = ACCIDENTS[accident]
    with serving(tmp_path / "first") as server:
        before = stored(server)
        check_well(server)
        act(server.data)
        eventually(lambda: "the history is written again" in server.complained)
        assert words in server.complained
        check_survive_a_kill(server, tmp_path / "second", before)


def test_a_log_that_goes_takes_nothing_with_it(tmp_path: Path) -> None:
    """Also not of executions that have left the lists: what is open is merged into the database."""
    with serving(tmp_path / "first", "--retention", "0") as server:
        ids = [stored(server) for _ in range(5)]
        eventually(lambda: not GraphQLDoor(server.client).list())
        remove("history.db-wal")(server.data)
        eventually(lambda: "the history is written again" in server.complained)
        check_survive_a_kill(server, tmp_path / "second", *ids)


def test_a_database_that_is_moved_aside_is_whole(tmp_path: Path) -> None:
    """What its log had is merged into it, and not into the one that takes its place."""
    with serving(tmp_path / "first") as server:
        ids = {stored(server) for _ in range(5)}
        aside = server.data.parent / "aside"
        move("history.db")(server.data)
        eventually(lambda: "the history is written again" in server.complained)
        with closing(sqlite3.connect(aside)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            found = {bytes(id).decode() for (id,) in connection.execute("SELECT id FROM records")}
        assert found == ids


@contextmanager
def folder_in_the_way(data: Path) -> Iterator[None]:
    """Something else is in the place of the data folder."""
    data.rename(data.parent / "aside")
    data.write_text("in the way")
    yield
    data.unlink()


@contextmanager
def link_to_nowhere(data: Path) -> Iterator[None]:
    """As where a volume is not mounted any more."""
    data.rename(data.parent / "aside")
    data.symlink_to("/proc/nowhere/data")
    yield
    data.unlink()


@pytest.mark.parametrize(
    "accident",
    [folder_in_the_way, pytest.param(link_to_nowhere, marks=pytest.mark.campaign)],
)
def test_a_start_that_cannot_be_stored_says_so(tmp_path: Path, accident: Any) -> None:
    """Through each door; health and readiness name it until it is mended, and then it is stored."""
    with serving(tmp_path / "first") as server:
        before = stored(server)
        with accident(server.data):
            eventually(lambda: health(server)["status"] == "degraded")
            answer = started(server)
            assert (answer["stored"], answer["userErrors"]) == (False, [])
            rest = server.client.post("/api/pipelines/echo/run", json={"input": "hello"}).json()
            assert rest["stored"] is False
            problem = health(server)["problems"]["history"]
            ready = server.client.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["problems"] == [f"starts cannot be stored: {problem}"]
        check_well(server)
        rest_again = server.client.post("/api/pipelines/echo/run", json={"input": "hello"}).json()
        assert "stored" not in rest_again
        ids = before, answer["execution"]["id"], rest["executionId"], rest_again["executionId"]
        check_survive_a_kill(server, tmp_path / "second", *ids)


def test_a_volume_that_goes_and_comes_back(tmp_path: Path) -> None:
    """What was started meanwhile is in the folder below, and then on the volume as well."""
    with small_disk(tmp_path / "volume", 64 << 20) as volume:
        data = volume / "data"
        with serving(tmp_path / "first", "--data", str(data)) as server:
            server.data = data
            before = stored(server)
            subprocess.run(["umount", "-l", str(volume)], check=True)
            between = stored(server)
            check_well(server)
            size = ["-o", f"size={64 << 20}"]
            subprocess.run(["mount", "-t", "tmpfs", *size, "tmpfs", str(volume)], check=True)
            after = stored(server)
            check_well(server)
            check_survive_a_kill(server, tmp_path / "second", before, between, after)


@pytest.mark.parametrize(
    "accident",
    ["lock", pytest.param("everything", marks=pytest.mark.campaign), "the folder"],
)
def test_no_second_server_comes_into_the_folder(tmp_path: Path, accident: str) -> None:
    """Not even when the lock file has gone, or the folder: a new one is locked at once."""
    accidents: dict[str, Callable[[Path], object]] = {
        "lock": remove("lock"),
        "everything": lambda data: [one.unlink() for one in data.iterdir() if one.is_file()],
        "the folder": remove_folder,
    }
    flags = ("--port", "0", "--pipelines", str(tmp_path))
    with serving(tmp_path / "first") as server:
        accidents[accident](server.data)
        if accident != "lock":
            stored(server)
        hurry = {"runcast.server.serve:DATA_WAIT_SECONDS": 0.2}
        second = runcast("serve", "--data", str(server.data), *flags, hurry=hurry)
        assert second.returncode == 1
        assert f"another runcast uses {server.data}" in second.stderr
        eventually((server.data / "lock").exists)
        eventually(lambda: f"{server.data}/lock was removed" in server.complained)
        check_well(server)


def test_a_folder_that_another_server_has_taken_is_left_to_it(tmp_path: Path) -> None:
    """The first says so, stores nothing there, and its starts say that they are not stored."""
    with serving(tmp_path / "first") as server:
        id = stored(server)
        ended = {"status": "COMPLETED"}
        eventually(lambda: GraphQLDoor(server.client).ask(FOUND, id=id)["execution"] == ended)
        check_well(server)
        server.process.suspend()
        eventually(lambda: server.process.status() == psutil.STATUS_STOPPED)
        server.data.rename(tmp_path / "aside")
        with serving(tmp_path / "second", "--data", str(server.data)) as second:
            server.process.resume()
            uses = f"another runcast uses {server.data}"
            eventually(lambda: health(server).get("problems", {}).get("history") == uses)
            assert started(server)["stored"] is False
            assert server.client.get("/readyz").status_code == 503
            connection = GraphQLDoor(second.client).ask(
                "{ executionsConnection(includeHistory: true) { totalCount } }"
            )
            assert connection["executionsConnection"]["totalCount"] == 0
            assert health(second) == {"status": "ok"}
        check_well(server)
