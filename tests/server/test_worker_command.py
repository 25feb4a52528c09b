"""`runcast worker`, and `runcast serve --engine`, where something is not as it should be."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cluster_processes import WorkerProcess
from deadlines import eventually
from nats_server import NatsServer, serving_nats
from server_process import runcast

ENGINE = "nats://127.0.0.1:9"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "a worker needs --engine, the broker's URL (nats://host:4222)"),
        (["--engine", ENGINE], "with --engine, --blobs names the folder in which all servers"),
        (["--engine", "http://u:secret@h"], "--engine: a broker's URL is like nats://host"),
        (["--engine", "nats://u:secret@h:x", "--blobs", "."], "--engine: the URL of the broker is"),
        (["--engine", ENGINE, "--blobs", ".", "--namespace", "a b"], "--engine: a namespace is"),
        (["--engine", ENGINE, "--blobs", ".", "--concurrency", "0"], "--concurrency 0: Input"),
        (["--engine", ENGINE, "--blobs", ".", "--pipelines", "none"], "--pipelines none: none is"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(tmp_path: Path, flags: list[str], said: str) -> None:
    """Which flag it is, and what to do; nothing secret."""
    ended = runcast("worker", "--data", str(tmp_path), *flags, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"runcast: {said}")
    assert ended.stderr.count("\n") == 1 and "secret" not in ended.stderr


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A broker that stores nothing."""
    with serving_nats(tmp_path_factory.mktemp("plain"), "--name", "plain") as server:
        yield server


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_broker_without_jetstream_is_of_no_use(
    tmp_path: Path, plain: NatsServer, command: str
) -> None:
    """What to switch on, in a line."""
    flags = ["--engine", plain.url, "--blobs", "blobs", "--data", "data", "--port", "0"]
    ended = runcast(command, *flags, cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"runcast: JetStream is not enabled in the broker at {plain.url}"
    )
    assert "Traceback" not in ended.stderr


def test_a_worker_waits_for_its_broker(tmp_path: Path) -> None:
    """It says so once, is not ready, and can be stopped."""
    flags = ["--engine", ENGINE, "--blobs", str(tmp_path / "blobs")]
    worker = WorkerProcess(tmp_path / "worker", *flags)
    try:
        url = eventually(lambda: worker.health)
        assert url is not None
        answer = httpx.get(url, trust_env=False)
        assert answer.status_code == 503
        assert "the broker is away" in answer.json()["problems"]
        assert httpx.get(url.replace("ready", "health"), trust_env=False).status_code == 200
        assert worker.complained.count("does not answer; trying again") == 1
        worker.process.send_signal(signal.SIGINT)
        assert worker.process.wait(20) == 0
        assert worker.complained.endswith("runcast: stopping\nruncast: stopped\n")
    finally:
        worker.end()
