"""A server whose history has a damaged page: it says so, and all the rest answers."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from deadlines import eventually
from doors import GraphQLDoor
from server_process import ServerProcess, runcast, serving

PAGE = 4096
CONNECTION = """{ executionsConnection(includeHistory: true, first: 50) {
  totalCount nodes { id status input stages { id status } error { type } } } }"""
PROBLEMS = "{ historyProblems { message executionId time } }"
DETAIL = "query ($id: ID!) { execution(id: $id) { status input error { type message } } }"


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A data folder with twelve executions, each with a record of several pages."""
    with serving(tmp_path_factory.mktemp("undamaged"), "--retention", "0") as server:
        door = GraphQLDoor(server.client)
        ids = [door.start("echo", f"marker{number:02} " * 2000) for number in range(12)]
        eventually(lambda: not door.list())
    return server.data, ids


@pytest.fixture
def data(undamaged: tuple[Path, list[str]], tmp_path: Path) -> tuple[Path, list[str]]:
    """A copy of that folder, to be damaged."""
    folder, ids = undamaged
    return shutil.copytree(folder, tmp_path / "data"), ids


def damage(path: Path, marker: bytes) -> None:
    """Destroys a page in which it says that, and nothing but that."""
    content = path.read_bytes()
    for start in range(0, len(content), PAGE):
        page = content[start : start + PAGE]
        if page.count(marker) > PAGE // len(marker) - 20:
            with path.open("r+b") as file:
                file.seek(start)
                file.write(b"\xff" * PAGE)
            return
    raise AssertionError("there is no such page")


def damage_table(path: Path, name: str) -> None:
    """Destroys the first page of a table or an index."""
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(b"\xff" * PAGE)


def problems(server: ServerProcess) -> list[dict[str, Any]]:
    return list(GraphQLDoor(server.client).ask(PROBLEMS)["historyProblems"])


def check_lists(server: ServerProcess, ids: list[str], damaged: str) -> None:
    """All of them in every list, the damaged one without what is lost."""
    found = GraphQLDoor(server.client).ask(CONNECTION)["executionsConnection"]
    assert found["totalCount"] == len(ids)
    shown = {one["id"]: one for one in found["nodes"]}
    assert shown.keys() == set(ids)
    assert all(one["input"] and one["stages"] for id, one in shown.items() if id != damaged)
    assert shown[damaged]["error"] == {"type": "DamagedRecord"}
    rest = server.client.get("/api/executions/history?pageSize=50").raise_for_status().json()
    assert {one["id"] for one in rest["executions"]} == set(ids)


def test_a_damaged_record_is_named_and_hides_no_other(
    tmp_path: Path, data: tuple[Path, list[str]]
) -> None:
    """By health, the log and `historyProblems`, until `runcast history repair` has mended it."""
    folder, ids = data
    flags = ("--data", str(folder))
    assert runcast("history", "check", *flags).returncode == 0
    damage(folder / "history.db", b"marker07 ")
    with serving(tmp_path / "damaged", *flags) as server:
        check_lists(server, ids, ids[7])
        check_lists(server, ids, ids[7])
        assert f"the record of {ids[7]} is damaged" in server.complained
        assert f"1 record is damaged ({ids[7]})" in server.client.get("/healthz").text
        assert server.client.get("/readyz").status_code == 200
        assert [one["executionId"] for one in problems(server)] == [ids[7]]
        one = GraphQLDoor(server.client).ask(DETAIL, id=ids[7])["execution"]
        assert (one["status"], one["error"]["type"]) == ("COMPLETED", "DamagedRecord")
        used = runcast("history", "repair", *flags)
        assert used.returncode == 1 and "another runcast uses" in used.stderr
        checked = runcast("history", "check", *flags)
        assert checked.returncode == 1
        assert f"the record of {ids[7]} cannot be read" in checked.stderr
    repaired = runcast("history", "repair", *flags)
    assert repaired.returncode == 0, repaired.stderr
    assert f"{ids[7]}: its input, stages and output are lost" in repaired.stdout
    assert len(list(folder.glob("history.db.broken-*"))) == 1
    assert runcast("history", "check", *flags).returncode == 0
    assert "nothing to repair" in runcast("history", "repair", *flags).stdout
    with serving(tmp_path / "repaired", *flags) as server:
        check_lists(server, ids, ids[7])
        assert server.client.get("/healthz").json() == {"status": "ok"}
        assert problems(server) == []


@pytest.mark.parametrize(
    "name",
    [
        "executions",
        "executions_by_start",
        "records",
        pytest.param("sqlite_autoindex_records_1", marks=pytest.mark.campaign),
        pytest.param("age", marks=pytest.mark.campaign),
    ],
)
def test_a_database_with_a_damaged_structure_is_rebuilt(
    tmp_path: Path, data: tuple[Path, list[str]], name: str
) -> None:
    """By the server itself: nothing is lost but what was on that page."""
    folder, ids = data
    damage_table(folder / "history.db", name)
    with serving(tmp_path / "damaged", "--data", str(folder)) as server:
        rest = server.client.get("/api/executions/history?pageSize=50").raise_for_status().json()
        assert {one["id"] for one in rest["executions"]} == set(ids)
        door = GraphQLDoor(server.client)
        id = door.start("echo")
        eventually(lambda: server.client.get("/healthz").json() == {"status": "ok"})
        found = door.ask(CONNECTION)["executionsConnection"]["nodes"]
        assert {one["id"] for one in found} == {*ids, id}
        whole = {one["id"] for one in found if one["input"]}
        assert {one["executionId"] for one in problems(server)} == {*ids, id} - whole
        assert name != "records" or whole == {id}
    assert runcast("history", "check", "--data", str(folder)).returncode == 0


def test_there_is_nothing_to_check_without_a_history(tmp_path: Path) -> None:
    """And no folder is made."""
    for command in ("check", "repair"):
        done = runcast("history", command, "--data", str(tmp_path / "none"))
        assert done.returncode == 1
        assert done.stderr == f"runcast: there is no history in {tmp_path / 'none'}\n"
    assert not (tmp_path / "none").exists()
