"""Pipelines that harm their process or the loop, beside innocent executions and other clients."""

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from bystander import Bystander
from deadlines import eventually
from server_process import ServerProcess, all_gone, serving

HARMFUL = """
import asyncio, ctypes, json, os, re, signal, sys, time

async def sleeps(text):
    time.sleep(8)

async def computes(text):
    while True:
        pass

async def holds_the_lock(text):
    re.match(r"(a+)+$", "a" * 40 + "b")

async def exits_in_a_task(text):
    async def exits():
        raise SystemExit(3)
    await asyncio.gather(exits(), asyncio.sleep(1))

async def stops_the_loop(text):
    asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)
    await asyncio.sleep(0.2)

async def exits(text):
    os._exit(3)

async def crashes(text):
    ctypes.string_at(0)

async def returns_much(text):
    return [{"number": number} for number in range(250_000)]

async def emits_much(text, context):
    for number in range(200_000):
        context.emit("x")

def forks(text):
    if os.fork() == 0:
        time.sleep(0.1)
        return "the fork"
    return "the parent"

def leaves_things(text):
    os.chdir("/")
    os.environ["PATH"] = ""
    sys.stdout = None
    signal.setitimer(signal.ITIMER_REAL, 0.3)

def eats(text):
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
    held = []
    while True:
        held.append(bytearray(16 << 20))
"""
IMPORTS = {
    "hanging_import": "import time; time.sleep(600)",
    "exiting_import": "import os; os._exit(3)",
    "crashing_import": "import ctypes; ctypes.string_at(0)",
    "signal_import": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "patching_import": "import json; json.dumps = json.loads = None",
}
# They go on for half a second, and from then on until the file that is their input is there.
INNOCENT = """
import asyncio, itertools
from pathlib import Path

async def counts(text, context):
    for number in itertools.count():
        if number >= 10 and Path(text).exists():
            return "innocent"
        context.emit(f"{number}\\n")
        await asyncio.sleep(0.05)
"""
SHELL = """
read gate
for number in $(seq 10); do echo $number; sleep 0.05; done
until [ -e "$gate" ]; do echo on; sleep 0.05; done
"""
HURRY = {
    "runcast.core.pipelines.checks:PATIENCE_SECONDS": 0.3,
    "runcast.core.pipelines.library:START_SECONDS": 0.5,
    "runcast.core.running.workers.heartbeat:BEAT_SECONDS": 0.1,
    "runcast.core.running.workers.heartbeat:BLOCKED_SECONDS": 0.5,
    "runcast.server.serve:SHUTDOWN_GRACE_SECONDS": 0.5,
}
HURRIES = [HURRY, pytest.param({}, marks=pytest.mark.campaign)]
BLOCKING = ("sleeps", "computes", "holds_the_lock")
FUNCTIONS = (
    *(*BLOCKING, "exits_in_a_task", "stops_the_loop", "exits"),
    *("crashes", "returns_much", "emits_much", "forks", "leaves_things", "eats"),
)
COMPLETE = {"stops_the_loop", "returns_much", "emits_much", "forks", "leaves_things"}
ENDED = ("completed", "failed", "cancelled")


def pipeline(id: str, stage: str) -> str:
    return f"pipeline: {{id: {id}, name: {id}, version: 1.0.0}}\nstages:\n  - {{id: s, {stage}}}\n"


def with_innocent(folder: Path) -> Path:
    """The folder with two innocent pipelines."""
    (folder / "innocent.py").write_text(INNOCENT)
    (folder / "counts.yaml").write_text(pipeline("counts", "call: 'innocent:counts'"))
    (folder / "shell.yaml").write_text(
        pipeline("shell", f"command: {json.dumps(['sh', '-c', SHELL])}")
    )
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline for each function, and two innocent ones."""
    folder = with_innocent(tmp_path_factory.mktemp("pipelines"))
    (folder / "harmful.py").write_text(HARMFUL)
    for name in FUNCTIONS:
        (folder / f"{name}.yaml").write_text(pipeline(name, f"call: 'harmful:{name}'"))
    return folder


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The file for which innocent executions wait."""
    return tmp_path / "gate"


def start(server: ServerProcess, name: str, input: object = "hello") -> str:
    answer = server.client.post(f"/api/pipelines/{name}/run", json={"input": str(input)})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["executionId"])


def end_of(server: ServerProcess, id: str) -> httpx.Response:
    """The execution once it has ended."""

    def ended() -> httpx.Response | None:
        answer = server.client.get(f"/api/executions/{id}")
        return answer if answer.json()["status"] in ENDED else None

    found = eventually(ended)
    assert found is not None
    return found


def status_of(server: ServerProcess, id: str) -> str:
    return str(server.client.get(f"/api/executions/{id}").json()["status"])


