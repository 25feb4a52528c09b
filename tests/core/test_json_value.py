"""JSON that comes out as it went in, or is refused in words."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, strategies as st
from runcast.core.json_text import MAX_DEPTH, MAX_DIGITS, decode, encode
from runcast.core.json_value import (
    CLIENT_DIGITS,
    EncodedJSON,
    NotJSON,
    as_text,
    dumps,
    loads,
)

# No half surrogate pairs.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = (
    st.integers()
    | st.integers(-(10**25), 10**25)
    | st.builds(lambda bits, near: (1 << bits) + near, st.integers(0, 80), st.integers(-2, 2))
    | st.builds(lambda digits, near: 10**digits + near, st.integers(600, 5000), st.integers(-1, 1))
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INTEGERS | INTEGERS.map(lambda number: -number) | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
PIECES = st.sampled_from(
    [
        *("{", "}", "[", "]", ",", ":", '"', "\\", "\\u", "d83d", "de00", "n", "é", "\x01", " "),
        *("\n", "0", "12", "-", ".5", "e9", "e999", "true", "null", "NaN", "-Infinity"),
        *("9" * 19, "1" * 700),
    ]
)


def same(one: Any, other: Any) -> bool:
    """Whether they are the same, in the type of each number, its sign and the order of keys too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


def has_half_a_pair(text: str) -> bool:
    return any(0xD800 <= ord(character) < 0xE000 for character in text)


def outcome(read: Any, text: str) -> Any:
    """What is read, or that it is refused."""
    try:
        return read(text)
    except ValueError:
        return ValueError


@given(VALUES)
@example(-0.0)
@example([1.0, 1, True])
@example({"b": 1, "a": 2, "": 3})
@example(2**64)
@example(-(2**63) - 1)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    """Through the fast way, the exact way, and from one into the other."""
    assert same(loads(dumps(value)), value)
    assert same(loads(dumps(value, indent=2)), value)
    assert same(decode(encode(value)), value)
    assert same(decode(dumps(value).decode()), value)
    assert same(loads(encode(value, indent=2)), value)


@given(NUMBERS, st.sampled_from(["{}", "[{}]", ' {{"a": {}}}\n', '"{}"', '["{}", 1]']))
@example("18446744073709551616", "{}")
@example("-9223372036854775809", "[{}]")
@example("-0", "{}")
@example("1" + "0" * 400 + ".0", "{}")
def test_numbers_are_read_as_the_standard_library_reads_them(number: str, around: str) -> None:
    """However they are spelled, and wherever they stand; but not as infinity."""
    text = around.format(number)
    expected = json.loads(text)
    if "Infinity" in json.dumps(expected):
        expected = ValueError
    assert same(outcome(loads, text), expected)


@given(st.lists(PIECES, max_size=12).map("".join))
@example('"\\ud83d"' + "9" * 19)
@example('["\\ud83d\\ude00", ' + "9" * 30 + "]")
@example("\ufeff1")
def test_both_parsers_accept_the_same_texts(text: str) -> None:
    """And find the same in them; only `decode` takes half surrogate pairs."""
    exact = outcome(decode, text)
    if exact is not ValueError and has_half_a_pair(encode(exact)):
        exact = ValueError
    assert same(outcome(loads, text), exact)


@pytest.mark.parametrize("sign", ["", "-"])
def test_integers_have_a_hundred_thousand_digits_at_most(sign: str) -> None:
    """One more is refused in words, to read and to write."""
    digits = sign + "7" * MAX_DIGITS
    value = loads(digits)
    assert dumps(value) == digits.encode()
    for act in (lambda: loads(digits + "7"), lambda: dumps([value * 10])):
        with pytest.raises(NotJSON, match="an integer has 100001 digits, and 100000 is the limit"):
            act()


def test_a_number_that_nobody_could_write_is_refused_at_once() -> None:
    """It has a hundred million bits."""
    with pytest.raises(NotJSON, match=r"an integer has 3010299. digits"):
        dumps(1 << 100_000_000)


