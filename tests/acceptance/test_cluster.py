"""A cluster of real processes: what one starts, all show, whoever of them goes."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cluster_processes import LEASE_SECONDS, a_cluster, ask
from deadlines import eventually
from postgres_server import PostgresServer
from server_process import ServerProcess, serving
from subscriptions import connected, whole

START = "mutation ($of: ID!, $input: String!, $key: String) { startExecution(pipelineId: $of, \
input: $input, options: { idempotencyKey: $key }) { execution { id } userErrors { code } } }"
ONE = "query ($id: ID!) { execution(id: $id) { id status endReason currentStage output sequence \
stages { id status attempt attempts { number status error { type } } } } }"
CANCEL = "mutation ($id: ID!) { cancelExecution(id: $id) { execution { id status } } }"
PAST = "{ executionsConnection(includeHistory: true) { nodes { id stages { output { text } } } } }"
STALE = "{ server { stale engine } executions { id } }"

PIPELINE = """
pipeline: {{id: {id}, name: In three steps, version: 1.0.0}}
stages:
  - {{id: first, command: [sh, -c, 'echo first >> {notes}; cat']}}
  - {{id: second, {second}}}
  - {{id: third, command: [sh, -c, 'echo third >> {notes}; cat']}}
"""
FUNCTIONS = """
import asyncio, time
from pathlib import Path

def blocks(text, context):
    note("second")
    while not Path({gate!r}).exists():
        time.sleep(0.01)
    return text

async def waits(text, context):
    note("second")
    while not Path({gate!r}).exists():
        await asyncio.sleep(0.01)
    return text

def note(what):
    with open({notes!r}, "a") as notes:
        print(what, file=notes)
"""


class Steps:
    """A folder of pipelines with three stages, of which the second waits until it is let go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "pipelines"
        self.folder.mkdir()
        self._notes, self._gate = folder / "notes", folder / "gate"
        places = {"notes": str(self._notes), "gate": str(self._gate)}
        (self.folder / "steps.py").write_text(FUNCTIONS.format(**places))
        waits = f"echo second >> {self._notes}; while ! test -e {self._gate}; do sleep 0.02; done"
        of_kind = {
            "command": f"command: [sh, -c, '{waits}; cat']",
            "function": 'call: "steps:blocks"',
            "async": 'call: "steps:waits"',
        }
        for kind, second in of_kind.items():
            content = PIPELINE.format(id=kind, second=second, notes=self._notes)
            (self.folder / f"{kind}.yaml").write_text(content)

    @property
    def done(self) -> list[str]:
        """What the stages have noted so far: that they have begun."""
        return self._notes.read_text().split() if self._notes.exists() else []

    def go_on(self) -> None:
        self._gate.touch()

    @property
    def flags(self) -> list[str]:
        return ["--pipelines", str(self.folder)]


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    return Steps(tmp_path)


def start(
    server: ServerProcess, pipeline: str, input: str = "hello", key: str | None = None
) -> str:
    answer = ask(server, START, of=pipeline, input=input, key=key)
    id: str = answer["startExecution"]["execution"]["id"]
    return id


def one(server: ServerProcess, id: str) -> dict[str, Any]:
    execution: dict[str, Any] | None = ask(server, ONE, id=id)["execution"]
    return execution or {"status": "UNKNOWN"}


def ended(server: ServerProcess, id: str) -> dict[str, Any]:
    """As soon as it has."""
    terminal = ("COMPLETED", "FAILED", "CANCELLED")
    return eventually(lambda: (now := one(server, id))["status"] in terminal and now)  # type: ignore[return-value]


def test_any_replica_shows_streams_and_cancels(tmp_path: Path) -> None:
    """Logs and large values too, of which only the worker has had the text."""
    with a_cluster(tmp_path) as cluster:
        first, second = cluster.server(), cluster.server()
        cluster.worker()
        done = start(first, "several-v1", "é" * 100_000)
        assert ended(second, done)["status"] == "COMPLETED"
        listed = [server.client.get("/api/executions").json() for server in (first, second)]
        assert listed[0] == listed[1]
        outputs = [
            server.client.get(f"/api/executions/{done}").json() for server in (first, second)
        ]
        assert outputs[0] == outputs[1]
        running = start(first, "waiting")
        eventually(lambda: one(second, running)["currentStage"] == 1)
        begun = time.monotonic()
        ask(second, CANCEL, id=running)
        for server in (first, second):
            assert ended(server, running)["status"] == "CANCELLED"
        assert time.monotonic() - begun < 5
        keys = {start(server, "echo", key="once") for server in (first, second, first)}
        assert len(keys) == 1


