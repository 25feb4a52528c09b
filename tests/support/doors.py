"""The same use cases through REST and through GraphQL, spelled alike for the tests."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import httpx

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = list[Row]

FIELDS = (
    "id",
    "pipelineId",
    "pipelineName",
    "status",
    "startTime",
    "currentStage",
    "totalStages",
    "inputPreview",
)
WORDS = {
    "QUEUED": "running",
    "RUNNING": "running",
    "CANCELLING": "cancelled",
    "COMPLETED": "completed",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
}
CODES = {
    400: "INVALID_INPUT",
    404: "NOT_FOUND",
    413: "TOO_LARGE",
    429: "CAPACITY",
    503: "UNAVAILABLE",
}


SPELLINGS = {"BAD_USER_INPUT": "INVALID_INPUT"}
"""What GraphQL itself refuses has codes of its own."""


class Refused(Exception):
    """The server said no; `code` as in GraphQL."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Door(Protocol):
    """A way into the server. Rows have FIELDS; a refusal is raised."""

    def start(self, pipeline: str, input: object = "hello") -> str: ...

    def list(self, *words: str) -> Rows: ...

    def running(self) -> Rows: ...

    def detail(self, id: str) -> Row | None: ...

    def cancel(self, id: str) -> str: ...

    def post(self, body: bytes | Iterable[bytes]) -> httpx.Response: ...


class RestDoor:
    """`/api`."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def start(self, pipeline: str, input: object = "hello") -> str:
        answer = self._client.post(f"/api/pipelines/{pipeline}/run", json={"input": input})
        return str(_content(answer)["executionId"])

    def list(self, *words: str) -> Rows:
        params = [("status", word) for word in words]
        rows: Rows = _content(self._client.get("/api/executions", params=params))["executions"]
        return rows

    def running(self) -> Rows:
        rows: Rows = _content(self._client.get("/api/executions/running"))["executions"]
        return rows

    def detail(self, id: str) -> Row | None:
        answer = self._client.get(f"/api/executions/{id}")
        return None if answer.status_code == 404 else _content(answer)

    def cancel(self, id: str) -> str:
        done = _content(self._client.post(f"/api/executions/{id}/cancel"))["cancelled"]
        return "CANCELLED" if done else "REFUSED"

    def post(self, body: bytes | Iterable[bytes]) -> httpx.Response:
        return self._client.post(
            "/api/pipelines/echo/run", content=body, headers={"content-type": "application/json"}
        )


LIST = (
    f"query ($filter: ExecutionFilter) {{ executions(filter: $filter) {{ {' '.join(FIELDS)} }} }}"
)
DETAIL = """query ($id: ID!) { execution(id: $id) {
  id pipelineId pipelineName status startTime currentStage totalStages input output
  error { message } stages { id name type status durationMs error { message } output { text } }
} }"""
START = """mutation ($pipelineId: ID!, $input: String!, $options: StartOptions) {
  startExecution(pipelineId: $pipelineId, input: $input, options: $options) {
    execution { id status } existing userErrors { code message path }
  }
}"""
CANCEL = """mutation ($id: ID!, $reason: String, $force: Boolean! = false) {
  cancelExecution(id: $id, reason: $reason, force: $force) {
    cancelled execution { id status } userErrors { code message path }
  }
}"""


class GraphQLDoor:
    """`/graphql` over HTTP."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def answer(self, document: str, **variables: object) -> Row:
        """The whole answer, with its errors if it has any."""
        body = {"query": document, "variables": variables}
        return _content(self._client.post("/graphql", json=body))

    def ask(self, document: str, **variables: object) -> Row:
        """The data of an answer; what the server does not understand is refused."""
        answer = self.answer(document, **variables)
        for error in answer.get("errors", []):
            code = error["extensions"]["code"]
            raise Refused(SPELLINGS.get(code, code), error["message"])
        data: Row = answer["data"]
        return data

    def start(self, pipeline: str, input: object = "hello") -> str:
        payload = self.ask(START, pipelineId=pipeline, input=input)["startExecution"]
        for error in payload["userErrors"]:
            raise Refused(error["code"], error["message"])
        return str(payload["execution"]["id"])

    def list(self, *words: str) -> Rows:
        statuses = [status for word in words for status in _statuses(word)]
        filter = {"status": statuses} if words else None
        return [_row(found) for found in self.ask(LIST, filter=filter)["executions"]]

    def running(self) -> Rows:
        return self.list("running")

    def detail(self, id: str) -> Row | None:
        found = self.ask(DETAIL, id=id)["execution"]
        if found is None:
            return None
        return _row(found) | {"stages": [_stage(stage) for stage in found["stages"]]}

    def cancel(self, id: str) -> str:
        payload = self.ask(CANCEL, id=id)["cancelExecution"]
        if payload["cancelled"]:
            assert payload["userErrors"] == []
            return "CANCELLED"
        return str(payload["userErrors"][0]["code"])

    def post(self, body: bytes | Iterable[bytes]) -> httpx.Response:
        headers = {"content-type": "application/json"}
        return self._client.post("/graphql", content=body, headers=headers)


def reason(answer: httpx.Response) -> str:
    """Why HTTP says no, as the door spells it."""
    content: Row = answer.json()
    return str(content["error"] if "error" in content else content["errors"][0]["message"])


def _content(answer: httpx.Response) -> Row:
    content: Row = answer.json()
    if "error" in content:
        raise Refused(CODES[answer.status_code], content["error"])
    assert answer.status_code == 200 or content.keys() == {"errors"}, answer.text
    return content


def _statuses(word: str) -> list[str]:
    # An unknown word is sent as it is: what happens then is what a test wants to see.
    return [status for status, said in WORDS.items() if said == word] or [word]


def _row(found: Row) -> Row:
    moment = datetime.fromisoformat(found["startTime"])
    return found | {
        "status": WORDS[found["status"]],
        "startTime": round(moment.timestamp() * 1000),
    }


def _stage(stage: Row) -> Row:
    shown = {key: stage[key] for key in ("id", "name", "type")}
    shown["status"] = stage["status"].lower()
    if stage["output"]["text"]:
        shown["output"] = stage["output"]["text"]
    if stage["error"]:
        shown["error"] = stage["error"]["message"]
    return shown
