"""Requests that no client should send: a 4xx in JSON for each, and the server goes on."""

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from doors import GraphQLDoor, reason
from server_process import ServerProcess

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
QUERY = "{ server { engine } }"
START = 'mutation { startExecution(pipelineId: "echo", input: "%s") { existing } }'
SUBSCRIPTION = "subscription { executionsChanged { cursor } }"


def body(**parameters: object) -> bytes:
    return json.dumps(parameters).encode()


def nested(opening: str, closing: str) -> bytes:
    return b'{"query": "{ server { engine } }", "variables": {"x": %s}}' % (
        (opening * 100_000 + closing * 100_000).encode()
    )


NOT_A_REQUEST = {
    "empty": b"",
    "white space": b"  \n",
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "text": b'"{ server { engine } }"',
    "list": b"[]",
    "batch": b"[%s, %s]" % (body(query=QUERY), body(query=QUERY)),
    "empty object": b"{}",
    "no query": body(variables={}),
    "null query": body(query=None),
    "number as query": body(query=5),
    "list as query": body(query=[QUERY]),
    "object as query": body(query={"a": QUERY}),
    "boolean as query": body(query=True),
    "list as operationName": body(query=QUERY, operationName=["a"]),
    "number as operationName": body(query=QUERY, operationName=0),
    "list as variables": body(query=QUERY, variables=[]),
    "text as variables": body(query=QUERY, variables="{}"),
    "number as variables": body(query=QUERY, variables=1),
    "list as extensions": body(query=QUERY, extensions=[]),
    "text as extensions": body(query=QUERY, extensions="x"),
    "half an object": b'{"query": "{ server',
    "two objects": body(query=QUERY) + body(query=QUERY),
    "single quotes": b"{'query': '{ server { engine } }'}",
    "trailing comma": b'{"query": "{ server { engine } }",}',
    "comment": b'{"query": "{ server { engine } }"} // hello',
    "NaN": b'{"query": "{ server { engine } }", "variables": {"x": NaN}}',
    "Infinity": b'{"query": "{ server { engine } }", "variables": {"x": -Infinity}}',
    "half a surrogate pair": b'{"query": "{ server { engine } } # \\ud83d"}',
    "invalid UTF-8": b'{"query": "{ server { engine } } # \xff\xfe"}',
    "overlong UTF-8": b'{"query": "{ server { engine } } # \xc0\xaf"}',
    "UTF-16": '{"query": "{ server { engine } }"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + body(query=QUERY),
    "control character": b'{"query": "{ server \x00 { engine } }"}',
    "deep lists": nested("[", "]"),
    "deep objects": nested('{"a":', "}").replace(b":}", b":1}"),
    "integer of 5,000 digits": b'{"query": "{ server { engine } }", "variables": {"x": %s}}'
    % (b"9" * 5000),
    "form": b"query=%7B+server+%7B+engine+%7D+%7D",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}