@pytest.fixture(scope="module", params=HURRIES, ids=["hurried", "real"])
def shared(
    request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """One server that all of the harmful functions meet, one after the other."""
    flags = ("--pipelines", str(folder))
    with serving(tmp_path_factory.mktemp("shared"), *flags, hurry=request.param) as server:
        yield server


@pytest.mark.parametrize("name", FUNCTIONS)
def test_others_go_on(shared: ServerProcess, gate: Path, name: str) -> None:
    """Beside a harmful execution innocent ones are completed, and nobody waits for an answer."""
    server = shared
    innocent = [start(server, each, gate) for each in ("counts", "shell")]
    with Bystander(server.url) as bystander:
        harmful = end_of(server, start(server, name)).json()
        assert [status_of(server, id) for id in innocent] == ["running", "running"]
        gate.touch()
        ends = [end_of(server, id).json()["status"] for id in innocent]
    assert ends == ["completed", "completed"]
    assert harmful["status"] == ("completed" if name in COMPLETE else "failed"), harmful
    assert not bystander.refused
    # A promise of 100 ms, on a machine that is busy with other tests.
    assert max(bystander.waits) < 1, sorted(bystander.waits)[-3:]
    assert end_of(server, start(server, "counts", gate)).json()["status"] == "completed"
    assert "Traceback" not in server.complained


@pytest.fixture(scope="module")
def bad_imports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline for each module whose import does harm, and two innocent ones."""
    folder = with_innocent(tmp_path_factory.mktemp("bad_imports"))
    for name, module in IMPORTS.items():
        (folder / f"module_{name}.py").write_text(f"{module}\n\ndef run(text):\n    return text\n")
        (folder / f"{name}.yaml").write_text(pipeline(name, f"call: 'module_{name}:run'"))
    return folder


@pytest.fixture(scope="module", params=HURRIES, ids=["hurried", "real"])
def importing(
    request: pytest.FixtureRequest, bad_imports: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """One server that has started in spite of all of the imports."""
    flags = ("--pipelines", str(bad_imports))
    with serving(tmp_path_factory.mktemp("importing"), *flags, hurry=request.param) as server:
        yield server


def run_bad_import(server: ServerProcess, name: str) -> None:
    """Whether or not the import has been found out yet."""
    answer = server.client.post(f"/api/pipelines/{name}/run", json={"input": "hello"})
    assert answer.status_code in (200, 404)


@pytest.mark.parametrize("name", sorted(IMPORTS))
def test_an_import_is_felt_by_nobody(importing: ServerProcess, gate: Path, name: str) -> None:
    """However bad, neither at the start nor when its stage runs."""
    innocent = start(importing, "counts", gate)
    run_bad_import(importing, name)
    with Bystander(importing.url) as bystander:
        gate.touch()
        assert end_of(importing, innocent).json()["status"] == "completed"
    assert max(bystander.waits) < 1


@pytest.mark.parametrize("hurry", HURRIES, ids=["hurried", "real"])
def test_sigterm_ends_who_imports(
    serve: Callable[..., ServerProcess], bad_imports: Path, hurry: Mapping[str, float]
) -> None:
    """Within ten seconds, with every process that it has started."""
    server = serve("--pipelines", str(bad_imports), hurry=hurry)
    for name in IMPORTS:
        run_bad_import(server, name)
    ends_with_its_family(server)


def ends_with_its_family(server: ServerProcess) -> None:
    asked = time.monotonic()
    family = server.children()
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(20)
    assert time.monotonic() - asked < 10
    assert all_gone(family)


def test_a_time_limit_ends_who_blocks(serve: Callable[..., ServerProcess], folder: Path) -> None:
    """`timeoutMs: 500` is not 500 ms and the rest of a long sleep."""
    stage = "call: 'harmful:sleeps', timeoutMs: 500"
    (folder / "limited.yaml").write_text(pipeline("limited", stage))
    server = serve("--pipelines", str(folder))
    begun = time.monotonic()
    ended = end_of(server, start(server, "limited")).json()
    assert ended["status"] == "failed"
    assert "took longer than 500 ms" in str(ended)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("hurry", HURRIES, ids=["hurried", "real"])
def test_sigterm_ends_who_blocks(
    serve: Callable[..., ServerProcess], tmp_path: Path, hurry: Mapping[str, float]
) -> None:
    """Within ten seconds, with their processes: those of several modules are several."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    for name in BLOCKING:
        (folder / f"module_{name}.py").write_text(HARMFUL)
        (folder / f"{name}.yaml").write_text(pipeline(name, f"call: 'module_{name}:{name}'"))
    server = serve("--pipelines", str(folder), hurry=hurry)
    for name in BLOCKING:
        start(server, name)
    ends_with_its_family(server)
