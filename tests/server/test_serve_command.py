"""`runcast serve`: what it prints, what it takes, and how it refuses to start."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from deadlines import eventually
from doors import GraphQLDoor
from runcast.server.cli import main
from runcast.server.settings import Settings
from server_process import PIPELINES, ServerProcess, runcast

RETENTION = "{ server { retentionSeconds } }"


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_prints_where_it_listens(server: ServerProcess) -> None:
    """It prints an URL for each thing that it has, and the pipelines that it has found."""
    place = server.url.removeprefix("http://")
    for url in (
        f"http://{place}/graphql",
        f"ws://{place}/graphql",
        f"http://{place}/api/executions",
        f"http://{place}/healthz",
        f"http://{place}/readyz",
    ):
        assert url in server.said.split()
    assert "several-v1" in server.said
    assert str(PIPELINES) in server.said
    assert not place.endswith(":0")


@pytest.fixture(scope="module")
def text() -> str:
    """What --help says."""
    return " ".join(runcast("serve", "--help").stdout.split())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_help(text: str, name: str) -> None:
    """--help names every flag, and the environment variable of it."""
    assert f"--{name.replace('_', '-')}" in text
    assert f"[RUNCAST_{name.upper()}" in text


def test_commands() -> None:
    """`runcast --help` names the commands, `--version` the release."""
    assert {"serve", "validate"} <= set(runcast("--help").stdout.split())
    assert runcast("--version").stdout.startswith("runcast, version ")


def test_variables_and_flags(serve: Callable[..., ServerProcess]) -> None:
    """A variable is as good as a flag; a flag wins."""
    port = a_free_port()
    server = serve(
        "--retention", "9", RUNCAST_PORT=str(port), RUNCAST_RETENTION="7", RUNCAST_QUEUE="0"
    )
    assert server.url == f"http://127.0.0.1:{port}"
    assert GraphQLDoor(server.client).ask(RETENTION)["server"]["retentionSeconds"] == 9


def test_variable_alone(serve: Callable[..., ServerProcess]) -> None:
    """A variable without a flag counts."""
    server = serve(RUNCAST_RETENTION="7")
    assert GraphQLDoor(server.client).ask(RETENTION)["server"]["retentionSeconds"] == 7


@pytest.mark.parametrize(
    ("flags", "variables", "words"),
    [
        (["--pipelines", "/nowhere/at/all"], {}, "/nowhere/at/all"),
        (["--pipelines", __file__], {}, "not a folder"),
        ([], {"RUNCAST_PIPELINES": "/nowhere/at/all"}, "/nowhere/at/all"),
        (["--port", "many"], {}, "--port many"),
        (["--port", "65536"], {}, "--port 65536"),
        ([], {"RUNCAST_PORT": "many"}, "RUNCAST_PORT many"),
        (["--max-concurrent", "0"], {}, "--max-concurrent 0"),
        (["--retention", "-1"], {}, "--retention -1"),
        (["--log-max", "8191"], {}, "--log-max 8191"),
        (["--log-max", "65535"], {}, "--log-max 65535"),
        ([], {"RUNCAST_LOG_MAX": "64 MiB"}, "RUNCAST_LOG_MAX 64 MiB"),
        (["--memory", "15"], {}, "--memory 15"),
        (["--data", "/dev/null/data"], {}, "/dev/null/data"),
        (["--host", "0.0.0.0"], {}, "--token"),
        (["--host", "example.org"], {}, "--token"),
        ([], {"RUNCAST_HOST": "::"}, "--token"),
    ],
    ids=str,
)
def test_refuses_to_start(
    tmp_path: Path, flags: list[str], variables: dict[str, str], words: str
) -> None:
    """What cannot be is one clear line on stderr and the exit status 1."""
    places = ["--port", "0"] if "--port" not in flags and "RUNCAST_PORT" not in variables else []
    data = [] if "--data" in flags else ["--data", str(tmp_path)]
    refusal = CliRunner(env=variables).invoke(main, ["serve", *places, *data, *flags])
    assert refusal.exit_code == 1
    [line] = refusal.stderr.splitlines()
    assert line.startswith("runcast: ")
    assert words in line
    assert refusal.stdout == ""


def test_the_command_refuses_to_start(tmp_path: Path) -> None:
    """So says its process, too."""
    refusal = runcast("serve", "--port", "many", "--data", str(tmp_path))
    assert refusal.returncode == 1
    [line] = refusal.stderr.splitlines()
    assert line.startswith("runcast: --port many")
    assert refusal.stdout == ""


def test_port_in_use(server: ServerProcess, tmp_path: Path) -> None:
    """A port that another one has is one clear line on stderr and the exit status 1."""
    port = server.url.rpartition(":")[2]
    refusal = runcast("serve", "--port", port, "--data", str(tmp_path))
    assert refusal.returncode == 1
    [line] = refusal.stderr.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "in use" in line
    assert refusal.stdout == ""


def test_insecure(serve: Callable[..., ServerProcess]) -> None:
    """Whoever says so may listen on every address without a token."""
    server = serve("--host", "0.0.0.0", "--insecure")
    url = server.url.replace("0.0.0.0", "127.0.0.1") + "/api/pipelines"
    assert server.client.get(url).status_code == 200


def test_beyond_this_machine(serve: Callable[..., ServerProcess]) -> None:
    """With a token it may listen on every address; any Host is answered then."""
    server = serve("--host", "0.0.0.0", "--token", "secret")
    url = server.url.replace("0.0.0.0", "127.0.0.1") + "/api/pipelines"
    headers = {"Authorization": "Bearer secret", "Host": "runcast.example.org"}
    assert server.client.get(url, headers=headers).status_code == 200


def test_healthy(server: ServerProcess) -> None:
    """A server that serves says that it is well, and ready."""
    live, ready = server.client.get("/healthz"), server.client.get("/readyz")
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")


def test_not_ready(serve: Callable[..., ServerProcess], tmp_path: Path) -> None:
    """Without a pipeline it lives, and is not ready, and says why."""
    empty = tmp_path / "empty"
    empty.mkdir()
    client = serve("--pipelines", str(empty)).client
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "there is no pipeline that can be started" in answer.json()["problems"]
    assert client.get("/healthz").status_code == 200


def test_shipped_pipeline(tmp_path: Path) -> None:
    """Without a pipelines folder it serves those that runcast ships, and they run."""
    server = ServerProcess(tmp_path, ["--port", "0"], {})
    try:
        server.wait_until_ready()
        door = GraphQLDoor(server.client)
        id = door.start("prompt-optimizer", "Write a short text about tea")
        eventually(lambda: not door.running())
        [row] = door.list()
    finally:
        server.end()
    assert (row["id"], row["status"], row["currentStage"]) == (id, "completed", 6)


def test_quiet_log(server: ServerProcess) -> None:
    """What clients do wrong is no traceback in the log."""
    server.client.post("/graphql", content=b"null", headers={"content-type": "application/json"})
    server.client.post("/graphql", json={"query": "{ nonsense }"})
    server.client.get("/api/executions?status=bogus")
    assert server.client.get("/healthz").status_code == 200
    assert "Traceback" not in server.complained