REFUSED_DOCUMENTS = {
    "empty document": body(query=""),
    "only a comment": body(query="# nothing"),
    "syntax error": body(query="{ server {"),
    "unknown field": body(query="{ nope }"),
    "unknown argument": body(query="{ server(x: 1) { engine } }"),
    "unknown fragment": body(query="{ ...f }"),
    "cycle of fragments": body(query="{ ...f } fragment f on Query { ...f }"),
    "unknown directive": body(query="{ server @nope { engine } }"),
    "schema definition": body(query="type Query { a: Int }"),
    "leaf with fields": body(query="{ server { engine { a } } }"),
    "object without fields": body(query="{ server }"),
    "defer": body(query="{ ... @defer { server { engine } } }"),
    "several operations": body(query="query a { server { engine } } query b { server { engine } }"),
    "unknown operation": body(query="query a { server { engine } }", operationName="b"),
    "missing variable": body(query="query ($id: ID!) { execution(id: $id) { id } }"),
    "variable of a wrong type": body(
        query="query ($id: ID!) { execution(id: $id) { id } }", variables={"id": {"a": 1}}
    ),
    "variable out of range": body(
        query="query ($n: Int) { executions(limit: $n) { id } }", variables={"n": 1 << 40}
    ),
    "enum of no value": body(query="{ executions(status: NOPE) { id } }"),
    "unknown input field": body(query="{ executions(filter: {nope: 1}) { id } }"),
    "name of a megabyte": body(query="{ " + "a" * 1_000_000 + " }"),
    "thousand operations": body(query="query a { server { engine } } " * 90),
    "variables within variables": body(
        query="query ($f: ExecutionFilter) { executions(filter: $f) { id } }",
        variables={"f": {"status": {"status": {"status": []}}}},
    ),
}
REFUSED_REQUESTS: dict[str, tuple[int, dict[str, Any]]] = {
    "no content type": (415, {"content": body(query=QUERY)}),
    "text": (415, {"content": body(query=QUERY), "headers": {"content-type": "text/plain"}}),
    "form": (415, {"data": {"query": QUERY}}),
    "upload": (415, {"files": {"operations": body(query=QUERY)}}),
    "graphql": (415, {"content": QUERY, "headers": {"content-type": "application/graphql"}}),
    "json of another kind": (
        415,
        {"content": body(query=QUERY), "headers": {"content-type": "application/ld+json"}},
    ),
    "Latin-1": (
        415,
        {"content": body(query=QUERY), "headers": {"content-type": f"{JSON}; charset=latin-1"}},
    ),
    "encoded": (
        415,
        {
            "content": body(query=QUERY),
            "headers": {"content-type": JSON, "content-encoding": "gzip"},
        },
    ),
    "announced as too long": (413, {"json": {"query": QUERY + " " * (5 << 18)}}),
    "too long with its escapes": (413, {"json": {"query": QUERY + "\u00e9" * (5 << 18)}}),
    "too long beside escapes": (
        413,
        {"json": {"query": "\\u" * (1 << 20), "extensions": [[]] * (1 << 18)}},
    ),
    "too long in chunks": (
        413,
        {
            "content": [b" " * 65536] * 20,
            "headers": {"content-type": JSON},
        },
    ),
    "PUT": (405, {"method": "PUT", "json": {"query": QUERY}}),
    "PATCH": (405, {"method": "PATCH", "json": {"query": QUERY}}),
    "DELETE": (405, {"method": "DELETE"}),
    "mutation by GET": (405, {"method": "GET", "params": {"query": START % "by GET"}}),
    "subscription over HTTP": (400, {"json": {"query": SUBSCRIPTION}}),
    "subscription by GET": (400, {"method": "GET", "params": {"query": SUBSCRIPTION}}),
    "GET without a query": (400, {"method": "GET"}),
    "GET with variables that are no JSON": (
        400,
        {"method": "GET", "params": {"query": QUERY, "variables": "{"}},
    ),
    "GET with a list of variables": (
        400,
        {"method": "GET", "params": {"query": QUERY, "variables": "[]"}},
    ),
}

NO_HTTP = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"POST /graphql HTTP/9.9\r\n\r\n",
    "unknown method": b"FETCH /graphql HTTP/1.1\r\n\r\n",
    "small letters": b"post /graphql HTTP/1.1\r\n\r\n",
    "address in UTF-8": "GET /graphql?query=é HTTP/1.1\r\n\r\n".encode(),
    "line that is no header": b"POST /graphql HTTP/1.1\r\nnothing\r\n\r\n",
    "NUL in a header": b"POST /graphql HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    "length below zero": b"POST /graphql HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    "length in words": b"POST /graphql HTTP/1.1\r\nContent-Length: five\r\n\r\n",
    "length of 26 digits": b"POST /graphql HTTP/1.1\r\nContent-Length: " + b"9" * 26 + b"\r\n\r\n",
    "two lengths": b"POST /graphql HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "length and chunks": b"POST /graphql HTTP/1.1\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}
