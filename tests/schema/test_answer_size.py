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
