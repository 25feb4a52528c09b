"""The two pipelines that the old system brought along, as JSON and otherwise as they were."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deadlines import eventually
from doors import GraphQLDoor
from server_process import ServerProcess, serving

FOLDER = Path(__file__).parents[1] / "support" / "old_pipelines"
FILES = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
ROUGH, GOOD = "write something about tea", "a GOOD prompt about tea"
REFINED = "Write 200 words about green tea."

# It notes what it is asked, and answers by the step; what is good needs no other round.
CLAUDE = """#!/bin/sh
if [ "$1" = --version ]; then echo "9.8.7 (stand-in)"; exit; fi
question=$(cat)
step=$(echo "$question" | grep -o 'Step . of .')
echo "$question" > "$HOME/$step"
case "$step" in
  "Step 1 of 6") echo '{"intent": "about tea", "missing": ["the kind of tea"], "score": 40}' ;;
  "Step 2 of 6") printf '# Task\\nWrite about tea.\\n\\n# Output Format\\nPlain text.\\n' ;;
  "Step 3 of 6") echo '```json
{"enhancedPrompt": "Write about green tea."}
```' ;;
  "Step 4 of 6")
    case "$question" in
      *GOOD*) echo '{"review": {"score": 98, "issues": []}}' ;;
      *) echo '{"review": {"score": 60, "issues": ["no length"]}}' ;;
    esac ;;
  "Step 5 of 6") echo '{"refinedPrompt": "Write 200 words about green tea."}' ;;
  "Step 6 of 6") echo "Here it is: {\\"optimizedPrompt\\": \\"$(tail -1 "$HOME/$step")\\"}" ;;
  "Step 1 of 3") echo '{"steps": ["read", "sum up"]}' ;;
  "Step 2 of 3") echo 'Stages: read, sum up' ;;
  "Step 3 of 3") echo '{"pipelineConfig": {"pipeline": {"id": "sums"}}, "filename": "sums.ts"}' ;;
esac
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-in for `claude` lives, and notes what it is asked."""
    home = tmp_path_factory.mktemp("home")
    program = home / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(CLAUDE)
    program.chmod(0o755)
    return home


@pytest.fixture(scope="module")
def old(home: Path) -> Iterator[ServerProcess]:
    """A server with the two pipelines and the stand-in."""
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    flags = ("--pipelines", str(FOLDER))
    with serving(home / "server", *flags, HOME=str(home), PATH=path) as server:
        yield server


def get(server: ServerProcess, path: str) -> Any:
    return server.client.get(path).raise_for_status().json()


def ran(server: ServerProcess, stem: str, text: str) -> dict[str, Any]:
    """An execution in cli mode that has ended."""
    body = {"input": text, "executionMode": "cli", "cliTool": "claude"}
    answer = server.client.post(f"/api/pipelines/{stem}/run", json=body).raise_for_status().json()
    id, head = answer["executionId"], FILES[stem]["pipeline"]
    assert (answer["pipelineId"], answer["executionMode"]) == (head["id"], "cli")
    eventually(lambda: "result" in get(server, f"/api/executions/{id}"))
    execution: dict[str, Any] = get(server, f"/api/executions/{id}")
    return execution


def recorded(server: ServerProcess, id: str) -> dict[str, Any]:
    """What the history says of an execution."""

    def records() -> list[dict[str, Any]]:
        listed = get(server, "/api/executions/history?pageSize=100")["executions"]
        return [one for one in listed if one["id"] == id]

    [record] = eventually(records)
    return record


def words(execution: dict[str, Any]) -> list[str]:
    return [stage["status"] for stage in execution["stages"]]


def test_both_are_listed(old: ServerProcess) -> None:
    """With all seven keys, each with the provider that its file names."""
    assert get(old, "/api/pipelines") == [
        {
            "filename": f"{stem}.ts",
            **{key: FILES[stem]["pipeline"][key] for key in ("id", "name", "version")},
            "description": FILES[stem]["pipeline"]["description"],
            "stageCount": stages,
            "defaultProvider": provider,
        }
        for stem, stages, provider in (
            ("pipeline-generator", 3, "openai"),
            ("prompt-optimizer", 6, "anthropic"),
        )
    ]
    listed = GraphQLDoor(old.client).ask("{ pipelines { id totalStages } }")["pipelines"]
    assert [one["totalStages"] for one in listed] == [3, 6]


@pytest.mark.parametrize("stem", FILES)
def test_each_is_shown_as_written(old: ServerProcess, stem: str) -> None:
    """By its id and by its file's stem, the target model included."""
    shown = get(old, f"/api/pipelines/{stem}")
    assert shown == get(old, f"/api/pipelines/{FILES[stem]['pipeline']['id']}")
    assert shown["pipeline"] == FILES[stem]["pipeline"]
    for stage, written in zip(shown["stages"], FILES[stem]["stages"], strict=True):
        assert {key: stage[key] for key in written if key != "prompt"} == {
            key: value for key, value in written.items() if key != "prompt"
        }
        assert stage["prompt"].items() >= written["prompt"].items()


def test_the_optimizer_runs_to_its_end(old: ServerProcess, home: Path) -> None:
    """Six stages, each asked with what those before it have found."""
    execution = ran(old, "prompt-optimizer", ROUGH)
    assert words(execution) == ["completed"] * 6
    assert (execution["status"], execution["currentStage"]) == ("completed", 6)
    result = execution["result"]
    assert result["status"] == "success"
    assert result["output"]["stage-1-analyze"]["missing"] == ["the kind of tea"]
    assert result["output"]["stage-2-structure"]["output_format"] == "Plain text."
    assert result["output"]["optimizedPrompt"] == f"Refined: {REFINED}"
    assert ROUGH in (home / "Step 1 of 6").read_text()
    assert (
        'a language model and add [\n  "the kind of tea"\n]' in (home / "Step 3 of 6").read_text()
    )
    assert (home / "Step 5 of 6").read_text().startswith("Step 5 of 6: put no length right.")
    record = recorded(old, execution["id"])
    assert record["finalOutput"] == f"Refined: {REFINED}"
    assert (record["stagesRun"], record["stagesFailed"]) == (6, 0)


def test_the_optimizer_leaves_a_round_out(old: ServerProcess, home: Path) -> None:
    """What is good is not put right, and a variable that is not required reads as empty."""
    execution = ran(old, "prompt-optimizer", GOOD)
    assert words(execution) == [*["completed"] * 4, "skipped", "completed"]
    assert execution["result"]["status"] == "success"
    assert (home / "Step 6 of 6").read_text().rstrip("\n").endswith("Refined: ")


def test_the_generator_runs_to_its_end(old: ServerProcess, home: Path) -> None:
    """Three stages; what it has generated is in its result, and no pipeline of the server."""
    execution = ran(old, "pipeline-generator", "sum up what I read")
    assert words(execution) == ["completed"] * 3
    assert execution["result"]["status"] == "success"
    generated = execution["result"]["output"]["stage-3-generate"]
    assert generated == {"pipelineConfig": {"pipeline": {"id": "sums"}}, "filename": "sums.ts"}
    assert "as version 1.0.0.\n\nStages: read, sum up" in (home / "Step 3 of 3").read_text()
    record = recorded(old, execution["id"])
    assert json.loads(record["finalOutput"]) == generated
    assert len(get(old, "/api/pipelines")) == 2
