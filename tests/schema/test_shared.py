"""A subscription that many follow is executed once, and each of them cannot tell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from list_reader import FAILURE, change, managing, running
from patience import turns, until
from runcast.core.execution.events import CancelRequested, Event, StageProgressed, StageRetrying
from runcast.core.live.manager import ExecutionManager
from runcast.schema import shared as shared_room
from runcast.schema.document import RequestError
from runcast.schema.executable import ExecutableSchema, Interrupted
from runcast.schema.limits import Limits
from runcast.schema.result import Result
from samples import said
from virtual_clock import VirtualClock

PROGRESS = """
subscription Progress($id: ID!, $after: String, $output: Boolean! = true, $more: Boolean! = false) {
  seen: executionProgress(id: $id, after: $after, includeOutput: $output) { %s ...State }
}
fragment State on ExecutionProgress { status currentStage cursor at @include(if: $more) }
"""
FIELDS = (
    "event sequence",
    "output { text offset }",
    "event execution { durationMs inputPreview @include(if: $more) stages { id status } }",
    "execution { stages { output { text } } input }",
    "log { text stream } missedEvents",
    "sequence execution { id error { message } wrong: stages { output(limit: -1) { text } } }",
)
Script = list[tuple[str, int]]

scripts = st.lists(
    st.tuples(st.sampled_from(["say", "progress", "retry", "pause", "join"]), st.integers(0, 3)),
    max_size=12,
)
variables = st.fixed_dictionaries(
    {},
    optional={
        "output": st.booleans(),
        "more": st.booleans(),
        "after": st.sampled_from([None, "x:1"]),
    },
)


class Client:
    """Follows something; takes results at once while it is `quick`."""

    def __init__(self, *, quick: bool | None = None) -> None:
        self.quick = quick
        self.seen: list[bytes] = []
        self.taken = 0

    async def follow(self, schema: ExecutableSchema, text: str, given: Any, ctx: Any) -> None:
        at_once = None if self.quick is None else self._take
        results = await schema.subscribe(schema.read(text), given, ctx, at_once)
        async with aclosing(results):
            async for result in results:
                self.seen.append(result.encoded)

    def _take(self, result: Result) -> bool:
        if self.quick:
            self.seen.append(result.encoded)
            self.taken += 1
        return bool(self.quick)


def context(manager: ExecutionManager) -> Any:
    """What the resolvers need of a server."""

    async def no_past(id: str) -> None:
        """Nothing is in the history."""

    async def stored(*of: object) -> SimpleNamespace:
        """What an output says that is in a file."""
        return SimpleNamespace(text="stored", next_offset=6, left_out=0)

    return SimpleNamespace(
        files=SimpleNamespace(output=stored),
        manager=manager,
        clock=manager.clock,
        loop_budget=manager.loop_budget,
        history=SimpleNamespace(get=no_past),
        debug=False,
    )


def a_schema() -> ExecutableSchema:
    return ExecutableSchema(Limits(), introspection=True)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FIELDS), variables), min_size=1, max_size=3), scripts)
def test_shared_and_one_by_one_are_alike(
    asked: list[tuple[str, dict[str, object]]], script: Script
) -> None:
    """Each follower, quick or not or now and then, has the messages that one alone would have."""

    async def play() -> None:
        clock = VirtualClock()
        async with managing(clock) as manager:
            ctx, common, id = context(manager), SCHEMA, await running(manager)
            pairs: list[tuple[Client, Client]] = []
            tasks: list[asyncio.Task[None]] = []

            async def join() -> None:
                for fields, given in asked:
                    text, named = PROGRESS % fields, {"id": id, **given}
                    for quick in (True, False, None):
                        together, alone = Client(quick=quick), Client()
                        pairs.append((together, alone))
                        tasks.append(asyncio.create_task(together.follow(common, text, named, ctx)))
                        own = copied(common)
                        tasks.append(asyncio.create_task(alone.follow(own, text, named, ctx)))
                await turns(30)

            await join()
            for step, number in script:
                if step == "pause":
                    clock.advance(number)
                elif step == "join" and len(pairs) < 20:
                    await join()
                else:
                    for _ in range(number):
                        manager.apply(an_event(manager, step, id))
                for together, _ in pairs[::3]:
                    together.quick = number != 2
                await turns(30)
            manager._feed.close()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, Interrupted) for one in ended), ended
            for together, alone in pairs:
                assert together.seen == alone.seen

    asyncio.run(play())


SCHEMA = a_schema()


def copied(schema: ExecutableSchema) -> ExecutableSchema:
    """The same documents, and nothing of it is shared."""
    alone = object.__new__(ExecutableSchema)
    alone.__dict__.update(schema.__dict__)
    alone._shared, alone._made = type(schema._shared)(), type(schema._made)()
    return alone


def an_event(manager: ExecutionManager, step: str, id: str) -> Event:
    at = manager.clock.now()
    if step == "say":
        length = manager.get(id).stages[0].log.output_length
        return said(id, at, 0, f"line {manager.get(id).sequence}\n", length)
    if step == "progress":
        return StageProgressed(id, at, 0, 0.5)
    return StageRetrying(id, at, 0, FAILURE, at + 2000)


LIST = """
subscription ($filter: ExecutionFilter, $after: String) {
  executionsChanged(filter: $filter, after: $after) {
    change cursor execution { id status sequence currentStage } statusCounts { status count }
  }
}"""
FILTERS: tuple[dict[str, object], ...] = (
    {},
    {"filter": {"status": ["RUNNING"]}},
    {"filter": {"notStatus": ["CANCELLING"]}, "after": "x:3"},
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(FILTERS), min_size=1, max_size=2),
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(["new", "cancel", "retry", "leave"]), st.integers(0, 3))
        ),
        max_size=6,
    ),
)
def test_a_list_shared_and_one_by_one_are_alike(
    asked: list[dict[str, object]], script: list[list[tuple[str, int]]]
) -> None:
    """As for one execution: with the latest state of each where several changes come at once."""

    async def play() -> None:
        async with managing(VirtualClock()) as manager:
            ctx, ids = context(manager), [await running(manager)]
            pairs = [
                (Client(quick=quick), Client()) for _ in asked for quick in (True, False, None)
            ]
            tasks = []
            for number, (together, alone) in enumerate(pairs):
                given = asked[number // 3]
                tasks.append(asyncio.create_task(together.follow(SCHEMA, LIST, given, ctx)))
                own = copied(SCHEMA)
                tasks.append(asyncio.create_task(alone.follow(own, LIST, given, ctx)))
            await turns(30)
            for steps in script:
                for step, number in steps:
                    await happen(manager, step, ids, number)
                pairs[0][0].quick = len(steps) != 2
                await turns(30)
            manager._feed.close()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, Interrupted) for one in ended), ended
            for together, alone in pairs:
                assert together.seen == alone.seen

    asyncio.run(play())


async def happen(manager: ExecutionManager, step: str, ids: list[str], number: int) -> None:
    """Something to one of the executions, if there are any."""
    if step == "new":
        ids.append(await running(manager))
    elif ids and step == "leave":
        gone = manager._store.remove(ids.pop(number % len(ids)))
        manager._feed.publish_departure(gone)
    elif ids and step == "cancel":
        manager.apply(CancelRequested(ids[number % len(ids)], 2000, None, False))
    elif ids:
        id = ids[number % len(ids)]
        manager.apply(StageProgressed(id, 2000, 0, 0.1 * number))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every event that is executed."""
    events: list[object] = []
    once = shared_room.execute_subscription_event

    def noting(event: Any) -> Any:
        events.append(event)
        return once(event)

    monkeypatch.setattr(shared_room, "execute_subscription_event", noting)
    return events


