"""`/api/executions/history`: section 1.5 of the REST contract."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from deadlines import eventually
from doors import GraphQLDoor, Row
from server_process import ServerProcess, serving

ENDED = 6


@pytest.fixture(scope="module")
def lone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on which exactly so many have ended, one after the other, and one runs."""
    with serving(tmp_path_factory.mktemp("history"), "--grace", "1") as server:
        door = GraphQLDoor(server.client)
        for number in range(ENDED):
            door.start("echo", f"number {number}")
            eventually(lambda: not door.running())
        runs = door.start("waiting")
        yield server
        door.cancel(runs)


@pytest.fixture
def rest(lone_server: ServerProcess) -> httpx.Client:
    """A client of it."""
    return lone_server.client


def page_of(rest: httpx.Client, **params: int) -> Row:
    answer: Row = rest.get("/api/executions/history", params=params).raise_for_status().json()
    return answer


def inputs(page: Row) -> list[str]:
    return [one["input"] for one in page["executions"]]


NEWEST_FIRST = [f"number {number}" for number in reversed(range(ENDED))]


@pytest.mark.parametrize(
    ("size", "pages"), [(1, 6), (2, 3), (3, 2), (4, 2), (5, 2), (6, 1), (7, 1), (100, 1)]
)
def test_the_pages_are_as_many_as_there_is_something_on(
    rest: httpx.Client, size: int, pages: int
) -> None:
    """Together they have everything once, newest end first; the one behind them is empty."""
    found = [page_of(rest, page=number, pageSize=size) for number in range(1, pages + 2)]
    assert [one["totalPages"] for one in found] == [pages] * (pages + 1)
    assert [one["page"] for one in found] == [*range(1, pages + 2)]
    assert {(one["total"], one["pageSize"]) for one in found} == {(ENDED, size)}
    assert [text for one in found for text in inputs(one)] == NEWEST_FIRST
    assert all(inputs(one) for one in found[:-1])
    assert inputs(found[-1]) == []


def test_the_first_page_of_twenty(rest: httpx.Client) -> None:
    """It is what whoever does not say gets."""
    found = page_of(rest)
    assert (found["page"], found["pageSize"], inputs(found)) == (1, 20, NEWEST_FIRST)


def test_where_nothing_has_ended_there_is_no_page(serve: Callable[..., ServerProcess]) -> None:
    """Not even an empty one."""
    found = page_of(serve().client)
    assert (found["executions"], found["total"], found["totalPages"]) == ([], 0, 0)


@pytest.mark.parametrize(
    "params",
    [
        {"page": "0"},
        {"page": "-1"},
        {"page": "1.5"},
        {"page": "one"},
        {"page": ""},
        {"page": "\u0661"},
        {"page": str(2**31 + 1)},
        {"page": "9" * 12},
        {"pageSize": "0"},
        {"pageSize": "101"},
    ],
    ids=str,
)
def test_a_page_that_cannot_be_is_refused(rest: httpx.Client, params: dict[str, str]) -> None:
    """By the name of the number, with 400."""
    answer = rest.get("/api/executions/history", params=params)
    assert answer.status_code == 400
    [name] = params
    assert name in answer.json()["error"]


def test_the_farthest_page_is_empty(rest: httpx.Client) -> None:
    """It can be asked for all the same."""
    found = page_of(rest, page=2**31, pageSize=100)
    assert (inputs(found), found["total"]) == ([], ENDED)
