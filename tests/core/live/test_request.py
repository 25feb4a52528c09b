"""What may be asked to be started."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st
from runcast.core.errors import InvalidInput
from runcast.core.live.request import (
    INPUT_REQUIRED,
    LONGEST_TIMEOUT_MS,
    MAX_INPUT_BYTES,
    MAX_KEY_CHARACTERS,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    StartRequest,
)
from samples import a_request

DIGESTS = ["035180a904b91e9b", "bcfcb3c155c38278", "20b6799066efcbcc"]


@pytest.mark.parametrize("input", [None, "", "  \n", "\ufeff\u00a0", 7, ["hello"], {"input": "x"}])
def test_an_input_is_a_text_with_something_in_it(input: object) -> None:
    """In the words of the REST contract."""
    with pytest.raises(InvalidInput, match=INPUT_REQUIRED) as refused:
        StartRequest.checked("demo", input)
    assert refused.value.path == ("input",)


def test_white_space_around_an_input_is_removed() -> None:
    """As JavaScript does it: a byte order mark goes, a separator (U+001C) stays."""
    assert a_request(" \ufeffhello world\n").input == "hello world"
    assert a_request("\x1chello").input == "\x1chello"


def test_an_input_has_a_limit_in_bytes() -> None:
    """1 MiB of UTF-8 is the most."""
    fits = "ä" * (MAX_INPUT_BYTES // 2)
    assert a_request(fits).input == fits
    with pytest.raises(InvalidInput, match="1048577 bytes"):
        a_request(fits + "a")


def test_half_a_surrogate_pair_is_no_text() -> None:
    """No answer could ever show it."""
    with pytest.raises(InvalidInput, match="surrogate"):
        a_request("hello \ud800")


LONG = "x" * (MAX_LABEL_CHARACTERS + 1)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"labels": [("", "a")]}, "options.labels.0.key"),
        ({"labels": [("ok", "a"), (" ", "a")]}, "options.labels.1.key"),
        ({"labels": [(LONG, "a")]}, "options.labels.0.key"),
        ({"labels": [("a", LONG)]}, "options.labels.0.value"),
        ({"labels": [("a", "b\n")]}, "options.labels.0.value"),
        ({"labels": [("a\x00", "b")]}, "options.labels.0.key"),
        ({"labels": [("a", "1"), ("a", "2")]}, "options.labels.1.key"),
        ({"labels": [(str(n), "") for n in range(MAX_LABELS + 1)]}, "options.labels"),
        ({"timeout_ms": 0}, "options.timeoutMs"),
        ({"timeout_ms": -5}, "options.timeoutMs"),
        ({"timeout_ms": LONGEST_TIMEOUT_MS + 1}, "options.timeoutMs"),
        ({"idempotency_key": ""}, "options.idempotencyKey"),
        ({"idempotency_key": "k" * (MAX_KEY_CHARACTERS + 1)}, "options.idempotencyKey"),
        ({"idempotency_key": "a\tb"}, "options.idempotencyKey"),
        ({"idempotency_key": "\ud800"}, "options.idempotencyKey"),
    ],
    ids=lambda one: str(one)[:50].encode("ascii", "replace").decode(),
)
def test_what_is_off_is_refused_by_its_path(values: dict[str, Any], path: str) -> None:
    """A client can point to it."""
    with pytest.raises(InvalidInput) as refused:
        a_request(**values)
    assert ".".join(refused.value.path) == path


def test_what_is_at_the_bounds_is_accepted() -> None:
    """Also a label without a value."""
    labels = [(str(n), "") for n in range(MAX_LABELS - 1)]
    labels.append(("k" * MAX_LABEL_CHARACTERS, "v" * MAX_LABEL_CHARACTERS))
    request = a_request(
        labels=labels, timeout_ms=LONGEST_TIMEOUT_MS, idempotency_key="k" * MAX_KEY_CHARACTERS
    )
    assert request.labels == tuple(labels)
    assert request.options.timeout_ms == LONGEST_TIMEOUT_MS


def test_whatever_is_asked_for_makes_another_request() -> None:
    """The same key with another one of these is a conflict, and starts nothing."""
    one = a_request(labels=[("a", "1")], timeout_ms=1, execution_mode="cli", cli_tool="claude")
    others = [
        replace(one, pipeline_id="other"),
        replace(one, input="other"),
        replace(one, labels=(("a", "2"),)),
        replace(one, labels=()),
        replace(one, options=replace(one.options, timeout_ms=2)),
        replace(one, options=replace(one.options, execution_mode="api")),
        replace(one, options=replace(one.options, cli_tool="aider")),
        replace(one, retry_of="exec_1"),
    ]
    assert len({one.digest(), *(other.digest() for other in others)}) == 1 + len(others)
    assert replace(one, idempotency_key="k").digest() == one.digest()


def test_a_mode_that_was_not_chosen_is_not_asked_for() -> None:
    """The server may have another one after a restart: it has a key by then."""
    chosen = a_request(execution_mode="api")
    api, cli = (a_request(execution_mode=mode, mode_is_default=True) for mode in ("api", "cli"))
    assert api.digest() == cli.digest() == a_request().digest() != chosen.digest()


def test_a_retry_asks_for_what_it_repeats_and_from_where() -> None:
    """Whatever of the old execution can still be read."""
    retry = StartRequest("demo", "hello", idempotency_key="k", retry_of="exec_1")
    others = [replace(retry, retry_of="exec_2"), replace(retry, from_stage="two")]
    assert len({one.digest() for one in (retry, *others)}) == 3
    assert replace(retry, input="", labels=(("a", "1"),)).digest() == retry.digest()


def test_the_digests_of_this_release_stay() -> None:
    """They are stored: a later one must find what was started by this one."""
    request = a_request(labels=[("a", "1")], timeout_ms=5, execution_mode="cli", cli_tool="aider")
    retry = StartRequest("demo", "hello", retry_of="exec_1", from_stage="two")
    assert [one.digest()[:16] for one in (a_request(), request, retry)] == DIGESTS


ONES = st.fixed_dictionaries(
    {"labels": st.permutations([("a", "1"), ("b", "2")]) | st.just([])},
    optional={
        "timeout_ms": st.integers(1, 3),
        "execution_mode": st.sampled_from(["api", "cli"]),
        "idempotency_key": st.sampled_from(["k", "l"]),
    },
)


@given(st.sampled_from(["x", "y"]), ONES, st.sampled_from(["x", "y"]), ONES)
def test_requests_have_the_same_digest_if_they_ask_for_the_same(
    input: str, one: dict[str, Any], other_input: str, other: dict[str, Any]
) -> None:
    """The key itself and the order of labels are not what is asked for."""

    def meaning(input: str, values: dict[str, Any]) -> list[object]:
        rest = {key: value for key, value in values.items() if key != "idempotency_key"}
        return [input, rest | {"labels": set(values["labels"])}]

    same = meaning(input, one) == meaning(other_input, other)
    digests = a_request(input, **one).digest(), a_request(other_input, **other).digest()
    assert (digests[0] == digests[1]) is same
