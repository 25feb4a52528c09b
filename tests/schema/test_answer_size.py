"""How much text an answer may hold."""

from collections.abc import Callable

import pytest
from doors import GraphQLDoor, Refused
from server_process import ServerProcess
from subscriptions import connected, whole

TEXT = "x" * 600
PROGRESS = "sequence status execution { input }"


@pytest.fixture
def narrow(serve: Callable[..., ServerProcess]) -> ServerProcess:
    """A server whose answers hold a thousand characters of text."""
    return serve("--max-text", "1000")


def test_exactly_as_much_as_an_answer_may_hold(narrow: ServerProcess) -> None:
    """A thousand characters, however they are spread; a second answer has them anew."""
    door = GraphQLDoor(narrow.client)
    id = door.start("echo", "x" * 500)
    query = "query ($id: ID!) { execution(id: $id) { a: input b: input } }"
    for _ in range(2):
        assert door.ask(query, id=id)["execution"] == {"a": "x" * 500, "b": "x" * 500}


@pytest.mark.parametrize(
    "twice",
    [
        "a: input b: input",
        "input output",
        "stages { a: output { text } b: output { text } }",
        "input stages { output { text } }",
    ],
)
async def test_more_than_an_answer_may_hold(narrow: ServerProcess, twice: str) -> None:
    """It is refused with the name of the limit, wherever the text stands."""
    door = GraphQLDoor(narrow.client)
    id = door.start("echo", TEXT)
    async with connected(narrow.ws_url) as socket:
        [*_, last] = await whole(socket.progress(id, PROGRESS))
    assert last["execution"]["input"] == TEXT, "each message is an answer of its own"
    once = "query ($id: ID!) { execution(id: $id) { input } }"
    assert door.ask(once, id=id) == {"execution": {"input": TEXT}}
    with pytest.raises(Refused, match=r"more than 1000 characters.*--max-text") as refused:
        door.ask(f"query ($id: ID!) {{ execution(id: $id) {{ {twice} }} }}", id=id)
    assert refused.value.code == "LIMIT_EXCEEDED"