async def test_a_list_is_executed_once(made: list[object]) -> None:
    """For all who follow it with the same filter and have seen the same of it."""
    async with managing(VirtualClock()) as manager:
        id, clients = await running(manager), [Client(quick=n % 2 == 0) for n in range(10)]
        async with following(manager, clients, {}, LIST):
            assert len(made) == 2, "ENTERED, CAUGHT_UP"
            change(manager, id)
            await turns()
            assert len(made) == 3
            assert [len(one.seen) for one in clients] == [3] * 10
            assert [one.taken for one in clients] == [1, 0] * 5


async def test_it_is_executed_once(made: list[object]) -> None:
    """For all who follow, whether they take it or read it; and for all who come together."""
    async with managing(VirtualClock()) as manager:
        id, clients = await running(manager), [Client(quick=n % 2 == 0) for n in range(10)]
        async with following(manager, clients, {"id": id}):
            assert len(made) == 1
            change(manager, id)
            await turns()
            assert len(made) == 2
            assert [len(one.seen) for one in clients] == [2] * 10
            assert [one.taken for one in clients] == [1, 0] * 5


async def test_who_follows_something_else_shares_what_is_the_same(made: list[object]) -> None:
    """A thousand who come back have a cursor each; variables of other fields are another matter."""
    async with managing(VirtualClock()) as manager:
        id, clients = await running(manager), [Client(quick=n % 2 == 0) for n in range(4)]
        ctx = context(manager)
        async with AsyncExitStack() as stack:
            for n, client in enumerate(clients):
                given: dict[str, object] = {"id": id, "after": f"old{n}:1", "more": n == 3}
                await stack.enter_async_context(following(manager, [client], given, ctx=ctx))
            assert len(made) == 2, "RESET, with `more` and without"
            change(manager, id)
            await turns()
            assert len(made) == 4
            assert [len(one.seen) for one in clients] == [2] * 4
            assert clients[0].seen[1] == clients[2].seen[1] != clients[3].seen[1]


