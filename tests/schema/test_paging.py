"""A list of executions, page by page."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from doors import GraphQLDoor, Refused, Row

PAGE = """query (
  $filter: ExecutionFilter, $orderBy: ExecutionOrder, $first: Int, $after: String, $last: Int,
  $before: String
) {
  executionsConnection(
    filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before
  ) {
    edges { cursor node { id } } nodes { id } totalCount cursor
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    statusCounts { status count }
  }
}"""


def test_pages_forward(graphql: GraphQLDoor, five: tuple[Row, list[str]]) -> None:
    """Pages of two, one after the other, give everything once and in order."""
    filter, ids = five
    seen, after, sizes = [], None, []
    while True:
        page = graphql.ask(PAGE, filter=filter, first=2, after=after)["executionsConnection"]
        assert page["totalCount"] == 5
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert [edge["node"] for edge in page["edges"]] == page["nodes"]
        seen += [node["id"] for node in page["nodes"]]
        sizes.append(len(page["nodes"]))
        after = page["pageInfo"]["endCursor"]
        assert page["edges"][-1]["cursor"] == after
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert (seen, sizes) == (ids, [2, 2, 1])


def test_pages_backward(graphql: GraphQLDoor, five: tuple[Row, list[str]]) -> None:
    """The last page comes first when it is asked for from the end."""
    filter, ids = five
    last = graphql.ask(PAGE, filter=filter, last=2)["executionsConnection"]
    assert [node["id"] for node in last["nodes"]] == ids[3:]
    before = last["pageInfo"]["startCursor"]
    middle = graphql.ask(PAGE, filter=filter, last=2, before=before)["executionsConnection"]
    assert [node["id"] for node in middle["nodes"]] == ids[1:3]
    assert middle["pageInfo"]["hasPreviousPage"] is middle["pageInfo"]["hasNextPage"] is True


def test_page_order_by_another_field(graphql: GraphQLDoor, marked: Callable[..., str]) -> None:
    """The largest first, if the direction is not said."""
    word = uuid4().hex
    ids = {pipeline: marked(pipeline, batch=word) for pipeline in ("several-v1", "echo", "chatty")}
    filter = {"labels": [{"key": "batch", "value": word}]}

    def found(**order: str) -> list[str]:
        page = graphql.ask(PAGE, filter=filter, orderBy=order)["executionsConnection"]
        return [node["id"] for node in page["nodes"]]

    by_name = [ids[pipeline] for pipeline in ("chatty", "several-v1", "echo")]
    assert found(field="PIPELINE_NAME") == found(field="PIPELINE_NAME", direction="DESC") == by_name
    assert found(field="PIPELINE_NAME", direction="ASC") == by_name[::-1]
    assert found() == [*ids.values()][::-1]


@pytest.mark.parametrize("number", [20, 21, 30])
def test_a_list_may_be_asked_for_twice(
    graphql: GraphQLDoor, marked: Callable[..., str], number: int
) -> None:
    """Under two names, in full and in order, however long it is."""
    word = uuid4().hex
    ids = [marked("echo", batch=word) for _ in range(number)][::-1]
    filter = {"labels": [{"key": "batch", "value": word}]}
    query = """query ($f: ExecutionFilter) {
      a: executions(filter: $f) { id } b: executions(filter: $f) { id }
      page: executionsConnection(filter: $f) {
        nodes { id } again: nodes { id } edges { node { id } } totalCount
      }
    }"""
    data = graphql.ask(query, f=filter)
    edges = [edge["node"] for edge in data["page"]["edges"]]
    for listed in (data["a"], data["b"], data["page"]["nodes"], data["page"]["again"], edges):
        assert [one["id"] for one in listed] == ids
    assert data["page"]["totalCount"] == number


def test_page_order(graphql: GraphQLDoor, five: tuple[Row, list[str]]) -> None:
    """Another order turns the list around."""
    filter, ids = five
    order = {"field": "START_TIME", "direction": "ASC"}
    page = graphql.ask(PAGE, filter=filter, orderBy=order)["executionsConnection"]
    assert [node["id"] for node in page["nodes"]] == ids[::-1]


def test_empty_page(graphql: GraphQLDoor) -> None:
    """A page without anything has null cursors."""
    page = graphql.ask(PAGE, filter={"text": uuid4().hex})["executionsConnection"]
    assert page["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }
    assert (page["edges"], page["totalCount"]) == ([], 0)


def test_status_counts(graphql: GraphQLDoor, five: tuple[Row, list[str]]) -> None:
    """Counts are those of every status, whatever statuses the filter asks for."""
    filter, _ = five
    page = graphql.ask(PAGE, filter={**filter, "status": ["RUNNING"]})["executionsConnection"]
    counts = {count["status"]: count["count"] for count in page["statusCounts"]}
    assert page["totalCount"] == 0
    statuses = ("QUEUED", "RUNNING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED")
    assert counts == dict.fromkeys(statuses, 0) | {"COMPLETED": 5}


@pytest.mark.parametrize(
    "arguments", [{"first": -1}, {"first": 251}, {"first": 1, "last": 1}, {"after": "nonsense"}]
)
def test_page_bounds(graphql: GraphQLDoor, arguments: Row) -> None:
    """A page that cannot be is refused in words."""
    with pytest.raises(Refused) as refused:
        graphql.ask(PAGE, **arguments)
    assert refused.value.code == "INVALID_INPUT"
