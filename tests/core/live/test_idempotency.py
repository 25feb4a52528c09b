"""A key belongs to one request and one execution."""

import asyncio
import gc

import pytest
from past import Memory
from patience import turns
from runcast.core.errors import Conflict, Unavailable
from runcast.core.execution.model import Execution
from runcast.core.live.idempotency import IdempotencyKeys
from runcast.core.live.request import StartRequest
from runcast.core.live.store import Store
from samples import a_request, an_execution, put


def begun(request: StartRequest, id: str = "exec_1") -> Execution:
    return an_execution(id, start_key=request.start_key)


def live(keys: IdempotencyKeys, execution: Execution) -> None:
    """The execution is started."""
    put(keys._store, execution)
    keys.note(execution)


@pytest.fixture
def past() -> Memory:
    return Memory()


@pytest.fixture
def keys(past: Memory) -> IdempotencyKeys:
    return IdempotencyKeys(Store(), past)


async def test_the_same_request_finds_its_execution(keys: IdempotencyKeys) -> None:
    """The order of labels does not make it another one."""
    labels = [("a", "1"), ("b", "2")]
    execution = begun(a_request(idempotency_key="k", labels=labels))
    live(keys, execution)
    again = a_request(idempotency_key="k", labels=labels[::-1])
    assert await keys.find(again) is execution


async def test_it_finds_it_when_it_is_no_longer_live(keys: IdempotencyKeys, past: Memory) -> None:
    """And then nothing of it is in memory here."""
    request = a_request(idempotency_key="k")
    execution = begun(request)
    live(keys, execution)
    past.executions.append(execution)
    keys._store.remove(execution.id)
    keys.forget(execution)
    assert len(keys) == 0
    assert await keys.find(request) is execution


@pytest.mark.parametrize("where", ["live", "past"])
async def test_another_request_with_the_same_key_is_a_conflict(
    keys: IdempotencyKeys, past: Memory, where: str
) -> None:
    """The answer says where the key was given, and whose it is."""
    execution = begun(a_request(idempotency_key="k"))
    if where == "live":
        live(keys, execution)
    else:
        past.executions.append(execution)
    other = a_request("other", idempotency_key="k")
    retry = StartRequest("demo", "hello", idempotency_key="k", retry_of="exec_0")
    for request, path in ((other, ("options", "idempotencyKey")), (retry, ("idempotencyKey",))):
        with pytest.raises(Conflict, match="exec_1") as refused:
            await keys.find(request)
        assert refused.value.path == path


async def test_without_a_key_nothing_is_looked_for(keys: IdempotencyKeys, past: Memory) -> None:
    """Two starts without a key are two executions, also when nobody knows the past."""
    past.problem = Unavailable("no disk")
    live(keys, begun(a_request()))
    assert await keys.find(a_request()) is None
    assert len(keys) == 0


async def test_what_cannot_be_known_is_not_taken_for_new(
    keys: IdempotencyKeys, past: Memory
) -> None:
    """But what is live is known."""
    past.problem = Unavailable("no disk")
    request = a_request(idempotency_key="k")
    with pytest.raises(Unavailable):
        await keys.find(request)
    live(keys, begun(request))
    assert await keys.find(request) is not None


async def test_a_key_is_free_again_when_nothing_has_it(keys: IdempotencyKeys, past: Memory) -> None:
    """It has left, and the history has forgotten it, too."""
    execution = begun(a_request(idempotency_key="k"))
    live(keys, execution)
    keys.forget(an_execution("exec_of_another"))
    keys._store.remove(execution.id)
    keys.forget(execution)
    assert await keys.find(a_request("other", idempotency_key="k")) is None


async def test_starts_with_one_key_take_turns(keys: IdempotencyKeys) -> None:
    """Others do not wait for them, and nothing is left behind, also of one that failed."""
    order: list[str] = []
    go_on = asyncio.Event()

    async def start(name: str, key: str | None) -> None:
        async with keys.turn(key):
            order.append(f"{name} begins")
            await go_on.wait()
            order.append(f"{name} ends")
            if name == "a":
                raise RuntimeError

    starts = [
        asyncio.create_task(start(name, key))
        for name, key in (("a", "k"), ("b", "k"), ("c", "l"), ("d", None), ("e", None))
    ]
    await turns()
    assert order == [f"{name} begins" for name in "acde"]
    assert set(keys._turns) == {"k", "l"}
    go_on.set()
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    assert [type(one) for one in outcomes] == [RuntimeError, *[type(None)] * 4]
    assert order[-2:] == ["b begins", "b ends"]
    del outcomes, starts
    gc.collect()
    assert len(keys._turns) == 0
