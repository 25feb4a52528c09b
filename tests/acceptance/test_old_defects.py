"""What the old server was observed to do wrong, row by row: section 8 of the REST contract."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, TypeAlias

import httpx
import psutil
import pytest
from deadlines import eventually
from doors import Door, GraphQLDoor, Refused, RestDoor, Row
from model_server import ModelServer, Reply
from server_process import ENDS_SOON, ServerProcess, all_gone, serving
from websockets.sync.client import ClientConnection, connect

Serve: TypeAlias = Callable[..., ServerProcess]

CUT = "\n...[output truncated]..."
STRANGER = "http://evil.example"

# Not `sleep 600`: a signal is lost on a child that has not become `sleep` yet.
WORKS = "while :; do sleep 0.05; done"
# Each says its own process id first. The input of `gated` is the file that opens the gate.
STAGES = {
    "yields": f"trap 'echo all is well; exit 0' TERM; echo $$; {WORKS}",
    "breaks": f"trap 'exit 3' TERM; echo $$; {WORKS}",
    "gated": "trap '' TERM; gate=$(cat); echo $$; while [ ! -e \"$gate\" ]; do sleep 0.05; done",
    "hopeless": "exit 4",
    "big": "head -c 300000 /dev/zero | tr '\\0' x",
}


def pipeline(id: str, *stages: dict[str, object], **settings: object) -> dict[str, object]:
    about = {"id": id, "name": id, "version": "1.0.0", "settings": settings}
    return {"pipeline": about, "stages": list(stages)}


def shell(id: str, script: str) -> dict[str, object]:
    return {"id": id, "command": ["sh", "-c", script]}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of this file's pipelines; a stage has a minute to end after a cancel."""
    folder = tmp_path_factory.mktemp("defects")
    pipelines = folder / "pipelines"
    pipelines.mkdir()
    for id, script in STAGES.items():
        stages = [shell("first", "cat"), shell("last", script)]
        (pipelines / f"{id}.json").write_text(json.dumps(pipeline(id, *stages)))
    six = [shell(f"stage-{number}", STAGES["hopeless"]) for number in range(6)]
    lenient = pipeline("lenient", *six, continueOnError=True)
    (pipelines / "lenient.json").write_text(json.dumps(lenient))
    with serving(folder, "--pipelines", str(pipelines), "--grace", "60") as server:
        yield server


@pytest.fixture(params=[RestDoor, GraphQLDoor])
def opened(request: pytest.FixtureRequest) -> Callable[[ServerProcess], Door]:
    """One of the two doors, to any server."""
    door: Callable[[httpx.Client], Door] = request.param
    return lambda server: door(server.client)


def get(server: ServerProcess, path: str, **params: object) -> Any:
    answer = server.client.get(path, params={name: str(value) for name, value in params.items()})
    return answer.raise_for_status().json()


def start(server: ServerProcess, pipeline: str, input: str = "hello") -> str:
    return RestDoor(server.client).start(pipeline, input)


def detail(server: ServerProcess, id: str) -> Row:
    found: Row = get(server, f"/api/executions/{id}")
    return found


def ended(server: ServerProcess, id: str) -> Row:
    eventually(lambda: "result" in detail(server, id))
    return detail(server, id)


def history(server: ServerProcess) -> dict[str, Row]:
    """Every record, by its id."""
    found: dict[str, Row] = {}
    page = pages = 1
    while page <= pages:
        answer = get(server, "/api/executions/history", page=page, pageSize=100)
        found |= {record["id"]: record for record in answer["executions"]}
        page, pages = page + 1, answer["totalPages"]
    return found


def process_of_last(server: ServerProcess, id: str) -> psutil.Process:
    """What the last stage runs, as soon as it has said who it is."""
    said = eventually(lambda: detail(server, id)["stages"][-1].get("output", "").strip())
    return psutil.Process(int(said))


def subscribed(server: ServerProcess, socket: ClientConnection, id: str) -> None:
    socket.send(json.dumps({"type": "subscribe", "executionId": id}))
    answer = json.loads(socket.recv(timeout=30))
    assert answer == {"type": "subscribed", "executionId": id, "success": True}


def heard_to(socket: ClientConnection, type: str) -> list[Row]:
    """The messages up to the first of that type."""
    heard: list[Row] = []
    while not heard or heard[-1]["type"] != type:
        heard.append(json.loads(socket.recv(timeout=30)))
    return heard


def socket_to(server: ServerProcess) -> connect:
    return connect(server.url.replace("http", "ws", 1) + "/ws")


def types(messages: list[Row]) -> list[str]:
    return [message["type"] for message in messages]


