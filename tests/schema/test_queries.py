"""What can be asked over GraphQL, beside what the doors have in common."""

import re
from collections.abc import Callable

import pytest
from deadlines import eventually
from doors import GraphQLDoor, Refused, Row
from server_process import ServerProcess

Run = Callable[..., str]
Ended = Callable[[str], str]

LISTED = """query ($status: ExecutionStatus, $filter: ExecutionFilter, $limit: Int) {
  executions(status: $status, filter: $filter, limit: $limit) { id status }
}"""


def test_unknown_is_null(graphql: GraphQLDoor) -> None:
    """What there is not is null, and no error."""
    query = '{ execution(id: "x") { id } pipeline(id: "x") { id } node(id: "x") { id } }'
    assert graphql.ask(query) == {"execution": None, "pipeline": None, "node": None}


def test_node_of_an_execution(graphql: GraphQLDoor, run: Run) -> None:
    """An execution is found again by its id alone."""
    id = run("echo")
    query = "query ($id: ID!) { node(id: $id) { __typename id ... on Execution { pipelineId } } }"
    node = graphql.ask(query, id=id)["node"]
    assert node == {"__typename": "Execution", "id": id, "pipelineId": "echo"}


def test_node_of_a_pipeline(graphql: GraphQLDoor) -> None:
    """A pipeline is found again by its id alone."""
    query = '{ node(id: "echo") { __typename ... on Pipeline { id name totalStages } } }'
    node = graphql.ask(query)["node"]
    assert node == {"__typename": "Pipeline", "id": "echo", "name": "Echo", "totalStages": 1}


def test_pipelines(graphql: GraphQLDoor) -> None:
    """Pipelines tell their stages in order."""
    query = """{
      pipelines { id }
      pipeline(id: "several") { id version stages { id name type description } }
    }"""
    data = graphql.ask(query)
    assert {"id": "several-v1"} in data["pipelines"]
    assert [stage["id"] for stage in data["pipeline"]["stages"]] == ["read", "shout", "measure"]
    assert data["pipeline"]["stages"][1] == {
        "id": "shout",
        "name": "Shout",
        "type": "python",
        "description": "In capital letters.",
    }


def test_server(graphql: GraphQLDoor, run: Run) -> None:
    """The server tells its version, its engine, its clock and how much it does."""
    run("waiting")
    fields = "version engine serverTime retentionSeconds running queued subscribers"
    server = graphql.ask(f"{{ server {{ {fields} }} }}")["server"]
    assert (server["engine"], server["retentionSeconds"]) == ("embedded", 300)
    assert server["running"] >= 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", server["serverTime"])


def test_execution_fields(graphql: GraphQLDoor, run: Run, ended: Ended) -> None:
    """An ended execution tells when, how long, what of, and when it leaves."""
    id = ended(run("several-v1", "text"))
    fields = """startTime endTime durationMs output endReason expiresAt sequence cursor retryOf
      error { message } cancellation { reason } usage { inputTokens outputTokens costUsd }
      stages { index attempt startTime endTime durationMs skipReason model }"""
    found = graphql.ask(f"query ($id: ID!) {{ execution(id: $id) {{ {fields} }} }}", id=id)
    execution = found["execution"]
    assert execution["output"] == {"text": "TEXT", "characters": 4}
    assert execution["endReason"] == "FINISHED"
    assert execution["startTime"] < execution["endTime"] < execution["expiresAt"]
    assert execution["usage"] == {"inputTokens": 0, "outputTokens": 0, "costUsd": 0}
    absent = ("error", "cancellation", "retryOf")
    assert [execution[key] for key in absent] == [None, None, None]
    assert execution["cursor"].endswith(f":{execution['sequence']}")
    assert [stage["index"] for stage in execution["stages"]] == [0, 1, 2]
    assert all(stage["attempt"] == 1 for stage in execution["stages"])


def test_stage_output_in_parts(graphql: GraphQLDoor, run: Run, ended: Ended) -> None:
    """A stage's output can be read in parts, counted in characters."""
    id = ended(run("echo", "0123😀56789"))
    query = """query ($id: ID!) { execution(id: $id) { stages {
      all: output { offset text isFinal truncated stageId }
      almost: output(limit: 9) { text isFinal }
      start: output(limit: 5) { offset text isFinal }
      rest: output(offset: 5) { offset text isFinal }
      past: output(offset: 99) { offset text isFinal }
      none: output(limit: 0) { text isFinal }
    } } }"""
    [stage] = graphql.ask(query, id=id)["execution"]["stages"]
    whole = {"text": "0123😀56789", "isFinal": True, "truncated": False, "stageId": "say"}
    assert stage["all"] == {"offset": 0} | whole
    assert stage["almost"] == {"text": "0123😀5678", "isFinal": False}
    assert stage["start"] == {"offset": 0, "text": "0123😀", "isFinal": False}
    assert stage["rest"] == {"offset": 5, "text": "56789", "isFinal": True}
    assert stage["past"] == {"offset": 99, "text": "", "isFinal": True}
    assert stage["none"] == {"text": "", "isFinal": False}


def test_all_of_an_output_may_be_asked_for(graphql: GraphQLDoor, run: Run, ended: Ended) -> None:
    """Or of a log: 1 MiB of characters at most, from anywhere on."""
    id = ended(run("echo", "all of it"))
    query = """query ($id: ID!) { execution(id: $id) { stages {
      all: output(limit: 1048576) { text isFinal } far: output(offset: 2147483647) { text isFinal }
      log(limit: 1048576) { pieces { text } } farLog: log(offset: 2147483647) { pieces { text } }
    } } }"""
    [stage] = graphql.ask(query, id=id)["execution"]["stages"]
    assert stage["all"] == {"text": "all of it", "isFinal": True}
    assert stage["far"] == {"text": "", "isFinal": True}
    assert stage["log"] == {"pieces": [{"text": "all of it"}]}
    assert stage["farLog"] == {"pieces": []}