def test_an_integer_of_a_client_is_shorter() -> None:
    """Of one of 401 digits nothing is read."""
    assert loads("9" * CLIENT_DIGITS, CLIENT_DIGITS) == int("9" * CLIENT_DIGITS)
    with pytest.raises(NotJSON, match="an integer has 401 digits, and 400 is the limit"):
        loads("[" + "9" * (CLIENT_DIGITS + 1) + "]", CLIENT_DIGITS)
    text = "9" * 5000
    assert loads(f'"{text}"', CLIENT_DIGITS) == text


@pytest.mark.parametrize("beside", ["1", "9" * 30, "9" * 700])
@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_of_json_is_refused_by_its_name(name: str, beside: str) -> None:
    """Wherever it stands."""
    for text in (name, f"[{beside}, {name}]", f'{{"a": {{"b": {name}}}, "c": {beside}}}'):
        with pytest.raises(NotJSON, match=f"{name.removeprefix('-')} is not a number of JSON"):
            loads(text)


@pytest.mark.parametrize("text", ["1e400", "[-1e400]", '{"a": 1e400, "b": %s}' % ("9" * 30)])
def test_a_number_beyond_all_floats_is_refused(text: str) -> None:
    """It would be read as infinity."""
    with pytest.raises(ValueError, match=r"too large|infinity"):
        loads(text)


@pytest.mark.parametrize("core", ["1", "9" * 30])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_what_can_be_read_can_be_written(opening: str, closing: str, core: str) -> None:
    """254 lists and objects within each other; one more is refused in words."""
    times = MAX_DEPTH // len(opening.replace('"a":', ""))
    text = opening * times + core + closing * times
    assert dumps(loads(text)) == text.encode()
    for deeper in (f"[{text}]", f"[{'[' * 100_000}{'[]' * 10}{']' * 100_000}]"):
        with pytest.raises(ValueError, match=r"nested more than 254 deep|depth limit"):
            loads(deeper)


def test_brackets_in_texts_are_not_nested() -> None:
    """And lists beside each other neither."""
    for value in (["[" * 1000], [[] for _ in range(1000)], {"{": "{[" * 1000}):
        assert loads(dumps(value)) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_is_written_exactly(value: float) -> None:
    """What cannot be said in JSON is not said."""
    with pytest.raises(NotJSON):
        encode([value])


@pytest.mark.parametrize(
    "value",
    [{1, 2}, object(), b"bytes", {"a": {(1, 2): 3}}],
    ids=["set", "object", "bytes", "keys"],
)
def test_what_is_not_json_is_refused(value: object) -> None:
    """With one exception, whoever finds it."""
    with pytest.raises(NotJSON):
        dumps(value)


def test_what_refers_to_itself_is_refused() -> None:
    """However long its integers are."""
    cycle: list[object] = [10**1000]
    cycle.append(cycle)
    with pytest.raises(NotJSON):
        dumps(cycle)


def test_half_a_surrogate_pair_is_written_but_not_read() -> None:
    """What is in the history may have one; what comes from outside may not."""
    assert dumps(["\ud83d", 1]) == b'["\\ud83d",1]'
    beside = '["\\ud83d", %s]' % ("9" * 30)
    for text in ('"\\ud83d"', '"\ud83d"', beside, b"\xff", b'"\xed\xa0\xbd"'):
        with pytest.raises(ValueError):
            loads(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        (2**70, "1180591620717411303424"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        ({"b": 10**400, "a": None}, '{\n  "b": 1' + "0" * 400 + ',\n  "a": null\n}'),
        ([[], {}, [2**64]], "[\n  [],\n  {},\n  [\n    18446744073709551616\n  ]\n]"),
    ],
)
def test_a_value_as_text(value: object, text: str) -> None:
    """For templates, and for people: exact, with an indent of two."""
    assert as_text(value) == text


@pytest.mark.parametrize(
    "around", [{"a": 1}, {"long": 10**30}, {"half": "\ud83d"}], ids=["plain", "long", "surrogate"]
)
def test_what_is_encoded_stands_for_its_value(around: dict[str, Any]) -> None:
    """To the byte where it can be; its value in what orjson cannot write."""
    inner = {"list": [1.0, -0.0, 10**25], "text": "é"}
    encoded = dumps({**around, "value": [EncodedJSON(dumps(inner))]})
    assert encoded == dumps({**around, "value": [inner]})