def test_b01_a_hundred_runs_are_a_hundred_records(server: ServerProcess) -> None:
    """Twenty at a time, and not one is lost."""
    with ThreadPoolExecutor(20) as clients:
        ids = set(clients.map(lambda number: start(server, "echo", f"{number}"), range(100)))
    assert len(ids) == 100
    eventually(lambda: ids <= history(server).keys())
    assert all(history(server)[id]["status"] == "completed" for id in ids)


def test_b02_a_reader_never_sees_less_than_before(serve: Serve) -> None:
    """Whoever reads the history while it is written neither fails nor empties it."""
    server, done = serve(), Event()

    def totals() -> list[int]:
        with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as reader:
            seen = []
            while not done.is_set():
                answer = reader.get("/api/executions/history").raise_for_status()
                seen.append(answer.json()["total"])
        return seen

    with ThreadPoolExecutor(2) as readers:
        reading = [readers.submit(totals) for _ in range(2)]
        try:
            for number in range(30):
                ended(server, start(server, "echo", f"{number}"))
            eventually(lambda: get(server, "/api/executions/history")["total"] == 30)
        finally:
            done.set()
    for reader in reading:
        assert reader.result() == sorted(reader.result())


@pytest.mark.parametrize("content", [b"{}", b"[]" * 5000])
def test_b03_what_is_no_history_breaks_no_route(tmp_path: Path, content: bytes) -> None:
    """It is moved aside as it is, and the server goes on with a new one."""
    file = tmp_path / "data" / "history.db"
    file.parent.mkdir()
    file.write_bytes(content)
    with serving(tmp_path) as server:
        assert get(server, "/api/executions/history")["executions"] == []
        unknown = server.client.get("/api/executions/exec_1_abcdef")
        assert (unknown.status_code, unknown.json()) == (404, {"error": "Execution not found"})
        id = start(server, "echo")
        eventually(lambda: id in history(server))
    [aside] = file.parent.glob("history.db.broken-*")
    assert aside.read_bytes() == content


def test_b04_twenty_runs_are_twenty_result_files(server: ServerProcess) -> None:
    """Though they end within the same second."""
    with ThreadPoolExecutor(20) as clients:
        ids = set(clients.map(lambda number: start(server, "echo", f"{number}"), range(20)))

    def saved() -> set[str]:
        names = [one["filename"] for one in get(server, "/api/outputs")]
        return {id for id in ids if any(id.removeprefix("exec_") in name for name in names)}

    eventually(lambda: saved() == ids)


@pytest.mark.parametrize("last", ["yields", "breaks"])
def test_b05_cancel_in_the_last_stage_is_final(
    own: ServerProcess, opened: Callable[[ServerProcess], Door], last: str
) -> None:
    """Whether the stage then succeeds or fails: it stays cancelled, and is so in the history."""
    door = opened(own)
    id = door.start(last)
    process_of_last(own, id)
    assert door.cancel(id) == "CANCELLED"
    execution = ended(own, id)
    assert execution["status"] == execution["result"]["status"] == "cancelled"
    assert door.cancel(id) != "CANCELLED"
    assert detail(own, id) == execution
    assert eventually(lambda: history(own).get(id))["status"] == "cancelled"


def test_b06_cancel_stops_what_runs(
    own: ServerProcess, opened: Callable[[ServerProcess], Door]
) -> None:
    """The process is gone, its stage has failed, and was never reported as completed."""
    door = opened(own)
    id = door.start("yields")
    process = process_of_last(own, id)
    with socket_to(own) as socket:
        subscribed(own, socket, id)
        assert door.cancel(id) == "CANCELLED"
        told = heard_to(socket, "execution:completed")
    assert all_gone([process])
    stage = ended(own, id)["stages"][-1]
    assert (stage["status"], stage["error"]) == ("failed", "Cancelled")
    closing = ["stage:failed", "execution:cancelled", "execution:completed"]
    assert types(told)[-3:] == closing
    assert told[-1]["result"]["status"] == "cancelled"


def test_b07_who_comes_after_a_cancel_is_told_of_it(own: ServerProcess, tmp_path: Path) -> None:
    """Between the cancel and the real end, and after that as well."""
    gate = tmp_path / "gate"
    id = start(own, "gated", str(gate))
    process_of_last(own, id)
    assert own.client.post(f"/api/executions/{id}/cancel").json() == {"cancelled": True}
    with socket_to(own) as early:
        subscribed(own, early, id)
        assert types(heard_to(early, "execution:cancelled"))[-2:] == [
            "stage:failed",
            "execution:cancelled",
        ]
        assert "result" not in detail(own, id)
        gate.touch()
        assert types(heard_to(early, "execution:completed")) == ["execution:completed"]
    with socket_to(own) as late:
        subscribed(own, late, id)
        assert types(heard_to(late, "execution:completed"))[-2:] == [
            "execution:cancelled",
            "execution:completed",
        ]