LOCAL = b"Host: localhost\r\n"
BY_HAND = {
    "no host": (400, b"POST /graphql", b""),
    "two hosts": (400, b"POST /graphql", b"Host: localhost\r\nHost: localhost\r\n"),
    "host of somebody else": (403, b"POST /graphql", b"Host: example.org\r\n"),
    "method of tomorrow": (405, b"QUERY /graphql", LOCAL),
    "TRACE": (405, b"TRACE /graphql", LOCAL),
    "announced as 2 GB": (413, b"POST /graphql", LOCAL + b"Content-Length: 2000000000\r\n"),
    "two types": (
        415,
        b"POST /graphql",
        LOCAL + b"Content-Type: text/plain\r\nContent-Type: application/json\r\n",
    ),
    "charset that is no text": (
        415,
        b"POST /graphql",
        LOCAL + b"Content-Type: application/json; charset=\xff\r\n",
    ),
    "charset behind another parameter": (
        415,
        b"POST /graphql",
        LOCAL + b"Content-Type: application/json; a=b; charset=latin-1\r\n",
    ),
    "two encodings": (
        415,
        b"POST /graphql",
        LOCAL + b"Content-Type: application/json\r\n"
        b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n",
    ),
    "Accept that is no text": (
        406,
        b"GET /graphql?query=%7B__typename%7D",
        LOCAL + b"Accept: \xff\r\n",
    ),
}


@pytest.fixture(autouse=True)
def survives(server: ServerProcess) -> Iterator[None]:
    """Whatever came, the server answers, and its log has no traceback of it."""
    before = server.complained.count("Traceback")
    yield
    answer = server.client.post("/graphql", json={"query": QUERY})
    assert answer.json() == {"data": {"server": {"engine": "embedded"}}}
    assert server.complained.count("Traceback") == before


def check_errors(answer: httpx.Response, media_type: str) -> str:
    """JSON of that type with errors and nothing else, each with a code; the first one's."""
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    content = answer.json()
    assert content.keys() == {"errors"} and 1 <= len(content["errors"]) <= 5
    for error in content["errors"]:
        assert error["message"] and error["extensions"]["code"]
    return str(content["errors"][0]["extensions"]["code"])


@pytest.mark.parametrize("accept", [JSON, RESPONSE_JSON])
@pytest.mark.parametrize("name", NOT_A_REQUEST)
def test_not_a_request(server: ServerProcess, name: str, accept: str) -> None:
    """What is no GraphQL request is a 400, whatever is accepted."""
    headers = {"content-type": JSON, "accept": accept}
    answer = server.client.post("/graphql", content=NOT_A_REQUEST[name], headers=headers)
    assert (answer.status_code, check_errors(answer, accept)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (RESPONSE_JSON, 400)])
@pytest.mark.parametrize("name", REFUSED_DOCUMENTS)
def test_refused_document(server: ServerProcess, name: str, accept: str, status: int) -> None:
    """A request whose document or variables are refused: 400, or 200 for `application/json`."""
    headers = {"content-type": JSON, "accept": accept}
    answer = server.client.post("/graphql", content=REFUSED_DOCUMENTS[name], headers=headers)
    assert answer.status_code == status
    assert check_errors(answer, accept) not in ("BAD_REQUEST", "INTERNAL_SERVER_ERROR")
    assert len(answer.content) < 3_000_000


