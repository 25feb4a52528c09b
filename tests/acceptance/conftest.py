"""A server with prompt pipelines and a stand-in for the command that they ask."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_process import ServerProcess, serving

MODEL = {"providerID": "anthropic", "modelID": "claude-x"}


def prompts(id: str, stages: int, **settings: object) -> dict[str, object]:
    asked = {"template": "{{prompt}}"}
    return {
        "pipeline": {"id": id, "name": id, "version": "1.0.0", "settings": settings},
        "stages": [
            {"id": f"s{n}", "name": f"s{n}", "type": "custom", "model": MODEL, "prompt": asked}
            | {"retryCount": 1, "retryDelayMs": 10}
            for n in range(stages)
        ],
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pipelines, and a stand-in for `claude` that answers by what it is asked."""
    home = tmp_path_factory.mktemp("defects")
    (home / "bin").mkdir()
    program = home / "bin" / "claude"
    program.write_text(
        '#!/bin/sh\nquestion=$(cat)\necho x >> "$HOME/asked-$question"\n'
        'case "$question" in\n'
        "  hang) echo begun; sleep 600 ;;\n"
        "  busy) echo 'API Error: 429 Too Many Requests' >&2; exit 1 ;;\n"
        "  broken) echo 'ECONNRESET' >&2; exit 1 ;;\n"
        "  late) echo 'Request timed out' >&2; exit 1 ;;\n"
        "  wrong) echo 'invalid key' >&2; exit 1 ;;\n"
        "  long) head -c 300000 /dev/zero | tr '\\0' x ;;\n"
        '  *) echo "an answer" ;;\nesac\n'
    )
    program.chmod(0o755)
    folder = home / "pipelines"
    folder.mkdir()
    for name, count, settings in (("one", 1, {}), ("six", 6, {"enableCaching": True})):
        (folder / f"{name}.json").write_text(json.dumps(prompts(name, count, **settings)))
    return home


@pytest.fixture(scope="module")
def old(home: Path) -> Iterator[ServerProcess]:
    flags = ("--pipelines", str(home / "pipelines"), "--grace", "1", "--max-concurrent", "100")
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    with serving(home / "server", *flags, HOME=str(home), PATH=path) as server:
        yield server
