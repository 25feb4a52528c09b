"""Starts and retries by an idempotency key, through either door, told alike."""

from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from doors import CODES, START, Refused

RETRY = """mutation ($id: ID!, $fromStage: ID, $key: String) {
  retryExecution(id: $id, fromStage: $fromStage, idempotencyKey: $key) {
    execution { id } existing userErrors { code message } } }"""
CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Begun:
    """The execution that there is now, and whether it was there before."""

    id: str
    existing: bool


class KeyedDoor(Protocol):
    """A refusal is raised."""

    def start(self, pipeline: str, input: str, key: str | None) -> Begun: ...

    def retry(self, id: str, stage: str | None, key: str | None) -> Begun: ...


class KeyedRest:
    """`/api`."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def start(self, pipeline: str, input: str, key: str | None) -> Begun:
        body = {"input": input, "idempotencyKey": key}
        return self._begun(self._client.post(f"/api/pipelines/{pipeline}/run", json=body))

    def retry(self, id: str, stage: str | None, key: str | None) -> Begun:
        body = {"fromStage": stage, "idempotencyKey": key}
        return self._begun(self._client.post(f"/api/executions/{id}/retry", json=body))

    def _begun(self, answer: httpx.Response) -> Begun:
        content = answer.json()
        if answer.status_code != 200:
            code = "CONFLICT" if answer.status_code == CONFLICT else CODES[answer.status_code]
            raise Refused(code, content["error"])
        return Begun(content["executionId"], content.get("existing", False))


class KeyedGraphQL:
    """`/graphql`."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def start(self, pipeline: str, input: str, key: str | None) -> Begun:
        options = {"idempotencyKey": key}
        return self._begun(START, pipelineId=pipeline, input=input, options=options)

    def retry(self, id: str, stage: str | None, key: str | None) -> Begun:
        return self._begun(RETRY, id=id, fromStage=stage, key=key)

    def _begun(self, document: str, **variables: Any) -> Begun:
        body = {"query": document, "variables": variables}
        [payload] = self._client.post("/graphql", json=body).json()["data"].values()
        for error in payload["userErrors"]:
            raise Refused(error["code"], error["message"])
        return Begun(payload["execution"]["id"], payload["existing"])