@pytest.mark.parametrize("accept", [JSON, RESPONSE_JSON])
@pytest.mark.parametrize("name", REFUSED_REQUESTS)
def test_refused_request(server: ServerProcess, name: str, accept: str) -> None:
    """What HTTP has a status for gets that status, in the type that the client wants."""
    status, request = REFUSED_REQUESTS[name]
    headers = {"accept": accept} | request.get("headers", {})
    request = {"method": "POST", "url": "/graphql"} | request | {"headers": headers}
    answer = server.client.request(**request)
    assert answer.status_code == status
    check_errors(answer, accept)
    everything = "POST" if "mutation" in name else "GET, HEAD, OPTIONS, POST"
    assert answer.headers.get("allow") == (everything if status == 405 else None)


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_transports_are_named(server: ServerProcess, method: str) -> None:
    """Who sends a subscription where it cannot be answered reads where it can be."""
    place = {"json" if method == "POST" else "params": {"query": SUBSCRIPTION}}
    answer = server.client.request(method, "/graphql", **place)
    message = answer.json()["errors"][0]["message"]
    assert all(way in message for way in ("WebSocket", "text/event-stream", "multipart/mixed"))


def sent(server: ServerProcess, request: bytes) -> bytes:
    """Whatever the server says until it closes the connection."""
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port), timeout=30) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("name", NO_HTTP)
def test_no_http(server: ServerProcess, name: str) -> None:
    """400 and the end of the connection; nothing is negotiated with who speaks no HTTP."""
    assert sent(server, NO_HTTP[name]).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(server: ServerProcess, name: str) -> None:
    """What no client library would send, but HTTP knows: a status, and JSON."""
    status, line, headers = BY_HAND[name]
    request = line + b" HTTP/1.1\r\nConnection: close\r\n" + headers + b"\r\n"
    head, _, content = sent(server, request).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(content)["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("accept", ["text/html;q=0.5, image/png", "image/*", f"{JSON};q=0", "x"])
def test_nothing_fits(server: ServerProcess, accept: str) -> None:
    """406 in JSON for who accepts nothing that there is."""
    answer = server.client.post("/graphql", json={"query": QUERY}, headers={"accept": accept})
    assert (answer.status_code, check_errors(answer, JSON)) == (406, "NOT_ACCEPTABLE")


def test_harmless_ones(server: ServerProcess) -> None:
    """Empty parameters in an address are absent; null ones in a body, too; HEAD has no body."""
    ask = server.client.request
    empty = {"query": QUERY, "variables": "", "extensions": "", "operationName": ""}
    null = {"query": QUERY, "variables": None, "extensions": None, "operationName": None}
    assert "data" in ask("GET", "/graphql", params=empty).json()
    plain = {"content-encoding": "identity"}
    assert "data" in ask("POST", "/graphql", json=null, headers=plain).json()
    head = ask("HEAD", "/graphql", params={"query": QUERY})
    assert (head.status_code, head.content) == (200, b"")
    options = ask("OPTIONS", "/graphql")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


@pytest.mark.parametrize("name", [None, "c"])
def test_nothing_runs_without_a_choice(server: ServerProcess, name: str | None) -> None:
    """Two mutations and no name, or a name that neither has: none of them is carried out."""
    word = f"never started {name}"
    query = f"mutation a {(START % word)[9:]} mutation b {(START % word)[9:]}"
    answer = server.client.post("/graphql", json={"query": query, "operationName": name})
    assert check_errors(answer, JSON) == "OPERATION_RESOLUTION_FAILURE"
    found = "query ($f: ExecutionFilter) { executions(filter: $f) { id } }"
    assert GraphQLDoor(server.client).ask(found, f={"text": word})["executions"] == []


@pytest.mark.parametrize("path", ["/graphql", "/api/pipelines/echo/run"])
@pytest.mark.parametrize("depth", [1025, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("[", ""), ('{"a":', "}")])
def test_what_is_too_deep_is_told_so(
    server: ServerProcess, path: str, depth: int, opening: str, closing: str
) -> None:
    """In words that are no parser's, whether or not it is closed."""
    content = (opening * depth + closing * depth).replace(":}", ":1}").encode()
    headers = {"Content-Type": "application/json"}
    answer = server.client.post(path, content=content, headers=headers)
    assert answer.status_code == 400
    assert re.fullmatch("The body is not JSON: it is nested more than [0-9]+ deep", reason(answer))
