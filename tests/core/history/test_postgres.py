"""A history in PostgreSQL goes on when the database does, and belongs to several servers."""

import asyncio
import random
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from history_database import HistoryDatabase, tamper
from patience import until
from postgres_server import PASSWORD, PostgresServer
from runcast.core.errors import Unavailable
from runcast.core.execution.filter import EVERYTHING
from runcast.core.execution.model import EndReason, Execution, Status
from runcast.core.history import History, writer
from runcast.core.history.postgres import PostgresHistory
from runcast.core.history.postgres_connection import PostgresConnection
from samples import an_execution
from virtual_clock import EPOCH_MS, VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")

AWAY_SECONDS = [0.3, *(pytest.param(one, marks=pytest.mark.campaign) for one in (4.0, 20.0))]


def ended(number: int, **values: Any) -> Execution:
    return an_execution(
        f"exec_{number}", status=Status.COMPLETED, ended_at=EPOCH_MS + number, sequence=9, **values
    )


async def total(history: History) -> int:
    return (await history.ended_page(1, 1))[1]


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "runcast.history"]


@pytest.fixture
def database(postgres: PostgresServer, tmp_path: Path) -> HistoryDatabase:
    return HistoryDatabase(tmp_path, postgres.new_schema())


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for seconds."""
    monkeypatch.setattr(writer, "LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(writer, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr("runcast.core.history.postgres_connection.SILENT_SECONDS", 0.5)


@pytest.mark.parametrize("seconds", AWAY_SECONDS)
@pytest.mark.parametrize("away", [PostgresServer.killed, PostgresServer.frozen])
async def test_what_comes_while_the_database_is_away_is_written_later(
    postgres: PostgresServer,
    database: HistoryDatabase,
    clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
    away: Callable[[PostgresServer], AbstractContextManager[None]],
    seconds: float,
) -> None:
    """Once, and nothing that was confirmed before is lost; reads are refused meanwhile."""
    async with database.history(clock) as history:
        for number in range(50):
            history.note(ended(number))
        history.note(an_execution("exec_runs"))
        assert await history.committed("exec_runs")
        assert await total(history) == 50
        with away(postgres):
            for number in range(50, 100):
                history.note(ended(number))
            async with asyncio.timeout(10):
                assert not await history.committed("exec_50")
                with pytest.raises(Unavailable, match="the history cannot be read"):
                    await history.ended_page(1, 1)
            assert history.unwritable is not None
            assert await history.get("exec_50") == ended(50)
            await asyncio.sleep(seconds)
        await until(lambda: history.problem is None)
        assert await total(history) == 100
        runs = await history.get("exec_runs")
        assert runs is not None and not runs.status.terminal
    assert messages(caplog)[-1] == "the history is written again"
    place = f"127.0.0.1:{postgres.port}/postgres"
    assert all(place in one for one in messages(caplog)[:-1])
    async with database.history(clock) as history:
        found, number = await history.ended_page(1, 200)
        assert number == len(found) == 101
        assert {one.id for one in found} == {"exec_runs", *(f"exec_{n}" for n in range(100))}


async def test_a_database_that_is_away_at_the_start_is_settled_later(
    postgres: PostgresServer, database: HistoryDatabase, clock: VirtualClock
) -> None:
    """What an earlier process left open is ended then, and what runs by now is not."""
    with closing(database.store(clock)) as store:
        store.write([an_execution("exec_left")])
    async with asyncio.timeout(30):
        with postgres.killed():
            history = await database.history(clock).__aenter__()
            assert history.problem is not None and "refused" in history.problem
            history.note(an_execution("exec_runs"))
    await until(lambda: history.problem is None)
    left, runs = await history.get("exec_left"), await history.get("exec_runs")
    assert left and left.end_reason is EndReason.SERVER_RESTART
    assert runs and runs.status is Status.QUEUED
    await history.__aexit__(None, None, None)


async def test_a_restart_of_the_database_is_hardly_noticed(
    postgres: PostgresServer, database: HistoryDatabase, clock: VirtualClock
) -> None:
    """Connections from before it are of no use, and no answer to whoever reads."""
    async with database.history(clock) as history:
        history.note(ended(1))
        assert await history.committed("exec_1")
        assert await asyncio.gather(*(total(history) for _ in range(8))) == [1] * 8
        with postgres.killed():
            pass
        assert await asyncio.gather(*(total(history) for _ in range(8))) == [1] * 8
        history.note(ended(2))
        await until(lambda: history.problem is None and not history._writer.backlog)
        assert await total(history) == 2


async def test_nobody_waits_long_for_those_who_wait_for_a_frozen_database(
    postgres: PostgresServer,
    database: HistoryDatabase,
    clock: VirtualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four read at a time, and behind them each has its own deadline."""
    monkeypatch.setattr(PostgresHistory, "read_seconds", 0.5)
    monkeypatch.setattr("runcast.core.history.postgres_connection.SILENT_SECONDS", 600)
    async with database.history(clock) as history:
        history.note(ended(1))
        assert await history.committed("exec_1")
        with postgres.frozen():
            async with asyncio.timeout(9):
                reads = (total(history) for _ in range(50))
                answers = await asyncio.gather(*reads, return_exceptions=True)
        assert {type(answer) for answer in answers} == {Unavailable}
        assert {str(answer) for answer in answers} == {"the history has not answered for 0.5 s"}
        monkeypatch.undo()
        assert await total(history) == 1


