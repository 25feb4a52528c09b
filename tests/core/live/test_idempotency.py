"""A key stands for one request and one execution."""

import pytest
from runcast.core.errors import Conflict
from runcast.core.live.idempotency import IdempotencyKeys
from runcast.core.live.request import StartRequest
from samples import a_request


def claimed(request: StartRequest, execution_id: str = "exec_1") -> IdempotencyKeys:
    keys = IdempotencyKeys()
    with keys.claim(request, execution_id):
        pass
    return keys


def test_the_same_request_finds_its_execution() -> None:
    """The order of labels does not make it another one."""
    labels = [("a", "1"), ("b", "2")]
    keys = claimed(a_request(idempotency_key="k", labels=labels))
    again = a_request(idempotency_key="k", labels=labels[::-1])
    assert keys.get(again) == "exec_1"


def test_another_request_with_the_same_key_is_a_conflict() -> None:
    """The answer points to the key."""
    keys = claimed(a_request(idempotency_key="k"))
    with pytest.raises(Conflict) as refused:
        keys.get(a_request("other", idempotency_key="k"))
    assert refused.value.path == ("options", "idempotencyKey")


def test_without_a_key_nothing_is_found_or_kept() -> None:
    """Two starts without a key are two executions."""
    keys = claimed(a_request())
    assert keys.get(a_request()) is None
    assert len(keys) == 0


def test_a_failed_start_gives_its_key_back() -> None:
    """Whatever stopped it."""
    keys, request = IdempotencyKeys(), a_request(idempotency_key="k")
    with pytest.raises(KeyboardInterrupt), keys.claim(request, "exec_1"):
        raise KeyboardInterrupt
    assert keys.get(request) is None
    assert len(keys) == 0


def test_a_key_is_free_again_when_its_execution_has_left() -> None:
    """And one that never had a key can leave too."""
    keys = claimed(a_request(idempotency_key="k"))
    keys.forget("exec_of_another")
    keys.forget("exec_1")
    assert keys.get(a_request("other", idempotency_key="k")) is None
    assert (len(keys), keys._keys) == (0, {})
