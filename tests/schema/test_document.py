"""Documents from clients: read, refused, and kept for the next time."""

import pytest
from graphql import get_introspection_query
from runcast.schema.build import build_schema
from runcast.schema.document import CACHED_TOKENS, Documents, RequestError
from runcast.schema.limits import Limits

TWO = "query a { server { engine } } query b { pipelines { id } }"


@pytest.fixture
def documents() -> Documents:
    """What a server has that shows its schema."""
    return Documents(build_schema()._schema, Limits(), introspection=True)


@pytest.fixture
def secretive() -> Documents:
    """What a server has that does not."""
    return Documents(build_schema()._schema, Limits(), introspection=False)


def code(refused: pytest.ExceptionInfo[RequestError]) -> object:
    """The code of the first error."""
    return (refused.value.errors[0].extensions or {})["code"]


def test_a_document_is_read_once(documents: Documents) -> None:
    """The same text gives the same document, whichever of its operations is asked for."""
    assert documents.read(TWO, "a").document is documents.read(TWO, "b").document


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ server { engine }", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ('{ execution(id: "\\ud800") { id } }', "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ execution(id: 1.5) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ " + "server { engine } " * 300 + "}", "LIMIT_EXCEEDED"),
        ("#\n" * 1001 + "{ server { engine } }", "LIMIT_EXCEEDED"),
        ("fragment f on Query { server { engine } }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_refused_each_time(documents: Documents, text: str, expected: str) -> None:
    """What is refused is refused the second time in the same words: it is not kept."""
    with pytest.raises(RequestError) as first:
        documents.read(text)
    with pytest.raises(RequestError) as second:
        documents.read(text)
    assert code(first) == code(second) == expected
    assert str(first.value) == str(second.value)


def test_too_many_tokens(documents: Documents) -> None:
    """The error names the limit, and the flag that sets it."""
    with pytest.raises(RequestError, match=r"more than 1000 tokens.*--max-tokens"):
        documents.read("{ " + "a " * 40_000 + "}")


def test_too_many_characters(documents: Documents) -> None:
    """Blank lines and long names are no tokens, and cost time all the same."""
    assert documents.read("{ server { engine } }".ljust(100_000)).name is None
    with pytest.raises(RequestError, match=r"more than 100000 characters.*--max-characters"):
        documents.read("{ server { engine } }".ljust(100_001))


def test_at_most_five_errors(documents: Documents) -> None:
    """A document with more mistakes is told five of them."""
    with pytest.raises(RequestError) as refused:
        documents.read("{ a b c d e f g h }")
    assert len(refused.value.errors) == 5


@pytest.mark.parametrize(("text", "name"), [(TWO, None), (TWO, "c"), ("{ pipelines { id } }", "a")])
def test_which_operation(documents: Documents, text: str, name: str | None) -> None:
    """Several operations without a name, or a name that none has, are refused."""
    with pytest.raises(RequestError) as refused:
        documents.read(text, name)
    assert code(refused) == "OPERATION_RESOLUTION_FAILURE"


def test_the_operation_of_that_name(documents: Documents) -> None:
    """A name chooses among several."""
    assert documents.read(TWO, "b").name == "b"


def test_a_server_may_keep_its_schema_to_itself(secretive: Documents) -> None:
    """No introspection, and no suggestions, which tell names one by one."""
    with pytest.raises(RequestError, match="introspection"):
        secretive.read(get_introspection_query())
    with pytest.raises(RequestError) as refused:
        secretive.read("{ executionz { id } }")
    assert "Did you mean" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("{ __schema { queryType { name } } __typename }", True),
        ('{ ... { ...f } } fragment f on Query { __type(name: "Query") { name } }', True),
        ("{ __typename server { engine } }", False),
    ],
)
def test_whether_it_asks_about_the_schema(documents: Documents, text: str, asks: bool) -> None:
    """Fragments are looked into; `__typename` is no such question."""
    assert documents.read(text).asks_about_the_schema is asks


@pytest.mark.parametrize(
    "text",
    [
        "{ server { engine } __schema { queryType { name } } }",
        "{ server { engine } ...f } fragment f on Query { ... { __schema { description } } }",
    ],
)
def test_a_question_about_the_schema_stands_alone(documents: Documents, text: str) -> None:
    """Its answer cannot be interrupted: it has a thread, where nothing else may be asked."""
    with pytest.raises(RequestError, match="in an operation of their own") as refused:
        documents.read(text)
    assert code(refused) == "LIMIT_EXCEEDED"


def test_suggestions(documents: Documents) -> None:
    """Where the schema is shown, a mistake is told with what was probably meant."""
    with pytest.raises(RequestError, match="or 'executions'"):
        documents.read("{ executionz { id } }")


@pytest.mark.parametrize(
    ("tokens", "number"),
    [(500, 100), pytest.param(CACHED_TOKENS, 8000, marks=pytest.mark.campaign)],
)
def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch, tokens: int, number: int) -> None:
    """However many documents come, what is kept stays within its bound, and the latest is there."""
    monkeypatch.setattr("runcast.schema.document.CACHED_TOKENS", tokens)
    documents = Documents(build_schema()._schema, Limits(), introspection=True)
    for n in range(number):
        latest = documents.read(f"query q{n} {{ server {{ engine version }} }}")
    assert 0 < documents._valid.currsize <= documents._valid.maxsize == tokens
    assert latest in [each.operation(None) for each in documents._valid.values()]
    assert len(documents._valid) < number


@pytest.mark.parametrize(("room", "kept"), [(111, True), (110, False)])
def test_a_long_token_costs_as_much_as_many(
    monkeypatch: pytest.MonkeyPatch, room: int, kept: bool
) -> None:
    """One of 64 characters more; a document that fills the cache is the largest that is kept."""
    monkeypatch.setattr("runcast.schema.document.CACHED_TOKENS", room)
    documents = Documents(build_schema()._schema, Limits(), introspection=True)
    text = f'{{ execution(id: "{"x" * 6400}") {{ id }} }}'
    read = documents.read(text).document
    assert (documents.read(text).document is read) == kept
