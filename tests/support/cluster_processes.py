"""A cluster of real processes: a broker, servers and workers, each of which can be killed."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from deadlines import eventually
from nats_server import NatsServer, serving_nats
from server_process import PIPELINES, ServerProcess, clean_environ, command, serving

LEASE_SECONDS = 1.0
"""So long a worker may be silent. In earnest it is five seconds."""


class WorkerProcess:
    """`runcast worker`; `folder` takes its data and what it says."""

    def __init__(self, folder: Path, *flags: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stderr = folder / "stderr"
        arguments = [*command(None), "worker", "--data", str(folder / "data"), "--port", "0"]
        with self._stderr.open("w") as stderr:
            self.process = psutil.Popen([*arguments, *flags], stderr=stderr, env=clean_environ())

    @property
    def complained(self) -> str:
        """What it has written to stderr so far."""
        return self._stderr.read_text()

    def wait_until_ready(self) -> None:
        """Returns when it takes work."""
        url = eventually(lambda: self.health)
        assert url is not None
        eventually(lambda: httpx.get(url, trust_env=False).status_code == 200)

    def kill(self) -> None:
        """With all that it has started, as when the machine goes."""
        children = self.process.children(recursive=True)
        for one in (self.process, *children):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.wait(20)

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        if self.process.poll() is None:
            self.thaw()
            self.process.terminate()
            try:
                self.process.wait(20)
            except psutil.TimeoutExpired:
                self.kill()

    @property
    def health(self) -> str | None:
        """Where it says whether it takes work, once it does."""
        assert self.process.poll() is None, self.complained
        for line in self.complained.splitlines():
            if "Health" in line:
                return line.split()[-1]
        return None


class ProcessCluster:
    """Everything below one folder."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._count = 0
        (folder / "broker").mkdir()
        self.broker: NatsServer = stack.enter_context(serving_nats(folder / "broker"))

    def server(self, *flags: str) -> ServerProcess:
        """One more replica, which knows all that there is."""
        folder = self._next("server")
        server = self._stack.enter_context(serving(folder, *self.flags, *flags))
        eventually(lambda: server.client.get("/readyz").status_code == 200)
        return server

    def worker(self, *flags: str) -> WorkerProcess:
        """One more worker, which takes work."""
        places = [] if "--pipelines" in flags else ["--pipelines", str(PIPELINES)]
        worker = WorkerProcess(self._next("worker"), *self.flags, *places, *flags)
        self._stack.callback(worker.end)
        worker.wait_until_ready()
        return worker

    @property
    def flags(self) -> list[str]:
        """What servers and workers have in common."""
        flags = ["--engine", self.broker.url, "--blobs", str(self._folder / "blobs")]
        return [*flags, "--lease", str(LEASE_SECONDS)]

    def _next(self, name: str) -> Path:
        self._count += 1
        return self._folder / f"{name}-{self._count}"


@contextmanager
def a_cluster(folder: Path) -> Iterator[ProcessCluster]:
    """A broker; what is asked for besides ends with the block, too."""
    with ExitStack() as stack:
        yield ProcessCluster(folder, stack)


def ask(server: ServerProcess, document: str, **variables: object) -> dict[str, Any]:
    """The data of a query or a mutation."""
    body = {"query": document, "variables": variables}
    answer = server.client.post("/graphql", json=body).json()
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data