async def test_a_frozen_database_does_not_keep_the_server_from_stopping(
    postgres: PostgresServer,
    database: HistoryDatabase,
    clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who waits for an answer is interrupted."""
    monkeypatch.setattr(writer, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr("runcast.core.history.postgres_connection.SILENT_SECONDS", 600)
    history = await database.history(clock).__aenter__()
    with postgres.frozen():
        history.note(ended(1))
        async with asyncio.timeout(9):
            await history.__aexit__(None, None, None)
    assert "the end of 1 executions is missing" in messages(caplog)[-1]


@pytest.mark.parametrize(
    ("user", "name", "reason"),
    [
        ("guarded:wrong-pw", "postgres", 'password authentication failed for user "guarded"'),
        ("tests", "nowhere", 'database "nowhere" does not exist'),
        ("nobody", "postgres", 'role "nobody" does not exist'),
    ],
)
async def test_a_database_that_cannot_be_used_is_named_in_one_line(
    postgres: PostgresServer,
    tmp_path: Path,
    clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    user: str,
    name: str,
    reason: str,
) -> None:
    """What is wrong, and where; never the password."""
    monkeypatch.setattr(writer, "CLOSE_SECONDS", 0.1)
    database = HistoryDatabase(tmp_path, postgres.url(name, user))
    async with database.history(clock) as history:
        assert history.problem is not None and reason in history.problem
    said = messages(caplog)[0]
    place = f"postgresql://{user.split(':')[0]}@127.0.0.1:{postgres.port}/{name}"
    assert said.startswith(f"the history at {place} cannot be written: ") and reason in said
    assert "\n" not in said and "wrong-pw" not in caplog.text


async def test_a_password_is_used(
    postgres: PostgresServer, tmp_path: Path, clock: VirtualClock
) -> None:
    """Of the URL, with its escapes."""
    name = postgres.new_database().rsplit("/", 1)[1]
    database = HistoryDatabase(tmp_path, postgres.url(name, f"guarded:{quote(PASSWORD, safe='')}"))
    async with database.history(clock) as history:
        assert history.problem is None
        history.note(ended(1))
        assert await history.committed("exec_1")


async def test_a_newer_version_is_left_alone(
    database: HistoryDatabase, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not written to."""
    monkeypatch.setattr(writer, "CLOSE_SECONDS", 0.1)
    with closing(database.store(clock)) as store:
        store.write([ended(1)])
        tamper(store, "UPDATE schema_version SET version = 99")
    async with database.history(clock) as history:
        assert history.problem == "the history is of a newer version of runcast (99)"
        history.note(ended(2))
    with psycopg.connect(database.url or "") as connection:
        assert connection.execute("SELECT count(*) FROM executions").fetchone() == (1,)


def test_tables_of_an_earlier_version_are_brought_up_to_date(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """As the file is: they get the columns that they lack, and go on to be used."""
    with closing(database.store(clock)) as store:
        store.write([ended(1)])
    with psycopg.connect(database.url or "") as connection:
        connection.execute("ALTER TABLE executions DROP COLUMN light, DROP COLUMN owner")
        connection.execute("ALTER TABLE age DROP COLUMN owner")
        connection.execute("UPDATE schema_version SET version = 2")
    with closing(database.store(clock)) as store:
        store.write([ended(2, input="x" * (1 << 20))])
        found, _ = store.reader.ended({}, EVERYTHING, 0, 10, whole=False)
        assert {one.id: one.input for one in found} == {"exec_1": "", "exec_2": ""}


@pytest.mark.parametrize("statement", ["DROP SCHEMA public CASCADE", "DROP TABLE schema_version"])
async def test_tables_that_have_gone_are_made_anew(
    postgres: PostgresServer,
    tmp_path: Path,
    clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
    statement: str,
) -> None:
    """With all that has not departed, which only this process has."""
    url = postgres.new_database()
    async with HistoryDatabase(tmp_path, url).history(clock) as history:
        for number in range(3):
            history.note(ended(number))
        assert await history.committed("exec_2")
        name = url.rsplit("/", 1)[1]
        postgres.execute(name, statement, "CREATE SCHEMA IF NOT EXISTS public")
        await until(lambda: any("written anew" in one for one in messages(caplog)))
        await until(lambda: history.problem is None)
        assert await total(history) == 3


def test_servers_that_start_at_once_make_the_tables_once(
    database: HistoryDatabase, tmp_path: Path, clock: VirtualClock
) -> None:
    """And all of them write."""
    with ExitStack() as stack, ThreadPoolExecutor(8) as threads:
        stores = [
            stack.enter_context(
                closing(HistoryDatabase(tmp_path / str(number), database.url).store(clock))
            )
            for number in range(8)
        ]
        writing = [
            threads.submit(store.write, [ended(number)]) for number, store in enumerate(stores)
        ]
        for one in writing:
            one.result()
        assert stores[0].reader.ended({}, EVERYTHING, 0, 0)[1] == 8


def test_a_server_ends_only_what_it_has_left_itself(
    database: HistoryDatabase, tmp_path: Path, clock: VirtualClock
) -> None:
    """By its data folder; what the others run is theirs."""
    servers = {name: HistoryDatabase(tmp_path / name, database.url) for name in ("one", "other")}

    def open_ones() -> set[str]:
        with closing(servers["one"].store(clock)) as store:
            found = {name: store.reader.get(name) for name in servers}
        return {name for name, one in found.items() if one and not one.status.terminal}

    for name, server in servers.items():
        with closing(server.store(clock)) as store:
            store.write([an_execution(name)])
    assert open_ones() == {"one", "other"}
    with closing(servers["other"].store(clock)) as store:
        assert not store.settle(())
    assert open_ones() == {"one"}


async def test_a_server_knows_what_it_has_run_itself(
    database: HistoryDatabase, tmp_path: Path, clock: VirtualClock
) -> None:
    """Its files, such as results, are of these executions."""
    other = HistoryDatabase(tmp_path / "other", database.url)
    async with database.history(clock) as one, other.history(clock) as two:
        for number, history in enumerate((one, two, two)):
            history.note(ended(number))
            assert await history.committed(f"exec_{number}")
        for history, own in ((one, {"exec_0"}), (two, {"exec_1", "exec_2"})):
            found, number = await history.ended_page(1, 10, own=True)
            assert ({execution.id for execution in found}, number) == (own, len(own))
            assert await total(history) == 3


async def test_files_go_when_another_server_has_removed_their_record(
    database: HistoryDatabase,
    tmp_path: Path,
    clock: VirtualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are looked for now and then; those of what is in memory stay without a record."""
    monkeypatch.setattr(writer, "SWEEPING_SECONDS", 0.2)
    files = OwnedFiles()
    async with database.history(clock, files=files) as history:
        for number in range(3):
            files.owned.add(f"exec_{number}")
            history.note(ended(number))
            assert await history.committed(f"exec_{number}")
        for number in range(2):
            history.departed(f"exec_{number}")
        with closing(HistoryDatabase(tmp_path / "other", database.url).store(clock)) as other:
            tamper(other, "DELETE FROM executions WHERE id <> 'exec_1'")
        await until(lambda: files.owned == {"exec_1", "exec_2"})


class OwnedFiles:
    """Implements `RecordFiles`: there is something of each of these."""

    def __init__(self) -> None:
        self.owned: set[str] = set()

    def owners(self) -> Collection[str]:
        return set(self.owned)

    def interrupted(self, execution: Execution, at: int) -> Execution:
        return execution

    def forgotten(self, execution_ids: Collection[str]) -> None:
        self.owned -= set(execution_ids)

    ownerless = forgotten


def test_what_a_server_left_that_has_gone_for_good_is_ended(
    database: HistoryDatabase, tmp_path: Path, clock: VirtualClock
) -> None:
    """After a day without a sign of it, by whoever starts next."""
    lost, left = (HistoryDatabase(tmp_path / name, database.url) for name in ("lost", "left"))
    with closing(lost.store(clock)) as store:
        store.write([an_execution("exec_lost")])
    for hours, is_open in ((23, True), (2, False)):
        clock.advance(hours * 3600)
        with closing(left.store(clock)) as store:
            store.write([])
            store.settle(())
            found = store.reader.get("exec_lost")
            assert found is not None and found.status.terminal is not is_open


def test_several_servers_prune_at_once(
    database: HistoryDatabase, tmp_path: Path, clock: VirtualClock
) -> None:
    """Nobody waits for the other in vain, and what is over the bound has gone."""
    with ExitStack() as stack, ThreadPoolExecutor(4) as threads:
        stores = [
            stack.enter_context(
                closing(HistoryDatabase(tmp_path / str(number), database.url).store(clock))
            )
            for number in range(4)
        ]
        stores[0].write([ended(number) for number in range(1000)])

        def prune(number: int) -> None:
            for turn in range(10):
                stores[number].write([ended(1000 + 10 * number + turn)])
                stores[number].prune(100, 10**9)

        for one in [threads.submit(prune, number) for number in range(4)]:
            one.result()
        while stores[0].prune(100, 10**9):
            pass
        found, _ = stores[0].reader.ended({}, EVERYTHING, 0, 200)
    assert {one.id for one in found} == {f"exec_{number}" for number in range(940, 1040)}


def test_so_many_bytes_are_kept(database: HistoryDatabase, clock: VirtualClock) -> None:
    """The newest executions; what was removed does not count until it is vacuumed."""
    with closing(database.store(clock)) as store:
        for start in range(0, 60, 20):
            many = range(start, start + 20)
            store.write([ended(one, input=_noise(one)) for one in many])
        store.write([an_execution("exec_runs")])
        while store.prune(10**9, 10**9, 1 << 20):
            pass
        found, number = store.reader.ended({}, EVERYTHING, 0, 100)
        assert {one.id for one in found} == {f"exec_{n}" for n in range(60 - number, 60)}
        assert 5 < number < 15
        assert store.reader.get("exec_runs") is not None


def _noise(seed: int) -> str:
    """100,000 characters of which no database makes less than half."""
    return random.Random(seed).randbytes(50_000).hex()


def test_a_name_may_be_longer_than_an_entry_of_an_index(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """Which cannot have more than 2,704 bytes there."""
    with closing(database.store(clock)) as store:
        store.write([ended(1, pipeline_name=_noise(1))])
        assert store.reader.get("exec_1") == ended(1, pipeline_name=_noise(1))


def test_an_interrupted_statement_ends_in_the_database_too(
    postgres: PostgresServer, database: HistoryDatabase, clock: VirtualClock
) -> None:
    """Though nothing would be sent to whoever has gone for a long time."""
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%'"
    with (
        closing(database.store(clock)) as store,
        psycopg.connect(postgres.url("postgres"), autocommit=True) as watch,
        ThreadPoolExecutor(1) as thread,
        store.reader._engine.connect() as connection,
    ):
        store.write([])
        raw = connection.connection.driver_connection
        assert isinstance(raw, PostgresConnection)
        sleeping = thread.submit(raw.execute, "SELECT pg_sleep(600)")
        end = time.monotonic() + 20

        def number() -> int:
            (found,) = watch.execute(running + " AND pid <> pg_backend_pid()").fetchone() or (0,)
            return int(found)

        while number() == 0 and time.monotonic() < end:
            time.sleep(0.01)
        raw.interrupt()
        with pytest.raises(psycopg.OperationalError, match="interrupted"):
            sleeping.result(timeout=10)
        while number() and time.monotonic() < end:
            time.sleep(0.01)
        assert number() == 0
