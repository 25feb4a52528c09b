"""What requests cost, by the number of executions that are held."""

import itertools
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .agreement import check
from .changing import Changes
from .contestants import Peer, Running, run_ours, run_peer
from .executions import fill, hand_over, pipelines
from .http_load import load
from .machine import Cores, Meter, wait_until_quiet
from .measures import CHANGING, DETAIL, LIST, PAGE, REST, UNFOLLOWED, Measure, Readings
from .options import Options
from .progress import say
from .requests import FIRST_PAGE, GRAPHQL_LIST, REST_LIST, Request, detail

CLIENTS = 8
LEAST_REQUESTS = 4
PROBES = 3
MICRO = 1e6


@dataclass(frozen=True, slots=True)
class Contest:
    """A request that a server answers so often in a round."""

    server: Running
    request: Request
    number: int

    def cost(self) -> float:
        """Seconds on the processor for each request."""
        meter = Meter(self.server.served.pid)
        self.take()
        return meter.seconds() / self.number

    def cost_beyond(self, changes_seconds: float) -> float:
        """As `cost`, less what the changes meanwhile take of each second."""
        begun, meter = time.perf_counter(), Meter(self.server.served.pid)
        self.take()
        taken, used = time.perf_counter() - begun, meter.seconds()
        return (used - changes_seconds * taken) / self.number

    def take(self) -> None:
        asked = itertools.repeat(self.request.bytes, self.number)
        load(self.server.served.place, asked, min(CLIENTS, self.number))


def measure(
    cores: Cores, peers: Iterable[Peer], options: Options, wanted: set[Measure], readings: Readings
) -> None:
    """All sizes, each with new servers."""
    for size in options.held:
        say(f"{size:,} executions")
        with ExitStack() as stack:
            ours, wires = stack.enter_context(run_ours(cores, pipelines()))
            at_work = fill(ours, wires, size)
            file = Path(stack.enter_context(tempfile.TemporaryDirectory()), "executions.json")
            executions = hand_over(ours.served, file)
            servers = [
                ours,
                *(stack.enter_context(run_peer(cores, peer, file)) for peer in peers),
            ]
            requests = {
                LIST: GRAPHQL_LIST,
                REST: REST_LIST,
                PAGE: FIRST_PAGE,
                DETAIL: detail(executions[0]["id"]),
            }
            check(servers, requests.values(), size)
            _rest(servers, requests, options, wanted, size, readings)
            if size >= 100 and wanted & {CHANGING, UNFOLLOWED}:
                _changing(servers, at_work, options, size, readings)


def _rest(
    servers: list[Running],
    requests: dict[Measure, Request],
    options: Options,
    wanted: set[Measure],
    size: int,
    readings: Readings,
) -> None:
    contests = [
        (measure, warmed(server, request, options))
        for measure, request in requests.items()
        for server in servers
        if measure in wanted and request.door in server.doors
    ]
    for _ in range(options.rounds):
        for measure, contest in contests:
            readings.add(measure, size, contest.server.name, contest.cost() * MICRO)


def _changing(
    servers: list[Running], at_work: list[str], options: Options, size: int, readings: Readings
) -> None:
    """Each server only while it is measured."""
    able = [server for server in servers if GRAPHQL_LIST.door in server.doors]
    contests = [warmed(server, GRAPHQL_LIST, options) for server in able]
    changes = {server.name: Changes(server, at_work) for server in able}
    for _ in range(options.rounds):
        for contest in contests:
            name, pid = contest.server.name, contest.server.served.pid
            wait_until_quiet(pid)
            with changes[name].happening():
                alone, cost = _background(pid, changes[name], options.seconds * 2)
                readings.add(UNFOLLOWED, size, name, cost * MICRO)
                readings.add(CHANGING, size, name, contest.cost_beyond(alone) * MICRO)


def _background(pid: int, changes: Changes, seconds: float) -> tuple[float, float]:
    """What the changes alone take of each second, and each of them."""
    meter, number, begun = Meter(pid), changes.number, time.perf_counter()
    time.sleep(seconds)
    used, taken = meter.seconds(), time.perf_counter() - begun
    return used / taken, used / max(1, changes.number - number)


def warmed(server: Running, request: Request, options: Options) -> Contest:
    """With as many requests as take about the seconds of a round."""
    begun = time.perf_counter()
    Contest(server, request, PROBES).take()
    estimate = (time.perf_counter() - begun) / PROBES
    Contest(server, request, 1 + int(options.warm_seconds / estimate)).take()
    begun = time.perf_counter()
    probe = Contest(server, request, max(PROBES, int(options.seconds / 4 / estimate)))
    probe.take()
    rate = probe.number / (time.perf_counter() - begun)
    return Contest(server, request, max(LEAST_REQUESTS, int(options.seconds * rate)))
