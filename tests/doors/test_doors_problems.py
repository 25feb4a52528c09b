"""What clients are told of pipeline files that have something wrong with them."""

from pathlib import Path

import pytest
from deadlines import eventually
from doors import GraphQLDoor, Rows
from pipeline_files import put
from server_process import ServerProcess, serving

QUERY = "{ pipelineProblems { file line message severity } }"
FILES = {
    "bad.yaml": "    command: [cat]\n    input: '{{promt}}'\n",
    "calls.yaml": "    call: mine.sub:nothing\n",
    "warned.yaml": "    command: [no-such-program]\n    cwd: nowhere\n",
}


def found(server: ServerProcess) -> Rows:
    """Through one door: while they change, the other one may have more or fewer of them."""
    problems: Rows = GraphQLDoor(server.client).ask(QUERY)["pipelineProblems"]
    return problems


def told(server: ServerProcess) -> Rows:
    """Through both doors, which say the same."""
    problems = found(server)
    answer = server.client.get("/api/pipelines/problems")
    assert answer.status_code == 200
    assert answer.json() == problems
    return problems


def test_problems(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Errors leave a pipeline out and warnings do not; paths of the server are not told."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "mine").mkdir()
    (folder / "mine" / "sub.py").write_text("from os import nothing_at_all\n")
    for name, stage in FILES.items():
        head = f"pipeline: {{id: {Path(name).stem}, name: Name}}\nstages:\n  - id: one\n"
        (folder / name).write_text(head + stage)
    with serving(tmp_path / "server", "--pipelines", str(folder)) as server:
        # A start does not wait for every file.
        eventually(lambda: len(found(server)) == len(FILES))
        bad, calls, warned = told(server)
        assert bad == {
            "file": "bad.yaml",
            "line": 5,
            "message": "stages[0].input: `{{promt}}` names nothing; did you mean `prompt`?",
            "severity": "ERROR",
        }
        assert (calls["file"], calls["line"], calls["severity"]) == ("calls.yaml", 4, "ERROR")
        assert calls["message"].startswith("stages[0].call: mine.sub cannot be imported: ")
        assert "/" not in calls["message"]
        assert warned == {
            "file": "warned.yaml",
            "line": 5,
            "message": "stages[0].cwd: there is no folder `nowhere`",
            "severity": "WARNING",
        }
        [listed] = server.client.get("/api/pipelines").json()
        assert (listed["id"], listed["version"]) == ("warned", "0.0.0")
        shown = server.client.get("/api/pipelines/warned").json()["pipeline"]
        assert shown == {"version": "0.0.0", "id": "warned", "name": "Name"}
        for name in FILES:
            put(folder, name, Path(name).stem)
        eventually(lambda: not found(server))
        assert not told(server)
