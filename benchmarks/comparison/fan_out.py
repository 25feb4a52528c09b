"""What a message costs that many subscribers of one execution are sent, and when they have it."""

import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from .contestants import OURS, Peer, Running, run_ours, run_peer
from .executions import hand_over, pipelines, start
from .followers import Followers
from .machine import Cores, Meter, memory_bytes, wait_until_quiet
from .measures import (
    CONNECTION,
    FOLLOWER,
    FOLLOWER_MEMORY,
    MESSAGE,
    P50,
    P99,
    SNAPSHOTS,
    Readings,
)
from .options import Options
from .progress import say

MICRO = 1e6
DESCRIPTORS = 2
"""Of a follower at most, here or in the server, with room for the rest."""
SNAPSHOT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Pace:
    """So many events, and so many of them a second."""

    events: int
    a_second: float


PACES = ((1000, Pace(40, 20)), (5000, Pace(12, 4)))
SLOW_PACE = Pace(4, 1)
WARM_FOLLOWERS, WARM_PACE = 20, Pace(50, 20)


def pace(followers: int) -> Pace:
    """So that a fast server has time to spare, and a slow one has none."""
    return next((one for below, one in PACES if followers < below), SLOW_PACE)


@dataclass(slots=True)
class Contest:
    """A server and the execution that is followed there."""

    server: Running
    id: str
    memory_before: int = 0

    def warm(self) -> None:
        with closing(Followers(self.server.served.place, self.id, WARM_FOLLOWERS)) as followers:
            followers.subscribe()
            wait_until_quiet(self.server.served.pid)
            self.publish(followers, WARM_FOLLOWERS, WARM_PACE)
            followers.delivery()
        wait_until_quiet(self.server.served.pid)
        self.memory_before = memory_bytes(self.server.served.pid)

    def publish(self, followers: Followers, number: int, pace: Pace) -> None:
        """Each event carries the time at which it was asked for."""
        followers.expect(number * pace.events)
        due = time.monotonic()
        for _ in range(pace.events):
            time.sleep(max(0, due - time.monotonic()))
            self.server.change(f"output {self.id} {time.monotonic_ns()}")
            due += 1 / pace.a_second


def measure(
    cores: Cores, peers: Iterable[Peer], options: Options, descriptors: int, readings: Readings
) -> None:
    """All numbers of followers, by the same servers."""
    with ExitStack() as stack:
        ours, wires = stack.enter_context(run_ours(cores, pipelines()))
        [id] = start(ours.served, "talking", 1)
        wires.wait_for(1)
        file = Path(stack.enter_context(tempfile.TemporaryDirectory()), "executions.json")
        hand_over(ours.served, file)
        running = [stack.enter_context(run_peer(cores, peer, file)) for peer in peers]
        contests = [Contest(server, id) for server in [ours, *running]]
        for contest in contests:
            contest.warm()
        for size in options.followers:
            if size * DESCRIPTORS > descriptors:
                print(f"left out, this machine grants too few descriptors: {size} followers\n")
                continue
            say(f"{size:,} followers")
            for _ in range(options.rounds):
                for contest in contests:
                    _read(contest, size, readings)


def _read(contest: Contest, size: int, readings: Readings) -> None:
    name, pid = contest.server.name, contest.server.served.pid
    meter = Meter(pid)
    with closing(Followers(contest.server.served.place, contest.id, size)) as followers:
        wait_until_quiet(pid)
        connected = meter.seconds()
        followers.subscribe()
        if name == OURS and (taken := followers.snapshots(SNAPSHOT_SECONDS)) is not None:
            readings.add(SNAPSHOTS, size, name, taken)
        wait_until_quiet(pid)
        subscribed = meter.seconds()
        readings.add(CONNECTION, size, name, connected / size * MICRO)
        readings.add(FOLLOWER, size, name, (subscribed - connected) / size * MICRO)
        if size >= 1000:
            grown = memory_bytes(pid) - contest.memory_before
            readings.add(FOLLOWER_MEMORY, size, name, grown / size / 1024)
        _deliver(contest, followers, size, readings)
    wait_until_quiet(pid)


def _deliver(contest: Contest, followers: Followers, size: int, readings: Readings) -> None:
    name, meter = contest.server.name, Meter(contest.server.served.pid)
    contest.publish(followers, size, pace(size))
    delivery = followers.delivery()
    readings.add(MESSAGE, size, name, meter.seconds() / delivery.messages * MICRO)
    readings.add(P50, size, name, delivery.p50)
    readings.add(P99, size, name, delivery.p99)
