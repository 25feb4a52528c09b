"""A real server on a free port, for as long as a benchmark needs it."""

import http.client
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

JSON_HEADERS = {"Content-Type": "application/json"}
Target = tuple[str, str, str | None]


@dataclass(frozen=True)
class Served:
    """Where a server listens, and its process."""

    place: str
    pid: int

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.place)

    def ask_json(self, target: Target) -> dict[str, object]:
        answer: dict[str, object] = json.loads(ask(self.connect(), target))
        return answer


@contextmanager
def served(files: Mapping[str, str], *flags: str) -> Iterator[Served]:
    """A server with these files in its pipelines folder."""
    with tempfile.TemporaryDirectory() as folder:
        pipelines = Path(folder, "pipelines")
        pipelines.mkdir()
        for name, content in files.items():
            (pipelines / name).write_text(content)
        command = [sys.executable, "-m", "runcast", "serve", "--port", "0", *flags]
        server = subprocess.Popen(
            [*command, "--data", folder, "--pipelines", str(pipelines)],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Served(place_of(server), server.pid)
        finally:
            server.terminate()
            server.wait(timeout=30)


def ask(connection: http.client.HTTPConnection, target: Target) -> bytes:
    """One request on a connection that stays open; anything but 200 ends the benchmark."""
    method, path, body = target
    connection.request(method, path, body, JSON_HEADERS if body else {})
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise SystemExit(f"{method} {path}: {response.status} {content[:200]!r}")
    return content


def place_of(server: "subprocess.Popen[str]", name: str = "the server") -> str:
    """Where it listens, as it says itself."""
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"http://([\w.:]+)", line):
            return found[1]
    raise SystemExit(f"{name} did not start")
