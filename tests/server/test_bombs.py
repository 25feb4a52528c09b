"""Documents that are made to cost much: each is refused by name, and nobody else notices."""

import statistics
import threading
import time
from typing import Any

import httpx
import pytest
from doors import GraphQLDoor, Refused
from gql.transport.exceptions import TransportQueryError
from server_process import ServerProcess
from subscriptions import connected

QUERY = "{ server { engine } }"
BOMBERS = 8
QUERIES = 30


def fields(pattern: str, number: int) -> str:
    return " ".join(pattern.format(n=n) for n in range(number))


def chain(spreads: int, last: int) -> str:
    """Fragments that each spread the next one so many times."""
    rows = (f"fragment f{n} on Query {{ {f'...f{n + 1} ' * spreads}}} " for n in range(last))
    return "{ ...f0 } " + "".join(rows) + f"fragment f{last} on Query {{ __typename }}"


START = 'a{n}: startExecution(pipelineId: "echo", input: "bomb") {{ existing }}'
BOMBS = {
    "tokens": ("max_tokens", "{ " + "server { engine } " * 2000 + "}"),
    "comments": ("max_tokens", "#\n" * 20_000 + QUERY),
    "300 fragments": (
        "max_tokens",
        QUERY + fields("fragment f{n} on Query {{ __typename }}", 300),
    ),
    "depth": ("max_depth", "{ " + "node(id: 1) { " * 15 + "id" + " }" * 16),
    "inline fragments": ("max_depth", "{ " + "... { " * 150 + "__typename" + " }" * 151),
    "fields": ("max_fields", "{ executions { " + fields("a{n}", 900) + " } }"),
    "repeats": ("max_repeats", "{ executions { " + "stages { id id } " * 160 + "} }"),
    "repeats in a grid": (
        "max_repeats",
        "{ executionsConnection { " + f"nodes {{ {'stages { id } ' * 15} }} " * 15 + "} }",
    ),
    "repeats below": (
        "max_repeats",
        "{ " + f"executions {{ {'stages { id } ' * 12} }} " * 12 + "}",
    ),
    "fragments that double": ("max_repeats", chain(2, 28)),
    "fragments times fifteen": ("max_repeats", chain(15, 20)),
    "root fields": ("max_root_fields", "{ " + fields("a{n}: __typename", 200) + " }"),
    "mutations": ("max_mutations", "mutation { " + fields(START, 60) + " }"),
    "aliases": ("max_aliases", "{ executions { " + fields("a{n}: id", 300) + " } }"),
    "directives": ("max_directives", "{ server " + "@include(if: true) " * 120 + "{ engine } }"),
    "operations": ("max_operations", fields("query q{n} {{ server {{ engine }} }}", 100)),
    "120 fragments": (
        "max_fragments",
        QUERY + fields("fragment f{n} on Query {{ __typename }}", 120),
    ),
    "list": ("max_list", "{ executions(filter: {pipelineId: [" + '"a" ' * 900 + "]}) { id } }"),
}
CYCLE = "{ ...a } fragment a on Query { ...b ...b } fragment b on Query { ...a ...a }"
LISTING = "query ($f: ExecutionFilter) { executions(filter: $f) { id } }"


@pytest.fixture
def door(server: ServerProcess) -> GraphQLDoor:
    """A client over HTTP."""
    return GraphQLDoor(server.client)


async def refusal(server: ServerProcess, document: str, **variables: Any) -> dict[str, Any]:
    """The first error of an operation over a socket, which goes on afterwards."""
    async with connected(server.ws_url) as socket:
        with pytest.raises(TransportQueryError) as refused:
            await socket.ask(document, **variables)
        assert await socket.ask(QUERY) == {"server": {"engine": "embedded"}}
    assert refused.value.errors is not None
    error: dict[str, Any] = refused.value.errors[0]
    return error


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_over_http(door: GraphQLDoor, name: str) -> None:
    """The error has the code LIMIT_EXCEEDED and names the limit."""
    limit, document = BOMBS[name]
    with pytest.raises(Refused) as refused:
        door.ask(document)
    assert refused.value.code == "LIMIT_EXCEEDED"
    assert f"--{limit.replace('_', '-')}" in refused.value.message


# The library prints what it has parsed: comments do not reach the server.
@pytest.mark.parametrize("name", [name for name in BOMBS if name != "comments"])
async def test_bomb_over_the_socket(server: ServerProcess, name: str) -> None:
    """The error is of that operation alone; the socket goes on."""
    limit, document = BOMBS[name]
    error = await refusal(server, document)
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit}
    assert f"--{limit.replace('_', '-')}" in error["message"]


def test_fragments_in_a_circle(door: GraphQLDoor) -> None:
    """Measuring them ends, and validation names them."""
    with pytest.raises(Refused, match="within itself") as refused:
        door.ask(CYCLE)
    assert refused.value.code == "GRAPHQL_VALIDATION_FAILED"


async def test_list_in_variables(server: ServerProcess, door: GraphQLDoor) -> None:
    """A list in the variables has the limit of one in the document."""
    filter = {"pipelineId": ["a"] * 251}
    with pytest.raises(Refused, match="--max-list"):
        door.ask(LISTING, f=filter)
    assert "--max-list" in (await refusal(server, LISTING, f=filter))["message"]


def test_introspection_bomb(door: GraphQLDoor) -> None:
    """The schema's own lists cannot be walked round and round."""
    walk = "fields { type { " * 4 + "name" + " } }" * 4
    with pytest.raises(Refused, match="introspection depth"):
        door.ask("{ __schema { types { " + walk + " } } }")


def test_no_mutation_of_a_bomb_runs(door: GraphQLDoor) -> None:
    """A mutation with too many fields starts not even the first few."""
    word = "part of a bomb"
    with pytest.raises(Refused, match="--max-mutations"):
        door.ask("mutation { " + fields(START.replace('"bomb"', f'"{word}"'), 6) + " }")
    assert door.ask(LISTING, f={"text": word})["executions"] == []


def test_others_go_on(server: ServerProcess) -> None:
    """Eight clients send bombs; each gets its error, and a ninth an answer to every query."""
    bodies = [{"query": document} for _, document in BOMBS.values()]
    ended = threading.Event()
    codes: list[str] = []

    def bombard() -> None:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            while True:
                for body in bodies:
                    errors = client.post("/graphql", json=body).json()["errors"]
                    codes.extend(error["extensions"]["code"] for error in errors)
                if ended.is_set():
                    return

    threads = [threading.Thread(target=bombard) for _ in range(BOMBERS)]
    for thread in threads:
        thread.start()
    try:
        taken = latencies(server)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert len(codes) >= BOMBERS * len(bodies) and set(codes) == {"LIMIT_EXCEEDED"}
    print(f"ms: p50 {statistics.median(taken):.1f}, max {max(taken):.1f}")  # noqa: T201


def latencies(server: ServerProcess) -> list[float]:
    """How many milliseconds each answer to a client took."""
    taken = []
    for _ in range(QUERIES):
        begun = time.perf_counter()
        answer = server.client.post("/graphql", json={"query": QUERY})
        taken.append((time.perf_counter() - begun) * 1000)
        assert answer.json() == {"data": {"server": {"engine": "embedded"}}}
    return taken
