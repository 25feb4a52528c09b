"""A client that starts by keys starts nothing twice, however often the server is killed."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import pytest
from doors import GraphQLDoor, Refused
from keyed_starts import KeyedDoor, KeyedGraphQL, KeyedRest
from server_process import ServerProcess, serving

PIPELINES = ("echo", "several-v1", "waiting")
PAGE = """query ($after: String) {
  executionsConnection(includeHistory: true, first: 250, after: $after) {
    nodes { inputPreview } pageInfo { endCursor hasNextPage } } }"""


@dataclass
class Client:
    """Starts something new by each key, and asks again by the same key until it is told an id."""

    name: str
    door: type[KeyedRest] | type[KeyedGraphQL]
    ids: dict[str, str] = field(default_factory=dict)
    """What was acknowledged, by key."""
    found: int = 0
    """How often a key had started something that its client was not told of."""

    def run(self, server: ServerProcess, first: threading.Event) -> None:
        """Until the server is gone."""
        with httpx.Client(base_url=server.url, timeout=10, trust_env=False) as client:
            door: KeyedDoor = self.door(client)
            while True:
                key = f"{self.name} {len(self.ids)}"
                pipeline = PIPELINES[len(self.ids) % len(PIPELINES)]
                try:
                    begun = door.start(pipeline, key, key)
                except httpx.TransportError:
                    return
                except Refused as refused:
                    # More wait than may: it is no start, and the key is tried again.
                    assert refused.code == "CAPACITY", refused
                    return
                self.found += begun.existing
                self.ids[key] = begun.id
                first.set()


@pytest.mark.parametrize("kills", [1, pytest.param(30, marks=pytest.mark.campaign)])
def test_kill_nine(tmp_path: Path, chance: Random, kills: int) -> None:
    """Each key has one execution: the one that its client was told of, or comes to be told of."""
    clients = [Client("a", KeyedRest), Client("b", KeyedGraphQL), Client("c", KeyedRest)]
    for number in range(kills):
        with serving(tmp_path) as server:
            check(server, clients)
            # Often before the second answer: a start that is not acknowledged is what matters.
            run_until_killed(server, clients, chance.uniform(0, 0.4 if number % 2 else 0.03))
    with serving(tmp_path) as server:
        for client in clients:
            ask_again(server, client)
        check(server, clients)
        recorded = by_input(server)
    assert set(recorded.values()) == {1}
    assert recorded.keys() == {key for client in clients for key in client.ids}
    assert len(recorded) > kills


def run_until_killed(server: ServerProcess, clients: list[Client], seconds: float) -> None:
    """All clients at once; the server is killed `seconds` after the first answer."""
    first = threading.Event()
    threads = [threading.Thread(target=client.run, args=(server, first)) for client in clients]
    for thread in threads:
        thread.start()
    assert first.wait(30)
    time.sleep(seconds)  # the random moment
    server.process.kill()
    for thread in threads:
        thread.join()
    server.process.wait(20)


def ask_again(server: ServerProcess, client: Client) -> None:
    """By every key, the one among them that was never answered."""
    door: KeyedDoor = client.door(server.client)
    for number in range(len(client.ids) + 1):
        key = f"{client.name} {number}"
        begun = door.start(PIPELINES[number % len(PIPELINES)], key, key)
        assert begun.id == client.ids.setdefault(key, begun.id)


def check(server: ServerProcess, clients: list[Client]) -> None:
    """No key has two executions, and none that was acknowledged is missing."""
    recorded = by_input(server)
    assert all(number == 1 for number in recorded.values())
    for client in clients:
        assert client.ids.keys() <= recorded.keys()


def by_input(server: ServerProcess) -> Counter[str]:
    """How many executions there are of each input, live or not."""
    found: Counter[str] = Counter()
    door, after, more = GraphQLDoor(server.client), None, True
    while more:
        page = door.ask(PAGE, after=after)["executionsConnection"]
        found.update(node["inputPreview"] for node in page["nodes"])
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return found
