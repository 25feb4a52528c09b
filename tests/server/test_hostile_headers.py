"""Headers and addresses that are legal or nearly so, and easily misread."""

import httpx
import pytest
from server_process import ServerProcess

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
INVALID = b'{"query": "{ nope }"}'


@pytest.mark.parametrize("parameters", ["a=b; charset=latin-1", "charset=latin-1; a=b"])
def test_charset_wherever_it_stands(server: ServerProcess, parameters: str) -> None:
    """A body in another charset is a 415, whatever stands before."""
    headers = {"content-type": f"{JSON}; {parameters}"}
    assert server.client.post("/graphql", content=INVALID, headers=headers).status_code == 415


def test_utf_8_in_quotes(server: ServerProcess) -> None:
    """A parameter may be quoted, and in capitals (RFC 9110, section 5.6.6)."""
    headers = {"content-type": f'{JSON}; a=b; CHARSET="UTF-8"'}
    assert server.client.post("/graphql", content=INVALID, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "lines", [["Application/GraphQL-Response+JSON"], ["image/png", RESPONSE_JSON]]
)
def test_accept(server: ServerProcess, lines: list[str]) -> None:
    """Types have no case, and several lines are one list (RFC 9110, sections 8.3.1 and 5.3)."""
    headers = [("content-type", JSON), *(("accept", line) for line in lines)]
    request = httpx.Request("POST", f"{server.url}/graphql", headers=headers, content=INVALID)
    answer = server.client.send(request)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith(RESPONSE_JSON)


def test_an_accept_that_goes_on_and_on(server: ServerProcess) -> None:
    """406: each media range costs something, and nobody needs thousands."""
    headers = {"accept": "a/b, " * 1000 + JSON}
    answer = server.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert answer.status_code == 406


@pytest.mark.parametrize("ending", ["%FF", "%ED%A0%80"])
def test_address_that_is_no_utf_8(server: ServerProcess, ending: str) -> None:
    """400, as for a body; nothing is replaced by question marks."""
    answer = server.client.get(f"/graphql?query=%7B+__typename+%7D%23{ending}")
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (
        400,
        "The address is not UTF-8",
    )


def test_head_of_a_subscription(server: ServerProcess) -> None:
    """It has nothing but a body: 405, and the connection is free for the next request."""
    query = "subscription { executionsChanged { cursor } }"
    with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client:
        headers = {"accept": "text/event-stream"}
        answer = client.head("/graphql", params={"query": query}, headers=headers)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
        assert client.get("/healthz").status_code == 200
