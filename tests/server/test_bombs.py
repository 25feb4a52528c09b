"""Documents that are made to cost much: each is refused by name, and nobody else notices."""

import threading

import httpx
import pytest
from doors import GraphQLDoor, Refused
from gql.transport.exceptions import TransportQueryError
from server_process import ServerProcess
from subscriptions import connected

QUERY = "{ server { engine } }"
DOUBLING = "".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }} " for n in range(28))
BOMBS = {
    "max_tokens": "{ " + "server { engine } " * 20_000 + "}",
    "max_depth": "{ " + "node(id: 1) { " * 15 + "id" + " }" * 16,
    "max_fields": "{ executions { " + " ".join(f"a{n}" for n in range(900)) + " } }",
    "max_repeats": "{ executions { " + "stages { id id } " * 160 + "} }",
    "max_root_fields": "{ " + " ".join(f"a{n}: __typename" for n in range(200)) + " }",
    "max_mutations": "mutation { "
    + " ".join(
        f'a{n}: startExecution(pipelineId: "echo", input: "bomb") {{ existing }}' for n in range(60)
    )
    + " }",
    "max_aliases": "{ executions { " + " ".join(f"a{n}: id" for n in range(300)) + " } }",
    "max_directives": "{ server " + "@include(if: true) " * 120 + "{ engine } }",
    "max_operations": " ".join(f"query q{n} {{ server {{ engine }} }}" for n in range(100)),
    "max_fragments": "{ server { engine } } "
    + " ".join(f"fragment f{n} on Query {{ __typename }}" for n in range(120)),
    "max_list": "{ executions(filter: {pipelineId: [" + '"a" ' * 900 + "]}) { id } }",
}
NESTED = {
    "fragments that double": "{ ...f0 } " + DOUBLING + "fragment f28 on Query { __typename }",
    "inline fragments": "{ " + "... { " * 150 + "__typename" + " }" * 151,
    "fragments in a row": "{ ...f0 } "
    + " ".join(f"fragment f{n} on Query {{ {f'...f{n + 1} ' * 20} }}" for n in range(29))
    + " fragment f29 on Query { __typename }",
}


@pytest.fixture
def door(server: ServerProcess) -> GraphQLDoor:
    """A client over HTTP."""
    return GraphQLDoor(server.client)


@pytest.mark.parametrize("limit", BOMBS)
def test_bomb_over_http(door: GraphQLDoor, limit: str) -> None:
    """The error has the code LIMIT_EXCEEDED and names the limit."""
    with pytest.raises(Refused) as refused:
        door.ask(BOMBS[limit])
    assert refused.value.code == "LIMIT_EXCEEDED"
    assert f"--{limit.replace('_', '-')}" in refused.value.message


@pytest.mark.parametrize("limit", BOMBS)
async def test_bomb_over_the_socket(server: ServerProcess, limit: str) -> None:
    """The error is of that operation alone; the socket goes on."""
    async with connected(server.ws_url) as socket:
        # Sent as it is: this client library would refuse some of them itself.
        socket.session.client.schema = None
        with pytest.raises(TransportQueryError) as refused:
            await socket.ask(BOMBS[limit])
        assert refused.value.errors is not None
        assert refused.value.errors[0]["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit}
        assert await socket.ask(QUERY) == {"server": {"engine": "embedded"}}


@pytest.mark.parametrize("name", NESTED)
def test_nested_bomb(door: GraphQLDoor, name: str) -> None:
    """What would unfold into millions of fields is measured without being unfolded."""
    with pytest.raises(Refused) as refused:
        door.ask(NESTED[name])
    assert refused.value.code == "LIMIT_EXCEEDED"


def test_list_in_variables(door: GraphQLDoor) -> None:
    """A list in the variables has the limit of one in the document."""
    query = "query ($f: ExecutionFilter) { executions(filter: $f) { id } }"
    with pytest.raises(Refused, match="--max-list"):
        door.ask(query, f={"pipelineId": ["a"] * 251})


def test_introspection_bomb(door: GraphQLDoor) -> None:
    """The schema's own lists cannot be walked round and round."""
    fields = "fields { type { " * 4 + "name" + " } }" * 4
    with pytest.raises(Refused, match="introspection depth"):
        door.ask("{ __schema { types { " + fields + " } } }")


def test_others_go_on(server: ServerProcess) -> None:
    """While four clients send bombs, each of another client's queries is answered."""
    bombs = [*BOMBS.values(), *NESTED.values()]
    refusals: list[int] = []

    def bombard() -> None:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            for bomb in bombs * 3:
                answer = client.post("/graphql", json={"query": bomb})
                refusals.append(len(answer.json()["errors"]))

    threads = [threading.Thread(target=bombard) for _ in range(4)]
    for thread in threads:
        thread.start()
    answered = 0
    while any(thread.is_alive() for thread in threads):
        answer = server.client.post("/graphql", json={"query": QUERY})
        assert answer.json() == {"data": {"server": {"engine": "embedded"}}}
        answered += 1
    for thread in threads:
        thread.join()
    assert answered and len(refusals) == 4 * 3 * len(bombs)
