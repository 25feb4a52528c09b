"""What a document may hold, and that it is measured in linear time."""

import pytest
from graphql import GraphQLError, get_introspection_query, parse
from runcast.schema.limits import Limits
from runcast.schema.measure import check, check_variables

NESTED = "fragment f{n} on Query {{ ...f{m} ...f{m} }} "


def spread(times: int, fields: str) -> str:
    """A document that spreads a fragment with these fields several times."""
    return "{ " + "...f " * times + "} fragment f on Query { " + fields + " }"


def doubling(levels: int) -> str:
    """Fragments that spread each other twice: 2 to the power of `levels` fields."""
    fragments = "".join(NESTED.format(n=n, m=n + 1) for n in range(levels))
    return "{ ...f0 } " + fragments + f"fragment f{levels} on Query {{ id }}"


def names(number: int) -> str:
    """So many different fields."""
    return " ".join(f"a{n}" for n in range(number))


def deep(levels: int) -> str:
    return "{ a " * levels + "}" * levels


CASES = [
    ("max_depth", deep(10), deep(11)),
    ("max_depth", deep(10), "{ ...f } fragment f on Query " + deep(11)),
    ("max_fields", spread(10, "a { b }"), "{ a { " + names(501) + "} }"),
    (
        "max_fields",
        doubling(4),
        "{ "
        + " ".join(f"a{n} {{ ...f }}" for n in range(19))
        + "} fragment f on Q { "
        + names(27)
        + "}",
    ),
    ("max_repeats", "{ a { " + "b " * 30 + "} }", "{ a { " + "b " * 31 + "} }"),
    (
        "max_repeats",
        "{ a { " + "b: c " * 30 + "} }",
        "{ a { ...f ... { " + "b " * 16 + "} } } fragment f on Q { " + "b " * 16 + "}",
    ),
    ("max_repeats", "{ " + "a { b { c } } " * 20 + "}", "{ " + "a { b { c } b { c } } " * 16 + "}"),
    (
        "max_repeats",
        "{ x: a { ...f } y: a { ...f } } fragment f on Q { " + "b { c } " * 30 + "}",
        "{ x: a { ...f } x: a { ...f } } fragment f on Q { " + "b { c } " * 16 + "}",
    ),
    ("max_root_fields", "{ " + names(20) + "}", "{ " + names(21) + "}"),
    ("max_root_fields", spread(20, "a"), spread(7, "a b c")),
    ("max_mutations", "mutation { " + names(5) + "}", "mutation { " + names(6) + "}"),
    (
        "max_aliases",
        spread(10, "x: a { y: b z: b }"),
        "{ a { " + " ".join(f"a{n}: b" for n in range(31)) + "} }",
    ),
    ("max_directives", "{ a " + "@d " * 50 + "}", "query @d { a " + "@d " * 50 + "}"),
    (
        "max_directives",
        spread(5, "a @d"),
        "{ a { " + "...f @d " * 26 + "} } fragment f on Q { a @d }",
    ),
    ("max_operations", "query a { a } " * 10, "query a { a } " * 11),
    ("max_fragments", "{ a } " + "fragment f on Q { a } " * 30, "fragment f on Q { a } " * 31),
    ("max_list", f"{{ a(b: {[1] * 250}) }}", f"{{ a(b: {{c: [{[1] * 251}]}}) }}"),
    (
        "max_list",
        f"query ($v: [Int] = {[1] * 250}) {{ a }}",
        f"query ($v: [Int] = {[1] * 251}) {{ a }}",
    ),
    ("max_list", "{ a @d(b: [1]) }", f"{{ a @d(b: {[1] * 251}) }}"),
]


@pytest.mark.parametrize(("limit", "allowed", "refused"), CASES)
def test_limit(limit: str, allowed: str, refused: str) -> None:
    """At the limit a document passes; beyond it the error names the limit and its flag."""
    check(parse(allowed), Limits())
    with pytest.raises(GraphQLError) as caught:
        check(parse(refused), Limits())
    assert caught.value.extensions == {"code": "LIMIT_EXCEEDED", "limit": limit}
    assert f"--{limit.replace('_', '-')}" in caught.value.message
    assert str(getattr(Limits(), limit)) in caught.value.message


@pytest.mark.parametrize("limit", Limits.model_fields)
def test_every_limit_has_a_case(limit: str) -> None:
    """No limit goes untested; see also test_document, test_answer_size and below."""
    elsewhere = ("max_tokens", "max_characters", "max_text", "max_values")
    assert limit in elsewhere or limit in {case[0] for case in CASES}


def test_values_of_variables() -> None:
    """Lists of lists are counted to the last value."""
    lists = [[{"a": 1}] * 100] * 33
    check_variables({"v": lists}, Limits())
    with pytest.raises(GraphQLError, match="--max-values"):
        check_variables({"v": [*lists, *lists]}, Limits())


def test_exactly_as_many_values_as_there_may_be() -> None:
    """The variables themselves are one, and each of them, and what is within them."""
    limits = Limits(max_values=10)
    check_variables({"v": {"w": [1] * 7}}, limits)
    with pytest.raises(GraphQLError, match="--max-values"):
        check_variables({"v": {"w": [1] * 8}}, limits)


def test_a_number_that_goes_on_and_on() -> None:
    """It is refused by its length, before Python is to read it."""
    check(parse(f"{{ a(b: [{'9' * 400}]) }}"), Limits())
    for number in ("9" * 401, "1." + "9" * 400):
        with pytest.raises(GraphQLError, match="A number can have 400 characters"):
            check(parse(f"{{ a(b: [{{c: {number}}}]) }}"), Limits())


def test_doubling_fragments_are_weighed_once() -> None:
    """29 levels of fragments that double, 500 million fields, are refused."""
    with pytest.raises(GraphQLError, match="fields of the same name"):
        check(parse(doubling(29)), Limits())


def test_a_fragment_within_itself_ends() -> None:
    """A cycle is left to validation, which names it."""
    check(parse("{ ...a } fragment a on Query { ...b id } fragment b on Query { ...a }"), Limits())


def test_inline_fragments_cannot_hide_a_depth() -> None:
    """A hundred selection sets within each other are enough, whatever they are."""
    with pytest.raises(GraphQLError, match="levels of fields"):
        check(parse("{ ... " * 101 + "{ id }" + "}" * 101), Limits())


def test_tools_can_ask_for_the_schema() -> None:
    """The introspection query of every tool is deeper than other queries may be."""
    check(parse(get_introspection_query(input_value_deprecation=True)), Limits())


def test_lists_in_variables() -> None:
    """Lists in variables have the limit of lists in documents, however deep they are."""
    check_variables({"v": [[1] * 250]}, Limits())
    check_variables(None, Limits())
    with pytest.raises(GraphQLError, match="--max-list"):
        check_variables({"v": {"w": [{"x": [1] * 251}]}}, Limits())
