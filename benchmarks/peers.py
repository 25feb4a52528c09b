"""What requests and messages cost beside other servers: `python benchmarks/peers.py`.

Runs a real `runcast serve` with all its limits, plain Strawberry on uvicorn, and, where Node is
there, mercurius with its compiler, graphql-yoga, and Bun without GraphQL (installed by npm into a
temporary folder). The executions are made on runcast through its API and handed to the others;
before anything is measured, all must give the same answers. Then they are measured in turn, round
by round, because the machine may be noisy: what counts is the time on the processor of the server
and all its children for each request or message, and its ratio to ours in the same round. Servers
run on the first core, the load comes from the second. `--quick` takes a few minutes, everything
about half an hour. `--write` writes the tables into README.md and docs/performance.md and
draws docs/images/peers.svg (needs matplotlib). Linux only.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace

from comparison import fan_out, held, papers, starting
from comparison.contestants import PLAIN, Peer, javascript_peers
from comparison.drawing import draw
from comparison.machine import Cores, allow_descriptors
from comparison.measures import CHANGING, DETAIL, LIST, PAGE, REST, UNFOLLOWED, Readings
from comparison.options import QUICK, Options
from comparison.table import tables

HELD = {
    "list": {LIST},
    "rest": {REST},
    "changing": {CHANGING, UNFOLLOWED},
    "page": {PAGE},
    "detail": {DETAIL},
}
PARTS = (*HELD, "followers", "first-answer", "starts")


def main() -> None:
    arguments = _arguments()
    options = QUICK if arguments.quick else Options()
    chosen = {name: getattr(arguments, name) for name in ("rounds", "held", "followers")}
    options = replace(options, **{name: each for name, each in chosen.items() if each})
    cores, descriptors, readings = Cores(), allow_descriptors(), Readings()
    cores.take_load()
    with javascript_peers(not arguments.python_only) as others:
        measure(cores, [PLAIN, *others], options, arguments.only, descriptors, readings)
    print("Medians of the rounds; in brackets how many times ours that is.\n")
    for table in tables(readings):
        print(table.as_text(), end="\n\n")
    if arguments.write:
        papers.write(readings, options)
    if arguments.draw or arguments.write:
        draw(readings, papers.PICTURE)


def measure(
    cores: Cores,
    peers: Sequence[Peer],
    options: Options,
    parts: Sequence[str],
    descriptors: int,
    readings: Readings,
) -> None:
    wanted = {measure for name in HELD if name in parts for measure in HELD[name]}
    if wanted:
        held.measure(cores, peers, options, wanted, readings)
    if "followers" in parts:
        fan_out.measure(cores, peers, options, descriptors, readings)
    if "first-answer" in parts:
        starting.measure_first_answers(cores, peers, options, readings)
    if "starts" in parts:
        starting.measure_starts(cores, options, readings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="smaller sizes, two short rounds")
    add("--only", nargs="+", choices=PARTS, default=PARTS, help="parts of it", metavar="PART")
    add("--rounds", type=int)
    add("--held", type=int, nargs="+", help="how many executions", metavar="N")
    add("--followers", type=int, nargs="+", help="how many subscribers", metavar="S")
    add("--python-only", action="store_true", help="without the peers in JavaScript")
    add("--draw", action="store_true", help="only the picture")
    add("--write", action="store_true", help="the tables into the documents, and the picture")
    return parser.parse_args()


if __name__ == "__main__":
    main()
