"""A reader of the list that is cut off again and again, and goes on where it was."""

import asyncio
import threading
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any, Self

import httpx
import patience
import pytest
from doors import GraphQLDoor
from server_process import ENDS_SOON, ServerProcess, serving
from torn_socket import Follower, Message

CUTS = [25, pytest.param(200, marks=pytest.mark.campaign)]
BURST = 25
FILTERS = [
    pytest.param({}, id="all", marks=pytest.mark.campaign),
    pytest.param({"status": ["QUEUED", "RUNNING"]}, id="running"),
    pytest.param(
        {"pipelineId": ["waiting"], "notStatus": ["CANCELLED"]},
        id="some",
        marks=pytest.mark.campaign,
    ),
]
CHANGES = """
subscription ($filter: ExecutionFilter, $after: String) {
  executionsChanged(filter: $filter, after: $after) {
    change cursor statusCounts { status count }
    execution { id status currentStage stages { status } }
  }
}"""
CANCEL_WAITING = """mutation {
  cancelExecutions(filter: {pipelineId: ["waiting"], status: [RUNNING]}) { __typename }
}"""
LIST = """
query ($filter: ExecutionFilter, $after: String) {
  executionsConnection(filter: $filter, first: 200, after: $after) {
    nodes { id status currentStage stages { status } }
    statusCounts { status count } pageInfo { endCursor hasNextPage }
  }
}"""


class ListFollower(Follower):
    """Builds a mirror of a list."""

    def __init__(self, server: ServerProcess, filter: Message) -> None:
        super().__init__(server.ws_url, CHANGES, filter=filter)
        self._door = GraphQLDoor(server.client)
        self._filter = filter
        self.rows: dict[str, Message] = {}
        self.listed: set[str] = set()
        """What has ever been in the list."""
        self.counts: list[Message] = []
        self.caught_up = False
        self.resets = 0
        """How often the list was told anew to a client that had had the whole of it."""

    def take(self, message: Message) -> None:
        super().take(message)
        self.counts = message["statusCounts"]
        if message["change"] == "RESET":
            self.rows.clear()
            self.resets += self.caught_up
            self.caught_up = False
        elif message["change"] == "CAUGHT_UP":
            self.caught_up = True
        elif message["change"] == "LEFT":
            self.rows.pop(message["execution"]["id"], None)
        else:
            self.rows[message["execution"]["id"]] = message["execution"]
            self.listed.add(message["execution"]["id"])

    def is_right(self) -> bool:
        """Whether the mirror is what the query answers."""
        rows: dict[str, Message] = {}
        page: dict[str, Any] = {"hasNextPage": True, "endCursor": None}
        while page["hasNextPage"]:
            variables = {"filter": self._filter, "after": page["endCursor"]}
            answer = self._door.ask(LIST, **variables)["executionsConnection"]
            rows |= {row["id"]: row for row in answer["nodes"]}
            page = answer["pageInfo"]
        return rows == self.rows and answer["statusCounts"] == self.counts


class Load(threading.Thread):
    """Starts executions that change and end, and cancels many at once, until `stop`."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__()
        self._client = httpx.Client(base_url=server.url, timeout=30, trust_env=False)
        self._door = GraphQLDoor(self._client)
        self._stopped = threading.Event()
        self.started = 0

    def run(self) -> None:
        with self._client:
            for pipeline in cycle(("several-v1", "waiting", "waiting", "failing", "echo")):
                self._door.start(pipeline)
                self.started += 1
                # Many change in the same moment, and the reader can be cut off between them.
                if self.started % BURST == 0:
                    self._door.ask(CANCEL_WAITING)
                if self._stopped.wait(0.02):
                    return

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self.join()


async def check_becomes_right(follower: ListFollower) -> None:
    """A last life, for as long as it takes."""
    life = asyncio.create_task(follower.follow())
    try:
        await patience.until(lambda: life.done() or follower.is_right())
        assert not life.done(), life.result()
    finally:
        life.cancel()
        await asyncio.wait([life])


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("filter", FILTERS)
async def test_list_while_all_goes_on(
    tmp_path: Path, chance: Random, filter: Message, cuts: int
) -> None:
    """Cut off many times while executions start, change and end, a mirror equals the query.

    As long as nothing is forgotten the list is never told anew.
    """
    with serving(tmp_path, "--grace", "1", hurry=ENDS_SOON) as server:
        follower = ListFollower(server, filter)
        with Load(server) as load:
            for _ in range(cuts):
                await follower.live_a_moment(chance)
            await follower.live_until(lambda: load.started > 2 * BURST, chance)
            await follower.live_until(lambda: len(follower.listed) > BURST, chance)
        await check_becomes_right(follower)
    assert follower.resets == 0


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.campaign
async def test_list_that_is_forgotten(tmp_path: Path, chance: Random, cuts: int) -> None:
    """Also when it is told anew all the time, because executions leave."""
    with serving(tmp_path, "--grace", "1", "--retention", "0.5", hurry=ENDS_SOON) as server:
        follower = ListFollower(server, {})
        with Load(server):
            for _ in range(cuts):
                await follower.live_a_moment(chance)
            await follower.live_until(lambda: bool(follower.resets), chance)
        await check_becomes_right(follower)


async def test_list_after_a_restart(tmp_path: Path) -> None:
    """A cursor of the server before is unknown: RESET, then the list as it is now."""
    with serving(tmp_path, "--grace", "1", hurry=ENDS_SOON) as server:
        lost = ListFollower(server, {})
        door = GraphQLDoor(server.client)
        id = door.start("waiting")
        await check_becomes_right(lost)
        assert set(lost.rows) == {id}
    with serving(tmp_path, "--grace", "1", hurry=ENDS_SOON) as server:
        door = GraphQLDoor(server.client)
        id = door.start("waiting")
        again = ListFollower(server, {})
        again.rows, again.caught_up, again.cursor = lost.rows, True, lost.cursor
        await check_becomes_right(again)
    assert again.resets == 1 and set(again.rows) == {id}
