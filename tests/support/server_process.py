"""A real server in a process of its own, started by its command."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
from deadlines import eventually

PIPELINES = Path(__file__).with_name("pipelines")
COMMAND = str(Path(sys.executable).with_name("runcast"))
ENDS_SOON = {"runcast.server.serve:SHUTDOWN_GRACE_SECONDS": 0.2}
"""For `hurry`: a server that is told to stop does not give what runs three seconds more."""
HURRIED = Path(__file__).with_name("hurried_runcast.py")


def clean_environ(**variables: str) -> dict[str, str]:
    """This process's environment without what could change how a server runs."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RUNCAST_", "ANTHROPIC_"))
    }
    return kept | variables


def command(hurry: Mapping[str, float] | None) -> list[str]:
    """The `runcast` command; `hurry` has deadlines of its own for it (hurried_runcast.py)."""
    return [sys.executable, str(HURRIED), json.dumps(hurry)] if hurry else [COMMAND]


def limited(files: int) -> list[str]:
    """What stands before a command that may have so many open files, and not raise that limit."""
    return ["sh", "-c", f'ulimit -n {files} && exec "$@"', "sh"]


def runcast(
    *arguments: str,
    hurry: Mapping[str, float] | None = None,
    cwd: Path | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """The `runcast` command, run to its end."""
    return subprocess.run(
        [*command(hurry), *arguments],
        env=clean_environ(**variables),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=30,
    )


class ServerProcess:
    """`runcast serve`; `folder` takes its data, unless a flag says otherwise, and what it says.

    `within` is a command that runs it.
    """

    def __init__(
        self,
        folder: Path,
        flags: Sequence[str],
        environ: Mapping[str, str],
        hurry: Mapping[str, float] | None = None,
        within: Sequence[str] = (),
    ) -> None:
        self._stdout, self._stderr = folder / "stdout", folder / "stderr"
        self.data = folder / "data"
        arguments = [*within, *command(hurry), "serve", "--data", str(self.data), *flags]
        with self._stdout.open("w") as stdout, self._stderr.open("w") as stderr:
            self.process = psutil.Popen(
                arguments, stdout=stdout, stderr=stderr, env=clean_environ(**environ)
            )

    @property
    def said(self) -> str:
        """What it has written to stdout so far."""
        return self._stdout.read_text()

    @property
    def complained(self) -> str:
        """What it has written to stderr so far."""
        return self._stderr.read_text()

    def wait_until_ready(self) -> None:
        """Returns when it answers and has read its pipelines; `url` and `client` are there then."""
        found = eventually(lambda: self._address() or self._is_gone())
        assert isinstance(found, str), self.complained
        self.url = found
        self.ws_url = found.replace("http://", "ws://") + "/graphql"
        # Nothing is encrypted; to read the certificates of the world takes 40 ms.
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False, verify=False)
        self.client.get("/healthz").raise_for_status()
        eventually(lambda: "still being read" not in self.client.get("/readyz").text)

    @property
    def port(self) -> int:
        """The one that it listens on."""
        return int(self.client.base_url.port or 0)

    def holds(self, port: int) -> bool:
        """Whether it still has its end of the connection to this port of a client."""
        return any(one.raddr and one.raddr.port == port for one in self.process.net_connections())

    def children(self) -> list[psutil.Process]:
        """Every process that it has started, and those that these have started.

        Without those that come and go on their own: they read pipeline files, or are the keeper.
        """
        every = self.process.children(recursive=True)
        return [child for child in every if not (reads_pipelines(child) or is_keeper(child))]

    def keeper(self) -> psutil.Process:
        """What ends the others when the server is killed."""
        found = [child for child in self.process.children() if is_keeper(child)]
        assert len(found) == 1
        return found[0]

    def end(self, *, soon: bool = False) -> None:
        """Ends the server and whatever it may have left; at once if nobody looks at its data."""
        if self.process.poll() is None:
            self._stop(soon)
        if hasattr(self, "client"):
            self.client.close()

    def _stop(self, soon: bool) -> None:
        left, groups = self.children(), self._groups()
        (self.process.kill if soon else self.process.terminate)()
        try:
            self.process.wait(timeout=20)
        except psutil.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=20)
        for child in left:
            if child.is_running():
                child.kill()
        for group in groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def _groups(self) -> set[int]:
        """Those of its children: what a stage has started need not be its child any more."""
        groups = set()
        for child in self.children():
            with suppress(ProcessLookupError):
                groups.add(os.getpgid(child.pid))
        return groups - {os.getpgid(self.process.pid)}

    def _address(self) -> str | None:
        match = re.search(r"GraphQL +(http://\S+)/graphql", self.said)
        return match and match[1]

    def _is_gone(self) -> bool:
        return self.process.poll() is not None


@contextmanager
def serving(
    folder: Path,
    *flags: str,
    hurry: Mapping[str, float] | None = None,
    within: Sequence[str] = (),
    **environ: str,
) -> Iterator[ServerProcess]:
    """A server with the test pipelines that is ready, ended when the block is left.

    `within` is a command that starts it, such as `limited`.
    """
    places = [] if "--port" in flags or "RUNCAST_PORT" in environ else ["--port", "0"]
    if "--pipelines" not in flags:
        places += ["--pipelines", str(PIPELINES)]
    folder.mkdir(parents=True, exist_ok=True)
    server = ServerProcess(folder, [*places, *flags], environ, hurry, within)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.end()


def all_gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether none of them runs any more; a zombie that nobody has reaped does not run."""
    return not any(_runs(process) for process in processes)


def reads_pipelines(process: psutil.Process) -> bool:
    """Whether a server has started the process to read pipeline files."""
    return "pipelines.reading" in _command(process)


def is_keeper(process: psutil.Process) -> bool:
    """Whether a server has started the process to end the others."""
    return "keeper_process.py" in _command(process)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
