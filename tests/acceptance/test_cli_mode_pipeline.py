"""A prompt pipeline of six stages in cli mode, with a stand-in for the `claude` command."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deadlines import eventually
from server_process import ServerProcess, all_gone, serving
from websockets.sync.client import connect

CUT = "\n...[output truncated]..."
CUT_LENGTH = 51_200 + len(CUT)
STAGES = ["one", "two", "three", "four", "five", "six"]

# Answers by the stage that asks and by what the user has written.
CLAUDE = """#!/bin/sh
question=$(cat)
case "$question" in
  "ask one"*LIVE*)
    echo '{"first": 1,'
    while [ ! -e "$HOME/go" ]; do sleep 0.05; done
    echo '"skip": false}' ;;
  "ask one"*SKIP*) echo '{"skip": true}' ;;
  "ask one"*) echo 'Here it is: ```json
{"skip": false}
```' ;;
  "ask two"*EARLY*) echo '{"enough": true}' ;;
  "ask two"*) echo '{"enough": false}' ;;
  "ask four"*FAIL*) echo "no such luck" >&2; exit 3 ;;
  "ask six"*HANG*) echo begun; sleep 600 ;;
  "ask six"*BIG*) head -c 300000 /dev/zero | tr '\\0' x ;;
  *) echo "an answer" ;;
esac
"""


def stage(name: str, **more: object) -> dict[str, object]:
    asked = {"template": f"ask {name}: {{{{text}}}}", "variables": [TEXT]}
    model = {"providerID": "anthropic", "modelID": "claude-x"}
    return {"id": name, "name": name, "type": "custom", "model": model, "prompt": asked, **more}


TEXT = {"name": "text", "source": "input", "path": "prompt"}
AS_JSON = {"output": {"format": "json"}}
SKIP = {"condition": {"path": "skip", "equals": True}, "sourceStage": "one"}
EARLY = {"condition": {"path": "enough", "equals": True}, "returnStage": "two"}


def pipeline(id: str, continue_on_error: bool) -> dict[str, object]:
    """In the form of the old system's files."""
    settings = {"enableCaching": continue_on_error, "enableEarlyExit": True, "maxRetries": 2}
    more: dict[str, dict[str, object]] = {
        "one": AS_JSON,
        "two": AS_JSON | {"conditions": {"earlyExit": EARLY}},
        "three": {"conditions": {"skipIf": SKIP}},
    }
    return {
        "pipeline": {"id": id, "name": id, "version": "1.0.0", "settings": settings},
        "stages": [stage(name, **more.get(name, {})) for name in STAGES],
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-in lives, with its `bin` on the PATH."""
    home = tmp_path_factory.mktemp("home")
    program = home / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(CLAUDE)
    program.chmod(0o755)
    return home


@pytest.fixture(scope="module")
def claude(home: Path) -> Iterator[ServerProcess]:
    """A server that has the two pipelines and the stand-in."""
    folder = home / "pipelines"
    folder.mkdir()
    for id, continues in (("strict", False), ("lenient", True)):
        (folder / f"{id}.json").write_text(json.dumps(pipeline(id, continues)))
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    flags = ("--pipelines", str(folder))
    with serving(home / "server", *flags, HOME=str(home), PATH=path) as server:
        yield server


Run = Callable[..., str]


@pytest.fixture
def run(claude: ServerProcess) -> Run:
    def run(input: str, pipeline: str = "strict") -> str:
        body = {"input": input, "executionMode": "cli", "cliTool": "claude"}
        answer = claude.client.post(f"/api/pipelines/{pipeline}/run", json=body)
        assert answer.json()["executionMode"] == "cli"
        return str(answer.json()["executionId"])

    return run


def detail(server: ServerProcess, id: str) -> dict[str, Any]:
    found: dict[str, Any] = server.client.get(f"/api/executions/{id}").json()
    return found


def ended(server: ServerProcess, id: str) -> dict[str, Any]:
    eventually(lambda: "result" in detail(server, id))
    return detail(server, id)


def words(execution: dict[str, Any]) -> list[str]:
    return [stage["status"] for stage in execution["stages"]]


def test_all_six(claude: ServerProcess, run: Run) -> None:
    """Each stage asks the model, and tokens are estimated at no cost."""
    execution = ended(claude, run("plain"))
    assert words(execution) == ["completed"] * 6
    assert execution["result"]["status"] == "success"
    assert execution["result"]["output"]["one"] == {"skip": False}
    assert execution["result"]["output"]["six"] == {"content": "an answer"}
    assert execution["result"]["output"]["optimizedPrompt"] == "an answer\n"
    summary = execution["result"]["summary"]
    assert (summary["stagesRun"], summary["totalCost"]) == (6, 0)
    assert summary["totalInputTokens"] > 0 < summary["totalOutputTokens"]


def test_live_output(claude: ServerProcess, run: Run, home: Path) -> None:
    """What the model says is seen while it is still speaking."""
    id = run("LIVE")
    eventually(lambda: detail(claude, id)["stages"][0].get("output") == '{"first": 1,\n')
    assert detail(claude, id)["stages"][0]["status"] == "running"
    (home / "go").touch()
    assert ended(claude, id)["result"]["output"]["one"] == {"first": 1, "skip": False}


def test_the_model_is_there_while_a_stage_runs(claude: ServerProcess, run: Run) -> None:
    """As the pipeline names it; afterwards also the tool that has asked it."""
    id = run("HANG")
    eventually(lambda: detail(claude, id)["stages"][5]["status"] == "running")
    query = f'{{ execution(id: "{id}") {{ stages {{ status model }} }} }}'
    asked = claude.client.post("/graphql", json={"query": query}).json()
    stages = asked["data"]["execution"]["stages"]
    assert stages[0] == {"status": "COMPLETED", "model": "claude:claude-x"}
    assert stages[5] == {"status": "RUNNING", "model": "claude-x"}
    claude.client.post(f"/api/executions/{id}/cancel").raise_for_status()
    ended(claude, id)


def test_early_exit(claude: ServerProcess, run: Run) -> None:
    """What comes after an early exit is never reached, and the execution has completed."""
    execution = ended(claude, run("EARLY"))
    assert words(execution) == ["completed", "completed", *["pending"] * 4]
    assert (execution["status"], execution["currentStage"]) == ("completed", 2)
    assert execution["result"]["status"] == "early_exit"


def test_skip(claude: ServerProcess, run: Run) -> None:
    """A skipped stage has no numbers, and the others go on."""
    execution = ended(claude, run("SKIP"))
    assert words(execution) == ["completed", "completed", "skipped", *["completed"] * 3]
    assert set(execution["stages"][2]) == {"id", "name", "type", "status"}
    assert execution["result"]["summary"]["stagesSkipped"] == 1


def test_failure_ends_the_run(claude: ServerProcess, run: Run) -> None:
    """Without continue-on-error nothing comes after a failure."""
    execution = ended(claude, run("FAIL"))
    assert words(execution) == [*["completed"] * 3, "failed", "pending", "pending"]
    assert execution["result"]["status"] == execution["status"] == "failed"
    assert execution["result"]["error"] == (
        "CLI execution failed: CLI exited with code 3: no such luck"
    )


def test_failure_with_continue_on_error(claude: ServerProcess, run: Run) -> None:
    """With it, a failure is recorded and the rest runs."""
    execution = ended(claude, run("FAIL", "lenient"))
    assert words(execution) == [*["completed"] * 3, "failed", "completed", "completed"]
    assert execution["result"]["status"] == "success"
    assert execution["result"]["summary"]["stagesFailed"] == 1


def test_cancel_in_the_last_stage(claude: ServerProcess, run: Run) -> None:
    """Nothing undoes it, and nothing of the command is left."""
    id = run("HANG")
    eventually(lambda: detail(claude, id)["stages"][5].get("output") == "begun\n")
    children = [child for child in claude.children() if not child.name().startswith("python")]
    assert children
    assert claude.client.post(f"/api/executions/{id}/cancel").json() == {"cancelled": True}
    execution = ended(claude, id)
    assert execution["status"] == execution["result"]["status"] == "cancelled"
    assert words(execution) == [*["completed"] * 5, "failed"]
    assert all_gone(children)


def test_a_long_answer_is_cut(claude: ServerProcess, run: Run) -> None:
    """300 kB are cut alike in REST, on the socket and in the file, and are whole in no result."""
    id = run("BIG")
    execution = ended(claude, id)
    assert len(execution["stages"][5]["output"]) == CUT_LENGTH
    assert execution["stages"][5]["output"].endswith(CUT)
    output = execution["result"]["output"]
    assert len(output["six"]["content"]) == CUT_LENGTH
    told = events(claude, id)
    [piece] = [one for one in told if one.get("stageId") == "six"]
    assert len(piece["output"]) == CUT_LENGTH
    assert told[-1]["result"]["output"] == output
    file = saved(claude, id)
    assert len(file["stages"][5]["output"]) == CUT_LENGTH
    assert file["output"] == output


def saved(server: ServerProcess, id: str) -> dict[str, Any]:
    """The result file of an execution that has ended."""

    def names() -> list[str]:
        listed = server.client.get("/api/outputs").json()
        return [one["filename"] for one in listed if id.removeprefix("exec_") in one["filename"]]

    [name] = eventually(names)
    content: dict[str, Any] = server.client.get(f"/api/outputs/{name}").json()
    return content


def events(server: ServerProcess, id: str) -> list[dict[str, Any]]:
    """What `/ws` says of an execution that has ended."""
    told: list[dict[str, Any]] = []
    with connect(server.url.replace("http", "ws", 1) + "/ws") as socket:
        socket.send(json.dumps({"type": "subscribe", "executionId": id}))
        while not told or told[-1]["type"] != "execution:completed":
            told.append(json.loads(socket.recv(timeout=30)))
    assert told[0] == {"type": "subscribed", "executionId": id, "success": True}
    return told