def test_the_output_of_a_stage_that_runs_is_not_final(graphql: GraphQLDoor, run: Run) -> None:
    """More may come. Meanwhile it takes its time, which is told as well."""
    id = run("waiting")
    query = """query ($id: ID!) { execution(id: $id) {
      durationMs expiresAt stages { output { text isFinal } }
    } }"""

    def begun() -> Row | None:
        execution: Row = graphql.ask(query, id=id)["execution"]
        return execution if execution["stages"][0]["output"]["text"] else None

    execution = eventually(begun)
    assert execution["stages"][0]["output"] == {"text": "begun\n", "isFinal": False}
    assert execution["durationMs"] > 0 and execution["expiresAt"] is None
    eventually(lambda: begun()["durationMs"] > execution["durationMs"])  # type: ignore[index]


@pytest.mark.parametrize("part", ["output(%s) { text }", "log(%s) { pieces { text } }"])
@pytest.mark.parametrize("bounds", ["offset: -1", "limit: -1", "limit: 1048577"])
def test_stage_output_bounds(graphql: GraphQLDoor, run: Run, part: str, bounds: str) -> None:
    """A part of an output or of a log that cannot be is refused in words."""
    stages = f"stages {{ {part % bounds} }}"
    query = f"query ($id: ID!) {{ execution(id: $id) {{ {stages} }} }}"
    with pytest.raises(Refused, match="must be between 0 and") as refused:
        graphql.ask(query, id=run("echo"))
    assert refused.value.code == "INVALID_INPUT"


def test_executions_of_one_status(graphql: GraphQLDoor, run: Run, ended: Ended) -> None:
    """`status` finds what has exactly this status."""
    done, waits = ended(run("echo")), run("waiting")
    completed = graphql.ask(LISTED, status="COMPLETED")["executions"]
    assert {one["status"] for one in completed} == {"COMPLETED"}
    assert done in [one["id"] for one in completed]
    assert waits not in [one["id"] for one in completed]


def test_executions_limit(graphql: GraphQLDoor, five: tuple[Row, list[str]]) -> None:
    """`limit` keeps the newest ones."""
    filter, ids = five
    listed = graphql.ask(LISTED, filter=filter, limit=2)["executions"]
    assert [one["id"] for one in listed] == ids[:2]
    assert graphql.ask(LISTED, filter=filter, limit=0)["executions"] == []


@pytest.mark.parametrize("limit", [-1, 10_001])
def test_executions_limit_bounds(graphql: GraphQLDoor, limit: int) -> None:
    """A limit that cannot be is refused in words."""
    with pytest.raises(Refused, match="limit must be between 0 and 10000") as refused:
        graphql.ask(LISTED, limit=limit)
    assert refused.value.code == "INVALID_INPUT"


def test_filter_conditions(graphql: GraphQLDoor, five: tuple[Row, list[str]]) -> None:
    """Everything in a filter must hold at once."""
    filter, ids = five
    moment = "query ($id: ID!) { execution(id: $id) { startTime } }"
    oldest = graphql.ask(moment, id=ids[-1])["execution"]["startTime"]
    newest = graphql.ask(moment, id=ids[0])["execution"]["startTime"]

    def found(**more: object) -> list[str]:
        listed = graphql.ask(LISTED, filter={**filter, **more})["executions"]
        return [one["id"] for one in listed]

    assert found() == ids
    assert found(text="NUMBER 3") == [ids[1]]
    assert found(pipelineId=["echo", "gate"]) == ids
    assert found(pipelineId=["gate"]) == found(notStatus=["COMPLETED"]) == found(status=[]) == []
    assert found(status=["COMPLETED", "FAILED"]) == ids
    assert found(startedAfter=oldest, startedBefore=newest) == ids[1:-1]


def test_a_status_beside_a_filter(graphql: GraphQLDoor, five: tuple[Row, list[str]]) -> None:
    """Both must hold: a status that the filter does not have finds nothing."""
    filter, ids = five

    def found(**more: object) -> list[str]:
        listed = graphql.ask(LISTED, status="COMPLETED", filter={**filter, **more})["executions"]
        return [one["id"] for one in listed]

    assert found() == found(status=["COMPLETED", "FAILED"]) == found(notStatus=["FAILED"]) == ids
    assert found(status=["FAILED"]) == found(status=[]) == found(notStatus=["COMPLETED"]) == []


@pytest.mark.parametrize(
    "field", ['executionProgress(id: "x") { id }', "executionsChanged { cursor }"]
)
def test_subscription_over_http(server: ServerProcess, field: str) -> None:
    """A subscription over plain HTTP is a 400 that names what carries one."""
    answer = server.client.post("/graphql", json={"query": f"subscription {{ {field} }}"})
    assert answer.status_code == 400
    message = answer.json()["errors"][0]["message"]
    assert all(word in message for word in ("WebSocket", "text/event-stream", "multipart/mixed"))


def test_mutation_by_get(server: ServerProcess) -> None:
    """A GET changes nothing: a mutation in it is a 405 that names POST."""
    query = 'mutation { startExecution(pipelineId: "echo", input: "by get") { existing } }'
    answer = server.client.get("/graphql", params={"query": query})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "mutation" in answer.json()["errors"][0]["message"]
