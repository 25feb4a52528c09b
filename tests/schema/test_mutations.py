"""What can be done over GraphQL, beside what the doors have in common."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from deadlines import eventually
from doors import CANCEL, START, GraphQLDoor, Row

Run = Callable[..., str]
Ended = Callable[[str], str]

RETRY = """mutation ($id: ID!, $fromStage: ID) { retryExecution(id: $id, fromStage: $fromStage) {
  execution { id retryOf input labels { key value } } existing userErrors { code message path }
} }"""
CANCEL_MANY = """mutation ($filter: ExecutionFilter!, $reason: String, $dryRun: Boolean! = false) {
  cancelExecutions(filter: $filter, reason: $reason, dryRun: $dryRun) {
    matched cancelled results { cancelled execution { id status } userErrors { code } }
  }
}"""
STAGES = """query ($id: ID!) { execution(id: $id) {
  status endReason error { type message stageId } stages { id status startTime output { text } }
} }"""


def started(graphql: GraphQLDoor, pipeline: str, input: str = "hello", **options: object) -> Row:
    payload: Row = graphql.ask(START, pipelineId=pipeline, input=input, options=options)
    found: Row = payload["startExecution"]
    return found


def stages(graphql: GraphQLDoor, id: str) -> list[Row]:
    found: list[Row] = graphql.ask(STAGES, id=id)["execution"]["stages"]
    return found


def test_start_payload(graphql: GraphQLDoor, ended: Ended) -> None:
    """A start gives the execution as it is now, and no error."""
    payload = started(graphql, "echo")
    assert payload["userErrors"] == []
    assert payload["existing"] is False
    assert payload["execution"]["status"] in ("QUEUED", "RUNNING", "COMPLETED")
    ended(payload["execution"]["id"])


@pytest.mark.parametrize(
    ("pipeline", "input", "options", "code", "path"),
    [
        ("none", "a", {}, "NOT_FOUND", []),
        ("echo", " ", {}, "INVALID_INPUT", ["input"]),
        ("echo", "a", {"timeoutMs": 0}, "INVALID_INPUT", ["options", "timeoutMs"]),
        ("echo", "a", {"executionMode": "no"}, "INVALID_INPUT", ["options", "executionMode"]),
        ("echo", "a", {"executionMode": "api"}, "INVALID_INPUT", ["options", "executionMode"]),
        ("echo", "a", {"idempotencyKey": ""}, "INVALID_INPUT", ["options", "idempotencyKey"]),
        (
            "echo",
            "a",
            {"labels": [{"key": "", "value": "b"}]},
            "INVALID_INPUT",
            ["options", "labels", "0", "key"],
        ),
        (
            "echo",
            "a",
            {"labels": [{"key": "k", "value": "b"}] * 2},
            "INVALID_INPUT",
            ["options", "labels", "1", "key"],
        ),
    ],
)
def test_refused_start(
    graphql: GraphQLDoor, pipeline: str, input: str, options: Row, code: str, path: list[str]
) -> None:
    """A refused start is a typed error in the payload, with the way to what is to blame."""
    payload = started(graphql, pipeline, input, **options)
    assert payload["execution"] is None
    [error] = payload["userErrors"]
    assert (error["code"], error["path"]) == (code, path)
    assert error["message"]


def test_time_limit(graphql: GraphQLDoor, ended: Ended) -> None:
    """An execution that takes longer than its timeoutMs fails with TIMEOUT."""
    id = ended(started(graphql, "waiting", timeoutMs=200)["execution"]["id"])
    execution = graphql.ask(STAGES, id=id)["execution"]
    assert (execution["status"], execution["endReason"]) == ("FAILED", "TIMEOUT")
    assert execution["error"]["message"] == "the execution took longer than 200 ms"
    assert execution["stages"][0]["status"] in ("FAILED", "CANCELLED")


def test_same_key(graphql: GraphQLDoor) -> None:
    """The same start with the same idempotency key finds the first one."""
    key = uuid4().hex
    first = started(graphql, "echo", idempotencyKey=key)
    second = started(graphql, "echo", idempotencyKey=key)
    assert second["execution"]["id"] == first["execution"]["id"]
    assert (first["existing"], second["existing"]) == (False, True)
    assert second["userErrors"] == []


def test_same_key_for_another_start(graphql: GraphQLDoor) -> None:
    """Another start with the same idempotency key is a CONFLICT and starts nothing."""
    key = uuid4().hex
    started(graphql, "echo", "one", idempotencyKey=key)
    payload = started(graphql, "echo", "two", idempotencyKey=key)
    assert payload["execution"] is None
    [error] = payload["userErrors"]
    assert (error["code"], error["path"]) == ("CONFLICT", ["options", "idempotencyKey"])


def test_retry(graphql: GraphQLDoor, ended: Ended) -> None:
    """A retry is a new execution with the same input and labels that names the old one."""
    labels = [{"key": "a", "value": "b"}]
    old = ended(started(graphql, "several-v1", "text", labels=labels)["execution"]["id"])
    payload = graphql.ask(RETRY, id=old)["retryExecution"]
    new = payload["execution"]
    assert new == {"id": new["id"], "retryOf": old, "input": "text", "labels": labels}
    assert new["id"] != old
    ended(new["id"])
    assert stages(graphql, new["id"])[0]["startTime"] > stages(graphql, old)[0]["startTime"]


def test_retry_from_a_stage(graphql: GraphQLDoor, run: Run, ended: Ended) -> None:
    """A retry from a stage on takes over what the stages before it came to, as it was."""
    old = ended(run("several-v1", "text"))
    new = graphql.ask(RETRY, id=old, fromStage="measure")["retryExecution"]["execution"]["id"]
    ended(new)
    before, after = stages(graphql, old), stages(graphql, new)
    assert after[:2] == before[:2]
    assert after[2]["startTime"] > before[2]["startTime"]
    assert after[2]["output"] == before[2]["output"]


def test_retry_of_the_failed_stage(graphql: GraphQLDoor, run: Run, ended: Ended) -> None:
    """What failed can be tried again where it failed, and tells its own end."""
    old = ended(run("failing", "rubbish"))
    new = graphql.ask(RETRY, id=old, fromStage="break")["retryExecution"]["execution"]["id"]
    ended(new)
    execution = graphql.ask(STAGES, id=new)["execution"]
    assert (execution["status"], execution["endReason"]) == ("FAILED", "STAGE_ERROR")
    assert (execution["error"]["type"], execution["error"]["stageId"]) == ("ValueError", "break")


@pytest.mark.parametrize(
    ("from_stage", "code"), [("none", "NOT_FOUND"), ("after", "CONFLICT")], ids=str
)
def test_refused_retry(
    graphql: GraphQLDoor, run: Run, ended: Ended, from_stage: str, code: str
) -> None:
    """A retry from a stage that there is not, or was not reached, is refused."""
    old = ended(run("failing"))
    payload = graphql.ask(RETRY, id=old, fromStage=from_stage)["retryExecution"]
    assert payload["execution"] is None
    [error] = payload["userErrors"]
    assert (error["code"], error["path"]) == (code, ["fromStage"])


def test_retry_of_nothing(graphql: GraphQLDoor) -> None:
    """A retry of what never was is NOT_FOUND."""
    payload = graphql.ask(RETRY, id="exec_1_a")["retryExecution"]
    [error] = payload["userErrors"]
    assert (payload["execution"], error["code"]) == (None, "NOT_FOUND")


def test_cancel_payload(graphql: GraphQLDoor, run: Run, ended: Ended) -> None:
    """A cancel tells the execution as it is now; a second one is told why not."""
    id = run("waiting")
    first = graphql.ask(CANCEL, id=id, reason="enough")["cancelExecution"]
    assert (first["cancelled"], first["userErrors"]) == (True, [])
    assert first["execution"]["status"] in ("CANCELLING", "CANCELLED")
    ended(id)
    second = graphql.ask(CANCEL, id=id)["cancelExecution"]
    assert (second["cancelled"], second["execution"]["status"]) == (False, "CANCELLED")
    assert [error["code"] for error in second["userErrors"]] == ["ALREADY_ENDED"]
    why = graphql.ask("query ($id: ID!) { execution(id: $id) { cancellation { reason } } }", id=id)
    assert why["execution"]["cancellation"]["reason"] == "enough"


def test_cancel_of_nothing(graphql: GraphQLDoor) -> None:
    """A cancel of what never was is NOT_FOUND."""
    payload = graphql.ask(CANCEL, id="exec_1_a")["cancelExecution"]
    assert (payload["cancelled"], payload["execution"]) == (False, None)
    [error] = payload["userErrors"]
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["id"])


def test_second_cancel_while_stopping(graphql: GraphQLDoor, run: Run) -> None:
    """While it is stopping, a further cancel is a CONFLICT that names the way to hasten it."""
    id = run("stubborn")
    eventually(lambda: "begun" in stages(graphql, id)[0]["output"]["text"])
    graphql.ask(CANCEL, id=id)
    [error] = graphql.ask(CANCEL, id=id)["cancelExecution"]["userErrors"]
    assert error["code"] == "CONFLICT"
    assert "force" in error["message"]
    assert graphql.ask(CANCEL, id=id, force=True)["cancelExecution"]["userErrors"] == []


def test_cancel_many(graphql: GraphQLDoor, ended: Ended) -> None:
    """A filter cancels what it finds and has not ended; a dry run only tells what that would be."""
    word = {"key": "batch", "value": uuid4().hex}
    ended(started(graphql, "echo", labels=[word])["execution"]["id"])
    ids = {started(graphql, "waiting", labels=[word])["execution"]["id"] for _ in range(3)}
    dry = graphql.ask(CANCEL_MANY, filter={"labels": [word]}, dryRun=True)["cancelExecutions"]
    assert dry["matched"] == 3
    assert {result["execution"]["id"] for result in dry["results"]} == ids
    assert {result["execution"]["status"] for result in dry["results"]} <= {"QUEUED", "RUNNING"}
    assert all(stages(graphql, id) and not _reason(graphql, id) for id in ids)
    done = graphql.ask(CANCEL_MANY, filter={"labels": [word]})["cancelExecutions"]
    assert (done["matched"], done["cancelled"]) == (3, 3)
    for id in ids:
        ended(id)
        assert _reason(graphql, id) == "CANCELLED_BY_USER"


def test_cancel_many_gives_its_reason(graphql: GraphQLDoor, run: Run) -> None:
    """To each; one that is stopping already is told, and not counted as cancelled."""
    ids = [run("waiting"), run("stubborn")]
    eventually(lambda: "begun" in stages(graphql, ids[1])[0]["output"]["text"])
    graphql.ask(CANCEL, id=ids[1], reason="first")
    found = [
        graphql.ask(CANCEL_MANY, filter={"text": id}, reason="enough")["cancelExecutions"]
        for id in ids
    ]
    assert [(one["matched"], one["cancelled"]) for one in found] == [(1, 1), (1, 0)]
    [error] = found[1]["results"][0]["userErrors"]
    assert error["code"] == "CONFLICT"
    why = "query ($id: ID!) { execution(id: $id) { cancellation { reason forced } } }"
    told = [graphql.ask(why, id=id)["execution"]["cancellation"] for id in ids]
    assert told == [{"reason": "enough", "forced": False}, {"reason": "first", "forced": False}]
    graphql.ask(CANCEL, id=ids[1], force=True)
    assert graphql.ask(why, id=ids[1])["execution"]["cancellation"]["forced"] is True


def test_dry_run_cancels_none(graphql: GraphQLDoor, run: Run) -> None:
    """A dry run has cancelled nothing, and says so."""
    id = run("waiting")
    payload = graphql.ask(CANCEL_MANY, filter={"text": id}, dryRun=True)["cancelExecutions"]
    assert (payload["matched"], payload["cancelled"]) == (1, 0)
    assert [result["cancelled"] for result in payload["results"]] == [False]


def _reason(graphql: GraphQLDoor, id: str) -> object:
    return graphql.ask(STAGES, id=id)["execution"]["endReason"]