FIRST_EVENTS = ["execution:started", "stage:started"]
ALL_EVENTS = [
    "execution:started",
    *(["stage:started", "stage:output", "stage:completed"] * 3),
    "execution:completed",
]


def test_b08_the_first_events_arrive(server: ServerProcess) -> None:
    """Whoever subscribes with the id of the answer hears everything, `subscribed` before it."""
    with socket_to(server) as socket:
        id = start(server, "several-v1")
        subscribed(server, socket, id)
        assert types(heard_to(socket, "execution:completed")) == ALL_EVENTS


def test_b08_of_an_ended_run_too(server: ServerProcess) -> None:
    """`subscribed` comes before `execution:completed`, and all that led to it in between."""
    id = start(server, "several-v1")
    ended(server, id)
    with socket_to(server) as socket:
        subscribed(server, socket, id)
        assert types(heard_to(socket, "execution:completed")) == ALL_EVENTS


def test_b09_if_every_stage_has_failed_the_run_has(
    own: ServerProcess, opened: Callable[[ServerProcess], Door]
) -> None:
    """Continue-on-error runs all six of them, and does not call that a success."""
    id = opened(own).start("lenient")
    execution = ended(own, id)
    assert execution["status"] == execution["result"]["status"] == "failed"
    assert execution["result"]["summary"]["stagesFailed"] == 6
    assert execution["result"]["error"]
    assert eventually(lambda: history(own).get(id))["status"] == "failed"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"input": '])
def test_b10_a_body_that_cannot_be_read_is_the_clients_error(
    server: ServerProcess, opened: Callable[[ServerProcess], Door], body: bytes
) -> None:
    """400, with a text."""
    answer = opened(server).post(body)
    assert answer.status_code == 400
    assert "error" in answer.text or "JSON" in answer.text


def test_b10_an_unknown_mode_is_refused(server: ServerProcess) -> None:
    """It is not taken for another one."""
    body = {"input": "hello", "executionMode": "bogus"}
    answer = server.client.post("/api/pipelines/echo/run", json=body)
    assert answer.status_code == 400
    assert "bogus" in answer.json()["error"]


def test_b11_no_program_of_the_clients_choice_is_run(server: ServerProcess, tmp_path: Path) -> None:
    """Only the three known names are tools: this one would leave a trace."""
    trace, program = tmp_path / "trace", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {trace}\n")
    program.chmod(0o755)
    body = {"input": "hello", "executionMode": "cli", "cliTool": str(program)}
    answer = server.client.post("/api/pipelines/echo/run", json=body)
    assert answer.status_code == 400
    assert "is not available" in answer.json()["error"]
    assert not trace.exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/executions"),
        ("POST", "/api/executions/running"),
        ("PUT", "/api/pipelines"),
        ("PATCH", "/api/executions/history"),
        ("POST", "/api/outputs"),
        ("DELETE", "/api/config/status"),
    ],
)
def test_b12_a_method_that_a_route_does_not_have(
    server: ServerProcess, method: str, path: str
) -> None:
    """405 with what is allowed."""
    answer = server.client.request(method, path)
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("path", ["/api/nothing", "/api", "/api/executions/exec_1_a/cancel"])
def test_b12_what_is_not_there_is_not_a_page(server: ServerProcess, path: str) -> None:
    """404 in JSON, never 200 with HTML."""
    answer = server.client.get(path)
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("name", ["page", "pageSize"])
@pytest.mark.parametrize("text", ["abc", "0", "-1", "-5", "1e3", "1.9", "", "99999999999999"])
def test_b13_a_page_is_a_whole_number_from_one_on(
    server: ServerProcess, name: str, text: str
) -> None:
    """Anything else is a 400 that names it."""
    answer = server.client.get("/api/executions/history", params={name: text})
    assert answer.status_code == 400
    assert name in answer.json()["error"]


def test_b14_the_list_is_filtered_by_status(
    server: ServerProcess, opened: Callable[[ServerProcess], Door]
) -> None:
    """Each list has its own, and only them."""
    door = opened(server)
    failed, completed = door.start("failing"), door.start("echo")
    ended(server, failed)
    ended(server, completed)
    for word, there, not_there in (
        ("failed", failed, completed),
        ("completed", completed, failed),
    ):
        rows = door.list(word)
        assert {row["status"] for row in rows} == {word}
        assert there in {row["id"] for row in rows}
        assert not_there not in {row["id"] for row in rows}


