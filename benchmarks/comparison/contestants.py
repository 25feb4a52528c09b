"""The servers that are measured: runcast as it is delivered, and its peers."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from served import Served, place_of, served

from .machine import Cores
from .wires import Wires

PEERS = Path(__file__).parent.parent / "peers"
STAGES = Path(__file__).with_name("stage_functions.py")
OURS = "runcast"
# The limits are those of any server, but for how much there may be.
FLAGS = (
    *("--retention", "86400"),
    *("--history-max", "20000"),
    *("--max-concurrent", "128"),
    *("--queue", "5000"),
    *("--memory", "4096"),
    *("--max-connections", "8000"),
)


@dataclass(frozen=True, slots=True)
class Peer:
    """How to start a server, and which of the works it can do."""

    name: str
    command: tuple[str, ...]
    doors: frozenset[str]
    """Of `GraphQL`, `REST`, `followers`."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs."""

    name: str
    served: Served
    doors: frozenset[str]
    change: Callable[[str], None]
    """Takes `progress ID SHARE`, it has got so far, or `output ID TEXT`, it has written that."""


ALL = frozenset({"GraphQL", "REST", "followers"})
PLAIN = Peer("plain Strawberry", (sys.executable, str(PEERS / "plain.py")), ALL)


@contextmanager
def javascript_peers(enabled: bool) -> Iterator[list[Peer]]:
    """Those that are there; what is missing is printed. Installed into a temporary folder."""
    npm = shutil.which("npm")
    if not enabled or not npm or not shutil.which("node"):
        why = "as you wish" if not enabled else "there is no Node with npm"
        print(f"left out, {why}: mercurius with its compiler, graphql-yoga, Bun\n")
        yield []
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "peers")
        shutil.copytree(PEERS, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        install = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.run(install, cwd=folder, stdout=subprocess.DEVNULL).returncode:
            print("left out, npm could not install them: mercurius, graphql-yoga, Bun\n")
            yield []
        else:
            yield _in_javascript(folder)


def _in_javascript(folder: Path) -> list[Peer]:
    def server(name: str, program: str, file: str, doors: frozenset[str]) -> Peer:
        return Peer(name, (program, str(folder / file)), doors)

    peers = [
        server("mercurius, jit", "node", "mercurius.mjs", ALL),
        server("graphql-yoga", "node", "yoga.mjs", ALL - {"REST"}),
    ]
    bun = str(folder / "node_modules" / ".bin" / "bun")
    if subprocess.run([bun, "--version"], capture_output=True).returncode:
        print("left out, it does not run on this machine: Bun\n")
        return peers
    return [*peers, server("Bun, no GraphQL", bun, "bun.mjs", ALL - {"GraphQL"})]


@contextmanager
def run_ours(cores: Cores, pipelines: dict[str, str]) -> Iterator[tuple[Running, Wires]]:
    """`runcast serve` with these pipelines, and the wires to their stages."""
    with closing(Wires()) as wires, ExitStack() as stack:
        files = {**pipelines, STAGES.name: STAGES.read_text(), "port": str(wires.port)}
        with cores.for_servers():
            server = stack.enter_context(served(files, *FLAGS))
        yield Running(OURS, server, ALL, wires.send), wires


@contextmanager
def run_peer(cores: Cores, peer: Peer, executions: Path) -> Iterator[Running]:
    """A peer with the executions of that file."""
    environment = {
        **os.environ,
        "NODE_ENV": "production",
        "NODE_NO_WARNINGS": "1",
        "EXECUTIONS": str(executions),
    }
    with cores.for_servers():
        process = subprocess.Popen(
            peer.command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
    assert process.stdin is not None
    try:
        served_at = Served(place_of(process, " ".join(peer.command)), process.pid)
        lines = process.stdin
        yield Running(peer.name, served_at, peer.doors, lambda line: _send(lines, line))
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _send(lines: IO[str], line: str) -> None:
    lines.write(line + "\n")
