"""How long servers take to be there, how many executions can be started, and what one takes."""

import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from served import ask

from .contestants import OURS, Peer, Running, run_ours, run_peer
from .executions import CLIENTS, fill, hand_over, pipelines, starts, wait_for_end
from .http_load import load
from .machine import Cores, memory_bytes
from .measures import EXECUTION_MEMORY, FIRST_ANSWER, STARTS, Readings
from .options import Options
from .progress import say
from .requests import GRAPHQL_LIST, REST_LIST

ENTERED = 10
WARM_STARTS = 500


def measure_first_answers(
    cores: Cores, peers: Iterable[Peer], options: Options, readings: Readings
) -> None:
    """Each with few executions, ours with none; the first answer is that of the list.

    Nothing else is asked meanwhile, so they have all cores.
    """
    say("first answers")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "executions.json")
        with run_ours(cores, pipelines()) as (ours, wires):
            fill(ours, wires, ENTERED)
            hand_over(ours.served, file)
        cores = cores.without_load()
        for _ in range(options.rounds):
            _add_first_answer(OURS, lambda: run_ours(cores, pipelines()), readings)
            for peer in peers:
                _add_first_answer(peer.name, lambda: run_peer(cores, peer, file), readings)  # noqa: B023


def _add_first_answer(
    name: str,
    run: Callable[[], AbstractContextManager[Running | tuple[Running, object]]],
    readings: Readings,
) -> None:
    begun = time.perf_counter()
    with run() as entered:
        server = entered[0] if isinstance(entered, tuple) else entered
        request = GRAPHQL_LIST if GRAPHQL_LIST.door in server.doors else REST_LIST
        ask(server.served.connect(), request.target)
        readings.add(FIRST_ANSWER, 0, name, (time.perf_counter() - begun) * 1000)


def measure_starts(cores: Cores, options: Options, readings: Readings) -> None:
    """Of ours alone: peers run nothing. The first executions warm the server up."""
    say("starts")
    for _ in range(min(3, options.rounds)):
        with run_ours(cores, pipelines()) as (ours, _):
            server = ours.served
            load(server.place, starts(WARM_STARTS), CLIENTS)
            wait_for_end(server)
            before = memory_bytes(server.pid)
            taken = load(server.place, starts(options.starts), CLIENTS)
            wait_for_end(server)
            grown = memory_bytes(server.pid) - before
            readings.add(STARTS, 0, OURS, options.starts / taken)
            readings.add(EXECUTION_MEMORY, 0, OURS, grown / options.starts / 1024)