async def test_a_cursor_of_one_replica_is_good_on_another(tmp_path: Path) -> None:
    """Half is read here and the rest there: no gap, nothing twice, no RESET, the output whole."""
    with a_cluster(tmp_path) as cluster:
        first, second = cluster.server(), cluster.server()
        cluster.worker()
        stop = tmp_path / "enough"
        id = start(first, "talking", str(stop))
        await asyncio.to_thread(eventually, lambda: one(second, id)["status"] == "RUNNING")
        seen: list[dict[str, Any]] = []
        servers = [first, second] * 3
        for server in servers[:-1]:
            async with connected(server.ws_url) as socket:
                after = seen[-1]["cursor"] if seen else None
                messages = socket.progress(id, after=after)
                async for message in messages:
                    seen.append(message)
                    if message["output"] and len(seen) % 20 == 0:
                        break
        stop.touch()
        async with connected(servers[-1].ws_url) as socket:
            seen += await whole(socket.progress(id, after=seen[-1]["cursor"]))
        numbers = [message["sequence"] for message in seen]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert "RESET" not in {message["event"] for message in seen}
        check_lines(seen)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("command", "kill"),
        ("async", "freeze"),
        pytest.param("command", "freeze", marks=pytest.mark.campaign),
        pytest.param("function", "kill", marks=pytest.mark.campaign),
        pytest.param("function", "freeze", marks=pytest.mark.campaign),
        pytest.param("async", "kill", marks=pytest.mark.campaign),
    ],
)
def test_a_worker_that_goes_leaves_nothing_undone(
    tmp_path: Path, steps: Steps, kind: str, fault: str
) -> None:
    """Another one goes on at the stage that was interrupted; what was done is not done again."""
    with a_cluster(tmp_path) as cluster:
        server = cluster.server(*steps.flags)
        victim = cluster.worker(*steps.flags)
        id = start(server, kind)
        eventually(lambda: steps.done == ["first", "second"])
        eventually(lambda: one(server, id)["currentStage"] == 2)
        (victim.kill if fault == "kill" else victim.freeze)()
        gone = time.monotonic()
        cluster.worker(*steps.flags)
        eventually(lambda: steps.done == ["first", "second", "second"])
        assert time.monotonic() - gone < LEASE_SECONDS + 10
        steps.go_on()
        after = ended(server, id)
        assert (after["status"], after["output"]) == ("COMPLETED", "hello")
        assert [stage["attempt"] for stage in after["stages"]] == [1, 2, 1]
        assert after["stages"][1]["attempts"][0]["error"]["type"] == "Interrupted"
        if fault == "freeze":
            # It finds that what it ran is no longer its own; what it says does not count.
            victim.thaw()
            later = start(server, kind)
            ended(server, later)
            assert one(server, id) == after
            assert steps.done[4:] == ["first", "second", "third"]
        assert steps.done[:4] == ["first", "second", "second", "third"]


def test_a_worker_that_is_told_to_stop_hands_over(tmp_path: Path, steps: Steps) -> None:
    """At the end of its grace, and not when its lease has run out."""
    with a_cluster(tmp_path) as cluster:
        server = cluster.server(*steps.flags)
        leaving = cluster.worker(*steps.flags, "--shutdown-grace", "0.2")
        id = start(server, "async")
        eventually(lambda: steps.done == ["first", "second"])
        cluster.worker(*steps.flags)
        leaving.process.terminate()
        assert leaving.process.wait(20) == 0
        eventually(lambda: steps.done == ["first", "second", "second"])
        steps.go_on()
        assert ended(server, id)["status"] == "COMPLETED"
        assert "runcast: stopped" in leaving.complained


@pytest.mark.parametrize(
    "seconds",
    [1.0, *(pytest.param(seconds, marks=pytest.mark.campaign) for seconds in (4.0, 20.0))],
)
async def test_the_broker_goes_and_comes_back(tmp_path: Path, seconds: float) -> None:
    """Lists answer and say that they are stale, starts are refused, stages go on: all is there."""
    with a_cluster(tmp_path) as cluster:
        servers = [cluster.server(), cluster.server()]
        cluster.worker()
        stop = tmp_path / "enough"
        id = start(servers[0], "talking", str(stop))
        await asyncio.to_thread(eventually, lambda: one(servers[1], id)["status"] == "RUNNING")
        async with connected(servers[0].ws_url) as here, connected(servers[1].ws_url) as there:
            told = [
                asyncio.create_task(whole(here.progress(id))),
                asyncio.create_task(whole(there.progress(id))),
            ]
            await asyncio.sleep(0.5)  # some of its lines come before
            cluster.broker.kill()
            gone = time.monotonic()
            await asyncio.to_thread(while_it_is_away, servers)
            await asyncio.sleep(max(0.0, seconds - (time.monotonic() - gone)))
            await asyncio.to_thread(cluster.broker.start)
            for server in servers:
                await asyncio.to_thread(until_ready, server)
            stop.touch()
            histories = await asyncio.gather(*told)
        for history in histories:
            check(history)
        listed = [{e["id"] for e in ask(server, STALE)["executions"]} for server in servers]
        assert listed == [{id}, {id}]


