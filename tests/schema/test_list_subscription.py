"""Following the list of executions, by a client library over a real socket."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from deadlines import eventually
from doors import GraphQLDoor
from server_process import ServerProcess, serving
from subscriptions import Message, connected, until, whole

LIST = "query ($f: ExecutionFilter) { executions(filter: $f) { id status sequence } }"
OPEN = ["QUEUED", "RUNNING", "CANCELLING"]
CURSOR = "{ executionsConnection { cursor } }"


@pytest.fixture(scope="module")
def quiet_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on which nothing happens but what a test of this file does."""
    with serving(tmp_path_factory.mktemp("quiet")) as server:
        yield server


@pytest.fixture
def quiet(quiet_server: ServerProcess) -> Iterator[GraphQLDoor]:
    """A client of it; after the test all has ended, so that the next one is not told of it."""
    door = GraphQLDoor(quiet_server.client)
    yield door
    for row in door.running():
        door.cancel(row["id"])
    assert eventually(lambda: not door.ask(LIST, f={"status": OPEN})["executions"])


class Mirror:
    """The list as its messages tell it."""

    def __init__(self) -> None:
        self.rows: dict[str, Message] = {}

    def take(self, message: Message) -> None:
        execution, change = message["execution"], message["change"]
        if change == "ENTERED":
            assert execution["id"] not in self.rows, "entered twice"
            self.rows[execution["id"]] = execution
        elif change == "UPDATED":
            assert execution["id"] in self.rows, "updated before it entered"
            self.rows[execution["id"]] = execution
        elif change == "LEFT":
            del self.rows[execution["id"]]


def counted(message: Message) -> dict[str, int]:
    return {one["status"]: one["count"] for one in message["statusCounts"] if one["count"]}


async def mirrored(messages: AsyncIterator[Message], mirror: Mirror, **wanted: object) -> Message:
    """Takes messages until one has these values in it."""
    for message in (seen := await until(_flat(messages), **wanted)):
        mirror.take(message)
    return seen[-1]


async def _flat(messages: AsyncIterator[Message]) -> AsyncIterator[Message]:
    """The messages, with an execution's id and status also beside it."""
    async for message in messages:
        execution = message["execution"] or {"id": None, "status": None}
        yield {**message, "id": execution["id"], "status": execution["status"]}


async def test_life_of_one(serve: Callable[..., ServerProcess]) -> None:
    """An execution enters, is updated and leaves; meanwhile the mirror equals the query."""
    mirror, server = Mirror(), serve("--retention", "0.3")
    door = GraphQLDoor(server.client)
    async with connected(server.ws_url) as socket:
        messages = socket.changes()
        await mirrored(messages, mirror, change="CAUGHT_UP")
        waits, id = door.start("waiting", "stays"), door.start("several-v1", "goes")
        await mirrored(messages, mirror, id=id, status="COMPLETED")
        await mirrored(messages, mirror, id=id, change="LEFT")
        assert [row["id"] for row in door.list()] == [waits]
        assert set(mirror.rows) == {waits}


async def test_snapshot_of_the_list(quiet_server: ServerProcess, quiet: GraphQLDoor) -> None:
    """ENTERED for each that is there, then CAUGHT_UP; together they are the query's answer."""
    ids = {quiet.start("waiting") for _ in range(3)}
    mirror = Mirror()
    async with connected(quiet_server.ws_url) as socket:
        messages = socket.changes(filter={"status": OPEN})
        caught_up = await mirrored(messages, mirror, change="CAUGHT_UP")
    assert set(mirror.rows) == ids
    counts = counted(caught_up)
    assert counts.get("QUEUED", 0) + counts.get("RUNNING", 0) == 3
    assert caught_up["execution"] is None


