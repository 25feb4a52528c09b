"""How much text an answer may hold."""

from collections.abc import Iterator

import pytest
from doors import GraphQLDoor, Refused
from server_process import ServerProcess, serving
from subscriptions import connected, whole

TEXT = "x" * 600
PROGRESS = "sequence status execution { input }"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose answers hold a thousand characters of text."""
    with serving(tmp_path_factory.mktemp("narrow"), "--max-text", "1000") as server:
        yield server


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