async def test_other_variables_are_another_operation() -> None:
    """1 is not true, and what one is sent has nothing to do with the other."""
    async with managing(VirtualClock()) as manager:
        id, other = await running(manager), await running(manager)
        first, second = Client(quick=True), Client(quick=True)
        async with (
            following(manager, [first], {"id": id}),
            following(manager, [second], {"id": other}),
        ):
            change(manager, other)
            await turns()
            assert (len(first.seen), len(second.seen)) == (1, 2)
        with pytest.raises(RequestError, match="Boolean"):
            await a_schema().subscribe(
                SCHEMA.read(TEXT), {"id": id, "output": 1}, context(manager), None
            )


async def test_who_cannot_follow_any_more_is_told_as_the_first_is() -> None:
    """An error with its place in the document, though others follow the same."""
    clock = VirtualClock()
    async with managing(clock) as manager:
        id, clients = await running(manager), [Client(quick=True)]
        async with following(manager, clients, {"id": id}):
            manager._store.remove(id)
            with pytest.raises(RequestError) as caught:
                await SCHEMA.subscribe(SCHEMA.read(TEXT), {"id": id}, context(manager))
            assert caught.value.errors[0].path == ["seen"]
            assert (caught.value.errors[0].extensions or {})["code"] == "NOT_FOUND"


async def test_nothing_stays() -> None:
    """Of an operation that nobody follows any more, after a second."""
    async with managing(VirtualClock()) as manager:
        id = await running(manager)
        async with following(manager, [Client(quick=True)], {"id": id}):
            assert (len(SCHEMA._shared), len(SCHEMA._made)) == (1, 1)
        await until(lambda: not SCHEMA._shared and not SCHEMA._made)


TEXT = PROGRESS % "event sequence"


@asynccontextmanager
async def following(
    manager: ExecutionManager,
    clients: list[Client],
    given: dict[str, object],
    text: str = TEXT,
    ctx: Any = None,
) -> AsyncIterator[None]:
    """They follow as long as the block lasts."""
    ctx = ctx or context(manager)
    tasks = [asyncio.create_task(one.follow(SCHEMA, text, given, ctx)) for one in clients]
    await turns()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
