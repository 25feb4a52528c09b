"""What a message costs that many subscribers of one execution are sent, and when they have it."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path

from .contestants import OURS, Peer, Running, run_ours, run_peer
from .executions import hand_over, pipelines, start
from .followers import AGE, Delivery, Followers, Operation
from .machine import Cores, Meter, memory_bytes, wait_until_quiet
from .measures import (
    CONNECTION,
    DIFFERENT_MESSAGE,
    DIFFERENT_P99,
    FOLLOWER,
    FOLLOWER_MEMORY,
    LIST_MESSAGE,
    LIST_P99,
    MESSAGE,
    P50,
    P99,
    SNAPSHOTS,
    Measure,
    Readings,
)
from .options import Options
from .progress import say
from .requests import CHANGES, PROGRESS

MICRO = 1e6
DESCRIPTORS = 2
"""Of a follower at most, here or in the server, with room for the rest."""
SNAPSHOT_SECONDS = 30.0
REPORTING = 8
"""So many executions get further in turn: of one that is faster, only the latest is told."""


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
    """A server and an execution there that is followed by an operation."""

    server: Running
    operation: Operation
    event: Callable[[int], str]
    """What to tell the server to do at a time in nanoseconds; followers are told of that time."""
    memory_before: int = 0
    most: int = 0
    """How many followers it has had at once. What so many have left is used again by others."""

    def followers(self, number: int) -> Followers:
        return Followers(self.server.served.place, self.operation, number)

    def warm(self) -> None:
        with closing(self.followers(WARM_FOLLOWERS)) as followers:
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
            self.server.change(self.event(time.monotonic_ns()))
            due += 1 / pace.a_second


def measure(
    cores: Cores, peers: Iterable[Peer], options: Options, descriptors: int, readings: Readings
) -> None:
    """All numbers of followers, by the same servers."""
    with ExitStack() as stack:
        ours, wires = stack.enter_context(run_ours(cores, pipelines()))
        [talking] = start(ours.served, "talking", 1)
        reporting = start(ours.served, "reporting", REPORTING)
        wires.wait_for(1 + REPORTING)
        file = Path(stack.enter_context(tempfile.TemporaryDirectory()), "executions.json")
        hand_over(ours.served, file)
        running = [stack.enter_context(run_peer(cores, peer, file)) for peer in peers]
        said = partial("output {} {}".format, talking)
        servers = [ours, *running]
        same = Operation(PROGRESS, {"id": talking})
        contests = [Contest(server, same, said) for server in servers]
        different = replace(same, different="after")
        able = [server for server in servers if "GraphQL" in server.doors]
        apart = [Contest(server, different, said) for server in able]
        of_the_list = Contest(ours, Operation(CHANGES), _progress_of(reporting))
        for contest in contests:
            contest.warm()
        sizes = list(_possible(options.followers, descriptors))
        for size in sizes:
            say(f"{size:,} followers")
            for _ in range(options.rounds):
                for contest in contests:
                    _read(contest, size, readings)
        for size in sizes:
            say(f"{size:,} followers of the list, and with variables of their own")
            for _ in range(options.rounds):
                _read_messages(of_the_list, size, LIST_MESSAGE, LIST_P99, readings)
                for contest in apart:
                    _read_messages(contest, size, DIFFERENT_MESSAGE, DIFFERENT_P99, readings)


def _possible(sizes: Iterable[int], descriptors: int) -> Iterator[int]:
    for size in sizes:
        if size * DESCRIPTORS > descriptors:
            print(f"left out, this machine grants too few descriptors: {size} followers\n")
        else:
            yield size


def _read(contest: Contest, size: int, readings: Readings) -> None:
    name, pid = contest.server.name, contest.server.served.pid
    meter = Meter(pid)
    with closing(contest.followers(size)) as followers:
        wait_until_quiet(pid)
        connected = meter.seconds()
        followers.subscribe()
        if name == OURS and (taken := followers.snapshots(SNAPSHOT_SECONDS)) is not None:
            readings.add(SNAPSHOTS, size, name, taken)
        wait_until_quiet(pid)
        subscribed = meter.seconds()
        readings.add(CONNECTION, size, name, connected / size * MICRO)
        readings.add(FOLLOWER, size, name, (subscribed - connected) / size * MICRO)
        if size >= 1000 and size > contest.most:
            grown = memory_bytes(pid) - contest.memory_before
            readings.add(FOLLOWER_MEMORY, size, name, grown / size / 1024)
        contest.most = max(contest.most, size)
        delivery = _deliver(contest, followers, size, MESSAGE, P99, readings)
        readings.add(P50, size, name, delivery.p50)
    wait_until_quiet(pid)


def _read_messages(
    contest: Contest, size: int, message: Measure, p99: Measure, readings: Readings
) -> None:
    pid = contest.server.served.pid
    with closing(contest.followers(size)) as followers:
        followers.subscribe()
        wait_until_quiet(pid)
        _deliver(contest, followers, size, message, p99, readings)
    wait_until_quiet(pid)


def _deliver(
    contest: Contest,
    followers: Followers,
    size: int,
    message: Measure,
    p99: Measure,
    readings: Readings,
) -> Delivery:
    """How the events have arrived; reads what a message has cost, too."""
    name, meter = contest.server.name, Meter(contest.server.served.pid)
    contest.publish(followers, size, pace(size))
    delivery = followers.delivery()
    readings.add(message, size, name, meter.seconds() / delivery.messages * MICRO)
    readings.add(p99, size, name, delivery.p99)
    return delivery


def _progress_of(ids: list[str]) -> Callable[[int], str]:
    in_turn = cycle(ids)
    return lambda nanoseconds: f"progress {next(in_turn)} {nanoseconds / AGE!r}"