async def test_mirror_equals_query(quiet_server: ServerProcess, quiet: GraphQLDoor) -> None:
    """When all is quiet again, the mirror and the query agree on every execution's sequence."""
    mirror = Mirror()
    filter = {"pipelineId": ["waiting"]}
    async with connected(quiet_server.ws_url) as socket:
        messages = socket.changes(filter=filter)
        await mirrored(messages, mirror, change="CAUGHT_UP")
        ids = [quiet.start("waiting") for _ in range(10)]
        quiet.start("several-v1")
        for id in ids[:5]:
            quiet.cancel(id)
        for id in ids:
            while mirror.rows.get(id, {}).get("status") not in ("RUNNING", "CANCELLED"):
                await mirrored(messages, mirror)
        wanted = {row["id"]: row for row in quiet.ask(LIST, f=filter)["executions"]}
        while _behind(mirror.rows, wanted):
            await mirrored(messages, mirror)
        newest = {row["id"]: row for row in quiet.ask(LIST, f=filter)["executions"]}
    running = [id for id, row in newest.items() if row["status"] == "RUNNING"]
    assert set(running) == set(ids[5:])
    # OUTPUT is no change of the list: it counts in a sequence, and is not told.
    assert {id: mirror.rows[id]["status"] for id in running} == dict.fromkeys(running, "RUNNING")


async def test_leaves_a_filtered_list(quiet_server: ServerProcess, quiet: GraphQLDoor) -> None:
    """What no longer matches the filter leaves the list, and the counts go on counting it."""
    mirror = Mirror()
    async with connected(quiet_server.ws_url) as socket:
        messages = socket.changes(filter={"status": ["RUNNING"]})
        await mirrored(messages, mirror, change="CAUGHT_UP")
        id = quiet.start("waiting")
        await mirrored(messages, mirror, id=id, change="ENTERED")
        quiet.cancel(id)
        left = await mirrored(messages, mirror, id=id, change="LEFT")
    assert id not in mirror.rows
    assert sum(counted(left).values()) >= 1


async def test_after_a_query(quiet_server: ServerProcess, quiet: GraphQLDoor) -> None:
    """After the cursor of a query only what is new since then is told."""
    old = quiet.start("waiting")
    async with connected(quiet_server.ws_url) as socket:
        await until(socket.progress(old), currentStage=1)
        cursor = quiet.ask(CURSOR)["executionsConnection"]["cursor"]
        new = quiet.start("waiting")
        messages = _flat(socket.changes(after=cursor))
        seen = await until(messages, change="CAUGHT_UP")
    assert {message["id"] for message in seen[:-1]} == {new}
    assert seen[0]["change"] == "ENTERED"


async def test_unknown_list_cursor(quiet_server: ServerProcess, quiet: GraphQLDoor) -> None:
    """After a cursor that is not known comes RESET, and the whole list anew."""
    id = quiet.start("waiting")
    async with connected(quiet_server.ws_url) as socket:
        messages = _flat(socket.changes(after="another:1", filter={"status": OPEN}))
        seen = await until(messages, change="CAUGHT_UP")
    kinds = [message["change"] for message in seen]
    assert kinds == ["RESET", "ENTERED", "CAUGHT_UP"]
    assert seen[1]["id"] == id


async def test_over_one_socket(quiet_server: ServerProcess, quiet: GraphQLDoor) -> None:
    """Queries, mutations and subscriptions share a socket."""
    async with connected(quiet_server.ws_url) as socket:
        start = 'mutation { startExecution(pipelineId: "echo", input: "a") { execution { id } } }'
        started = await socket.ask(start)
        id = started["startExecution"]["execution"]["id"]
        seen = await whole(socket.progress(id))
        listed = await socket.ask("{ executions { id } }")
    assert seen[-1]["status"] == "COMPLETED"
    assert {"id": id} in listed["executions"]


def _behind(rows: dict[str, Message], wanted: dict[str, Message]) -> bool:
    return any(rows[id]["status"] != row["status"] for id, row in wanted.items() if id in rows)
