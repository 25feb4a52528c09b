"""The requests that are measured, the same for every server that can answer them."""

import json
from dataclasses import dataclass
from typing import Any

from served import Target

from .http_load import get, post

LIST = """{ executions {
  id pipelineId pipelineName status startTime currentStage totalStages inputPreview
} }"""
PAGE = """{ executionsConnection(first: 20) {
  totalCount
  statusCounts { status count }
  nodes {
    id pipelineId pipelineName status startTime currentStage totalStages inputPreview
    stages { name status }
  }
  pageInfo { hasNextPage }
} }"""
DETAIL = """query Detail($id: ID!, $withStages: Boolean!) {
  execution(id: $id) {
    ...Head
    pipeline: pipelineName
    ended: endTime
    durationMs
    stages @include(if: $withStages) { ...Part }
  }
}
fragment Head on Execution { id status startTime currentStage totalStages inputPreview }
fragment Part on Stage { id name kind: type status attempt durationMs }"""
PROGRESS = """subscription ($id: ID!, $after: String) { executionProgress(id: $id, after: $after) {
  event sequence status currentStage totalStages output { text }
} }"""
CHANGES = """subscription { executionsChanged { change execution {
  id status currentStage totalStages sequence stages { status progress }
} } }"""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and by which door it comes in."""

    title: str
    door: str
    query: str | None = None
    variables: Any = None

    @property
    def content(self) -> dict[str, Any]:
        return {"query": self.query, "variables": self.variables or {}}

    @property
    def target(self) -> Target:
        if self.query is None:
            return ("GET", "/api/executions", None)
        return ("POST", "/graphql", json.dumps(self.content))

    @property
    def bytes(self) -> bytes:
        if self.query is None:
            return get("/api/executions")
        return post("/graphql", self.content)


GRAPHQL_LIST = Request("GraphQL list", "GraphQL", LIST)
REST_LIST = Request("REST list", "REST")
FIRST_PAGE = Request("first page of `executionsConnection`", "GraphQL", PAGE)


def detail(id: str) -> Request:
    variables = {"id": id, "withStages": True}
    return Request("one execution with its stages", "GraphQL", DETAIL, variables)