def until_ready(server: ServerProcess) -> None:
    eventually(lambda: server.client.get("/readyz").status_code == 200)


def while_it_is_away(servers: list[ServerProcess]) -> None:
    """What each of them answers meanwhile."""
    for server in servers:
        eventually(lambda: ask(server, STALE)["server"]["stale"])  # noqa: B023
        assert len(ask(server, STALE)["executions"]) == 1
        assert server.client.get("/readyz").status_code == 503
        begun = time.monotonic()
        refused = ask(server, START, of="echo", input="lost")["startExecution"]
        assert [error["code"] for error in refused["userErrors"]] == ["UNAVAILABLE"]
        assert time.monotonic() - begun < 2.5


def check(history: list[dict[str, Any]]) -> None:
    """What a follower was told holds together, from its snapshot to the one end.

    A stage whose lease has run out meanwhile may have run again, which its attempt says.
    """
    numbers = [message["sequence"] for message in history]
    assert numbers == sorted(set(numbers))
    ends = [m for m in history if m["status"] in ("COMPLETED", "FAILED", "CANCELLED")]
    assert len(ends) == 1 and ends[0] is history[-1], ends
    assert ends[0]["status"] == "COMPLETED"
    resets = [at for at, message in enumerate(history) if message["event"] == "RESET"]
    for before, after in pairwise(history):
        assert after["sequence"] == before["sequence"] + 1 or after["event"] == "RESET"
    if not resets:
        check_lines(history)


def check_lines(history: list[dict[str, Any]]) -> None:
    """The stage counts its lines: none is missing, none comes twice."""
    said = "".join(message["output"]["text"] for message in history if message["output"])
    lines = said.split("\n")[1:-1]
    begin = int(lines[0].removeprefix("line "))
    assert lines == [f"line {begin + number}" for number in range(len(lines))]


def test_a_replica_begins_without_a_broker(tmp_path: Path) -> None:
    """It says what is missing, is not ready, and is as soon as the broker is there."""
    with a_cluster(tmp_path) as cluster:
        known = cluster.server()
        cluster.worker()
        id = start(known, "echo")
        ended(known, id)
        cluster.broker.kill()
        (tmp_path / "late").mkdir()
        with serving(tmp_path / "late", *cluster.flags) as late:
            assert late.client.get("/readyz").status_code == 503
            assert ask(late, STALE) == {
                "server": {"stale": True, "engine": "cluster"},
                "executions": [],
            }
            assert late.client.get("/healthz").json()["status"] == "degraded"
            assert late.complained.count("\n") < 5
            cluster.broker.start()
            until_ready(late)
            assert [e["id"] for e in ask(late, STALE)["executions"]] == [id]


def test_ends_are_in_the_history_of_all(tmp_path: Path, postgres: PostgresServer) -> None:
    """Beyond their time in the lists, with log and value; also those from when it was away."""
    flags = ["--database", postgres.new_database(), "--retention", "1"]
    with a_cluster(tmp_path) as cluster:
        servers = [cluster.server(*flags), cluster.server(*flags)]
        cluster.worker(*flags[:2])
        ids = [start(servers[0], "several-v1", "é" * 20_000, key="first")]
        ended(servers[1], ids[0])
        with postgres.killed():
            ids.append(start(servers[0], "several-v1"))
            eventually(lambda: in_the_list(servers[1], ids[1]) == "COMPLETED")
            assert servers[0].client.get("/readyz").status_code == 200
        for server in servers:
            eventually(lambda: not ask(server, STALE)["executions"])  # noqa: B023
            eventually(lambda: set(past(server)) == set(ids))  # noqa: B023
            assert past(server)[ids[0]] == "É" * 20_000
            assert server.client.get(f"/api/executions/{ids[0]}").status_code == 200
        assert start(servers[1], "several-v1", "é" * 20_000, key="first") == ids[0]


def in_the_list(server: ServerProcess, id: str) -> str | None:
    listed = server.client.get("/api/executions").json()["executions"]
    return next((one["status"].upper() for one in listed if one["id"] == id), None)


def past(server: ServerProcess) -> dict[str, Any]:
    """The values of the second stages, by the id of their execution."""
    found = ask(server, PAST)["executionsConnection"]["nodes"]
    return {one["id"]: one["stages"][1]["output"]["text"] for one in found}
