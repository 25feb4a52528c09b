"""What keeps one document from stopping the server."""

import pytest
from server_process import ServerProcess

LONG = (
    "{__typename " + "executions{id} " * 60_000 + "}",
    "{" + " ".join(f"a{n}: executionsConnection {{ totalCount }}" for n in range(8000)) + "}",
)


@pytest.mark.parametrize("query", LONG, ids=["repeated fields", "aliases"])
def test_a_long_document_is_refused_by_the_parser(server: ServerProcess, query: str) -> None:
    """It is told so before anything is validated or run."""
    errors = server.client.post("/graphql", json={"query": query}).json()["errors"]
    assert "more than 1000 tokens" in errors[0]["message"]