@pytest.mark.parametrize("word", ["bogus", "RUNNINGS", ""])
def test_b14_an_unknown_status_is_refused(
    server: ServerProcess, opened: Callable[[ServerProcess], Door], word: str
) -> None:
    """With a clear error instead of the whole list."""
    with pytest.raises(Refused) as refused:
        opened(server).list(word)
    assert refused.value.code == "INVALID_INPUT"
    assert word in refused.value.message
    assert "status" in refused.value.message.lower()


@pytest.mark.parametrize(
    ("input", "preview"),
    [
        ("x" * 101, "x" * 100),
        ("x" * 99 + "\U0001f600 and more", "x" * 99),
        ("x" * 98 + "\U0001f600 and more", "x" * 98 + "\U0001f600"),
        ("\u00a0\ufeff short \n", "short"),
    ],
)
def test_b15_a_preview_is_at_most_a_hundred_characters(
    server: ServerProcess,
    opened: Callable[[ServerProcess], Door],
    input: str,
    preview: str,
) -> None:
    """Without an ellipsis, and never half of a pair."""
    door = opened(server)
    id = door.start("echo", input)
    [row] = [row for row in door.list() if row["id"] == id]
    assert row["inputPreview"] == preview


def test_b16_only_result_files_are_outputs(tmp_path: Path) -> None:
    """Neither an old history beside them nor the new one can be fetched, nor are they listed."""
    outputs = tmp_path / "data" / "outputs"
    outputs.mkdir(parents=True)
    (outputs / "execution-history.json").write_text('[{"input": "private"}]')
    with serving(tmp_path) as server:
        assert get(server, "/api/outputs") == []
        for name in ("execution-history.json", "..%2fhistory.db", "history.db"):
            answer = server.client.get(f"/api/outputs/{name}")
            assert answer.status_code == 404
            assert list(answer.json()) == ["error"]


def test_b17_results_are_where_they_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory has no say, also if it is another one after a restart."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with serving(tmp_path / "home") as server:
        ended(server, start(server, "echo"))
        [saved] = eventually(lambda: get(server, "/api/outputs"))
    monkeypatch.chdir(tmp_path / "there")
    with serving(tmp_path / "home") as server:
        assert get(server, "/api/outputs") == [saved]
    assert (tmp_path / "home" / "data" / "outputs" / saved["filename"]).is_file()
    assert not [*(tmp_path / "here").iterdir(), *(tmp_path / "there").iterdir()]


GENERATES = """#!/bin/sh
cat > /dev/null
echo '{"pipelineConfig": {"pipeline": {"id": "../../evil", "name": "x"}}, "filename": "../evil"}'
"""


def test_b18_what_a_model_answers_never_becomes_a_pipeline(tmp_path: Path, serve: Serve) -> None:
    """Nothing is saved but the result, which does not say otherwise: we do not have auto-saving."""
    folder, program = tmp_path / "pipelines", tmp_path / "bin" / "claude"
    for path in (folder, program.parent):
        path.mkdir()
    program.write_text(GENERATES)
    program.chmod(0o755)
    asks = {
        "id": "stage-3-generate",
        "model": {"providerID": "anthropic", "modelID": "x"},
        "prompt": {"template": "{{prompt}}"},
        "output": {"format": "json"},
    }
    (folder / "generator.json").write_text(json.dumps(pipeline("generator", asks)))
    path = f"{program.parent}:{os.environ['PATH']}"
    server = serve("--pipelines", str(folder), PATH=path)
    id = start(server, "generator")
    result = ended(server, id)["result"]
    assert result["status"] == "success"
    [saved] = eventually(lambda: get(server, "/api/outputs"))
    with socket_to(server) as socket:
        subscribed(server, socket, id)
        told = heard_to(socket, "execution:completed")[-1]["result"]
    for said in (result, told, get(server, f"/api/outputs/{saved['filename']}")):
        assert "savedPipeline" not in said
    assert [one.name for one in folder.iterdir()] == ["generator.json"]
    assert not list(tmp_path.rglob("*evil*"))


