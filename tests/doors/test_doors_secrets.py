"""What a pipeline file sets in `env` reaches the program, and nobody else."""

import json
from collections.abc import Iterator

import pytest
from deadlines import eventually
from doors import GraphQLDoor
from server_process import ServerProcess, serving

SECRETS = ("not-a-real-key", "a=b=c d", "first\nsecond", "Schlüssel")
ENV = ["HOME", *(f"KEY_{number}={secret}" for number, secret in enumerate(SECRETS)), "EMPTY="]
SHOWN = ["HOME", "KEY_0=***", "KEY_1=***", "KEY_2=***", "KEY_3=***", "EMPTY=***"]
COUNTED = 'printf "%s" "$KEY_0$KEY_1$KEY_2$KEY_3$EMPTY" | wc -c'

FIELDS = "id name version description totalStages stages { id name type description }"
PIPELINES = f'{{ pipelines {{ {FIELDS} }} pipeline(id: "hidden") {{ {FIELDS} }} }}'
EXECUTION = """query ($id: ID!) { execution(id: $id) {
  pipelineName output error { message } stages { name output { text } error { message } } } }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One with a pipeline whose stages need keys, and a broken file that has some, too."""
    folder = tmp_path_factory.mktemp("secrets")
    stages = [
        {"id": "counts", "command": ["sh", "-c", COUNTED], "env": ENV},
        {"id": "fails", "command": ["no such program"], "env": ENV},
    ]
    settings = {"continueOnError": True}
    head = {"id": "hidden", "name": "Hidden", "version": "1.0.0", "settings": settings}
    (folder / "hidden.json").write_text(json.dumps({"pipeline": head, "stages": stages}))
    stages.append({"id": "broken", "command": [7], "env": [*ENV, 7, ENV]})  # type: ignore[dict-item, list-item]
    (folder / "broken.json").write_text(json.dumps({"pipeline": head, "stages": stages}))
    with serving(folder / "server", "--pipelines", str(folder)) as server:
        yield server


@pytest.fixture(scope="module")
def ended(server: ServerProcess) -> str:
    door = GraphQLDoor(server.client)
    id = door.start("hidden")
    eventually(lambda: not door.running())
    return id


def test_the_program_has_them(server: ServerProcess, ended: str) -> None:
    """Whatever is shown."""
    output = GraphQLDoor(server.client).ask(EXECUTION, id=ended)["execution"]["output"]
    assert output.strip() == str(len("".join(SECRETS).encode()))


def test_names_are_shown(server: ServerProcess) -> None:
    """As they stand in the file, and which of them it sets; the rest of it is as it was."""
    shown = server.client.get("/api/pipelines/hidden").json()
    assert [stage["env"] for stage in shown["stages"]] == [SHOWN, SHOWN]
    assert shown["stages"][0]["command"] == ["sh", "-c", COUNTED]
    assert shown["pipeline"]["settings"] == {"continueOnError": True}


def test_nobody_is_told_a_value(server: ServerProcess, ended: str) -> None:
    """Neither through REST nor GraphQL, nor in a result file, nor in the log or the data folder."""
    paths = ["pipelines", "pipelines/hidden", "executions", f"executions/{ended}"]
    paths += [f"executions/{ended}/events", "executions/history", "outputs", "config/status"]
    told = [server.client.get(f"/api/{path}").text for path in paths]
    door = GraphQLDoor(server.client)
    told += [json.dumps(door.ask(PIPELINES)), json.dumps(door.ask(EXECUTION, id=ended))]
    told += [server.said, server.complained]
    written = [path.read_bytes() for path in server.data.rglob("*") if path.is_file()]
    everything = "".join(told).encode() + b"".join(written)
    assert b"Hidden" in everything and b"broken.json" in everything
    for secret in SECRETS:
        assert secret.encode() not in everything
        assert json.dumps(secret)[1:-1].encode() not in everything