def test_b19_a_result_that_cannot_be_saved_is_a_result_all_the_same(tmp_path: Path) -> None:
    """It ends as it has ended, in the event and the detail, and the server complains."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "outputs").write_text("a file in the place of the folder")
    with serving(tmp_path) as server:
        id = start(server, "echo")
        with socket_to(server) as socket:
            subscribed(server, socket, id)
            told = heard_to(socket, "execution:completed")[-1]
        execution = ended(server, id)
        assert (execution["status"], execution["result"]["status"]) == ("completed", "success")
        assert told["result"]["status"] == "success"
        assert told["result"]["output"] == execution["result"]["output"]
        assert eventually(lambda: history(server).get(id))["status"] == "completed"
        health = eventually(lambda: get(server, "/healthz").get("problems"))
        assert list(health) == ["outputs"]


def test_b20_stopping_the_server_stops_what_runs_and_remembers_it(tmp_path: Path) -> None:
    """No process is left, and the run is in the history, with what became of it."""
    with serving(tmp_path, "--grace", "1", hurry=ENDS_SOON) as server:
        id = start(server, "shell")
        eventually(lambda: detail(server, id)["stages"][1].get("output"))
        processes = server.children()
        assert processes
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
        assert all_gone(processes)
    with serving(tmp_path) as server:
        assert history(server)[id]["status"] == "failed"
        assert "server" in history(server)[id]["error"]


async def test_b21_what_may_pass_is_tried_again(tmp_path: Path, serve: Serve) -> None:
    """Too many requests, an error of theirs, a broken connection, silence; then it works."""
    asks = {
        "id": "ask",
        "model": {"providerID": "anthropic", "modelID": "claude-haiku-4-5"},
        "prompt": {"template": "{{prompt}}"},
    }
    tries = asks | {"retryCount": 4, "retryDelayMs": 10, "timeoutMs": 1500}
    (tmp_path / "pipelines").mkdir()
    for id, stage in (("asks", asks), ("tries", tries)):
        (tmp_path / "pipelines" / f"{id}.json").write_text(json.dumps(pipeline(id, stage)))
    fails = (Reply(status=429), Reply(status=529), Reply(then="reset"), Reply(then="hang"))
    async with ModelServer(Reply(), *fails, Reply()) as models:
        key = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": models.url}
        server = serve("--pipelines", str(tmp_path / "pipelines"), **key)
        # The first call loads the client library, which may take longer than a try may.
        await asyncio.to_thread(lambda: ended(server, start(server, "asks")))
        execution = await asyncio.to_thread(lambda: ended(server, start(server, "tries")))
        assert len(models.asked) == 1 + 5
    assert execution["result"]["status"] == "success"
    assert execution["result"]["output"]["optimizedPrompt"] == "Good morning"


def test_b22_nobody_else_reaches_the_server(server: ServerProcess) -> None:
    """It listens on this machine only."""
    listening = [one for one in server.process.net_connections() if one.status == "LISTEN"]
    assert listening
    assert {one.laddr.ip for one in listening} == {"127.0.0.1"}


@pytest.mark.parametrize("type", ["text/plain", "application/json"])
@pytest.mark.parametrize("path", ["/api/pipelines/echo/run", "/graphql"])
def test_b22_a_page_from_elsewhere_starts_nothing(
    server: ServerProcess, path: str, type: str
) -> None:
    """A browser would send this without asking first."""
    mark = f"from elsewhere {path} {type}"
    query = f'mutation {{ startExecution(pipelineId: "echo", input: "{mark}") {{ existing }} }}'
    body = json.dumps({"input": mark, "query": query})
    headers = {"Origin": STRANGER, "Content-Type": type}
    answer = server.client.post(path, content=body, headers=headers)
    assert answer.status_code == 403
    assert mark not in server.client.get("/api/executions").text


def test_b23_long_output_is_cut_wherever_it_goes(own: ServerProcess) -> None:
    """300 kB of a stage are 50 kB in REST, on the socket and in the file, in the result, too."""
    id = start(own, "big")
    execution = ended(own, id)
    cut = "x" * 51_200 + CUT
    assert execution["stages"][-1]["output"] == cut
    assert execution["result"]["output"] == {"optimizedPrompt": cut, "first": "hello", "last": cut}
    with socket_to(own) as socket:
        subscribed(own, socket, id)
        told = heard_to(socket, "execution:completed")
    [piece] = [one["output"] for one in told if one.get("stageId") == "last"]
    assert piece == cut
    assert told[-1]["result"]["output"] == execution["result"]["output"]
    name = id.removeprefix("exec_")
    names = [one["filename"] for one in get(own, "/api/outputs")]
    [saved] = [one for one in names if name in one]
    file = get(own, f"/api/outputs/{saved}")
    assert file["stages"][-1]["output"] == file["stages"][-1]["parsedOutput"] == cut
    assert file["output"] == execution["result"]["output"]
