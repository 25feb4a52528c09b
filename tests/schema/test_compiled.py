"""What is compiled answers as graphql-core does."""

import asyncio
import gc
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any, NewType, cast

import pytest
import strawberry
from documents_at_random import Question, questions
from executions_at_random import EXECUTIONS
from graphql import parse
from graphql.execution.values import VariableValues
from hypothesis import HealthCheck, given, settings, strategies as st
from runcast.core.errors import NotFound, Unavailable
from runcast.core.execution.events import ChangeKind
from runcast.core.execution.log import LogPiece, LogSlice, LogStream
from runcast.core.execution.model import Execution, StageRun, StageStatus, Status, Usage
from runcast.core.execution.stage_log import StageLog
from runcast.core.execution.stored import StoredValue
from runcast.core.fairness import LoopBudget
from runcast.core.live.manager import ExecutionManager
from runcast.core.pipelines.pipeline import Pipeline
from runcast.schema.compiled.plan import compiled
from runcast.schema.compiled.reader import Reader
from runcast.schema.compiled.selection import Uncovered
from runcast.schema.document import RequestError
from runcast.schema.executable import ExecutableSchema
from runcast.schema.limits import Limits
from runcast.schema.node import Node
from runcast.schema.reads import STILL
from runcast.schema.result import Result
from samples import ScriptedEngine, a_pipeline, an_execution, put
from strawberry.extensions import FieldExtension
from strawberry.schema.config import StrawberryConfig
from virtual_clock import EPOCH_MS, VirtualClock

SCHEMA = ExecutableSchema(Limits(), introspection=True)
NARROW = ExecutableSchema(Limits(max_text=12), introspection=True)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

MOMENTS = st.integers(EPOCH_MS - 9000, EPOCH_MS)
SANE_STAGES = st.builds(
    StageRun,
    id=st.sampled_from(["one", "two"]),
    name=st.text(max_size=3),
    type=st.just("python"),
    status=st.sampled_from(StageStatus),
    started_at=st.none() | MOMENTS,
    ended_at=st.none() | MOMENTS,
    usage=st.builds(Usage, st.integers(0, 9), st.integers(0, 9), st.floats(0, 9)),
    log=st.just(StageLog())
    | st.builds(StageLog, st.just(4), st.just(4), head=st.just("text"), cut=st.booleans())
    | st.just(StageLog().appended(LogPiece(0, LogStream.STDOUT, "text", 1), 0))
    | st.just(StageLog(4, 4, of_value=True)),
    value=st.just("text"),
)
SANE = st.builds(
    an_execution,
    pipeline_name=st.text(max_size=3),
    input=st.sampled_from(["hello", "\ud800", StoredValue("v", 5, "0")]),
    started_at=MOMENTS,
    began_at=st.none() | MOMENTS,
    ended_at=st.none() | MOMENTS,
    status=st.sampled_from(Status),
    stages=st.lists(SANE_STAGES, max_size=2).map(tuple),
    output=st.sampled_from([None, "text", {"a": [1.5, 10**30]}, StoredValue("v", 5, "0", True)]),
)
ODD = EXECUTIONS.map(lambda one: replace(one, input=as_text(one.input)))
LISTS = st.lists(SANE | SANE | SANE | ODD, max_size=3)


def as_text(input: object) -> object:
    """An input is never JSON, wherever it is."""
    return replace(input, is_json=False) if isinstance(input, StoredValue) else input


class Files:
    """What is in files."""

    async def content(self, value: StoredValue) -> bytes:
        return b'[1, "text"]'

    async def output(self, *part: object) -> Any:
        return SimpleNamespace(text="of a file", next_offset=9, left_out=0)

    async def log(self, *part: object) -> LogSlice:
        return LogSlice((), 0, 0, 0)


class Pipelines:
    """The library, with one pipeline."""

    def all(self) -> list[Pipeline]:
        return [a_pipeline()]

    def get(self, id: str) -> Pipeline:
        raise NotFound("there is none")

    def problems(self) -> list[object]:
        return []


class History:
    """A history that cannot be read, but for what has not been in it."""

    problems: Sequence[object] = ()

    async def get(self, id: str) -> Execution | None:
        return None

    async def merged_page(self, *asked: object, **named: object) -> None:
        raise Unavailable("the history cannot be read")


class Traced(FieldExtension):
    """An extension of a field, which may do anything."""

    def resolve(self, next_: Any, source: Any, info: Any, **asked: Any) -> Any:
        return next_(source, info, **asked)


Empty = NewType("Empty", int)
NO_VALUE = strawberry.scalar(name="Empty", serialize=lambda value: None)
CONFIG = StrawberryConfig(scalar_map={Empty: NO_VALUE})


@strawberry.type
class Strange:
    """Fields that are not simple."""

    @strawberry.field(metadata=STILL)
    def node(self) -> Node:
        return Node(id=strawberry.ID("1"))

    @strawberry.field
    def plain(self) -> str:
        return "not marked"

    @strawberry.field(metadata=STILL)
    async def waits(self) -> str:
        return "marked by mistake"

    @strawberry.field(metadata=STILL, extensions=[Traced()])
    def extended(self) -> str:
        return "and more"

    @strawberry.field(metadata=STILL)
    def nothing(self) -> Empty | None:
        return Empty(1)


class World:
    """Executions, and the two ways to ask for them."""

    def __init__(self, executions: Sequence[Execution] = (), schema: ExecutableSchema = SCHEMA):
        self.clock = VirtualClock()
        self.manager = ExecutionManager(ScriptedEngine(), self.clock)
        self.schema = schema
        self.ctx: Any = SimpleNamespace(
            manager=self.manager,
            clock=self.clock,
            loop_budget=self.manager.loop_budget,
            files=Files(),
            history=History(),
            pipelines=Pipelines(),
            version="1",
            name="here-1",
            debug=False,
        )
        for number, execution in enumerate(executions):
            self.put(replace(execution, id=f"exec_{number}", sequence=1))

    def put(self, execution: Execution) -> None:
        put(self.manager._store, execution, ChangeKind.STAGE_CHANGED)

    def change(self, id: str, **values: Any) -> None:
        now = self.manager.get(id)
        self.put(replace(now, sequence=now.sequence + 1, **values))

    async def ask(self, text: str, **variables: Any) -> object:
        """What the compiled way answers, after it was found that graphql-core says the same."""
        question = Question(text, variables)
        compiled = await self.compiled(question)
        assert compiled == await self.interpreted(question)
        return compiled

    async def compiled(self, question: Question) -> object:
        """As JSON, whose objects are lists of pairs: their order counts."""
        operation = self.schema.read(question.text)
        try:
            return shown(await self.schema.execute(operation, question.variables, self.ctx))
        except RequestError as refused:
            return [error.formatted for error in refused.errors]

    async def interpreted(self, question: Question) -> object:
        operation = self.schema.read(question.text)
        try:
            variables = question.variables
            return shown(await self.schema._run_uncompiled(operation, variables, self.ctx))
        except RequestError as refused:
            return [error.formatted for error in refused.errors]

    def is_compiled(self, text: str, **variables: Any) -> bool:
        """Whether the answer is there at once; only what is compiled is."""
        found = self.schema.begin(self.schema.read(text), variables, self.ctx)
        if isinstance(found, Result):
            return True
        found.close()
        return False


def shown(result: Result) -> object:
    """Without the ids of internal errors, which are new each time."""
    return json.loads(re.sub(rb"err_\w{12}", b"", result.encoded), object_pairs_hook=list)


@pytest.fixture
def world() -> World:
    """Two executions: exec_0 runs, exec_1 has ended."""
    running = an_execution(status=Status.RUNNING, started_at=EPOCH_MS, began_at=EPOCH_MS)
    ended = replace(running, status=Status.COMPLETED, ended_at=EPOCH_MS + 5, output="done")
    return World([running, ended])


# Where a null goes up, graphql-core drops the coroutines of the fields beside it, never awaited.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "examples",
    [60, *(pytest.param(600, marks=pytest.mark.campaign, id=f"campaign-{n}") for n in range(3))],
)
def test_the_same_as_graphql_core(examples: int) -> None:
    """Data, errors, and the order of keys: at first, again, after a change and later on."""

    @settings(max_examples=examples, suppress_health_check=SLOW)
    @given(asked=st.lists(questions(SCHEMA._schema), min_size=1, max_size=2), found=LISTS, new=SANE)
    def check(asked: list[Question], found: list[Execution], new: Execution) -> None:
        asyncio.run(compare(asked, found, new))

    async def compare(asked: list[Question], found: list[Execution], new: Execution) -> None:
        for schema in (SCHEMA, NARROW):
            world = World(found, schema)
            for question in asked * 2:
                assert await world.compiled(question) == await world.interpreted(question)
            world.put(replace(new, id="exec_1"))
            world.clock.advance(1)
            for question in asked:
                assert await world.compiled(question) == await world.interpreted(question)

    check()
    # These coroutines are found here, where they are expected, and not in a later test.
    gc.collect()


COVERED = [
    "{ executions { id status startTime } __typename }",
    "{ a: executions(limit: 1) { b: id ...F ... { labels { key } } } } "
    "fragment F on Execution { id }",
    "{ executions { ...F } a: executions { ...F } } fragment F on Execution { id }",
    "{ executionsConnection { edges { cursor node { id } } nodes { usage { costUsd } } } }",
    '{ execution(id: "exec_1") { input output } }',
    '{ execution(id: "exec_0") { stages { output { text } attempts { number error { type } } } } }',
    "{ server { version running serverTime } historyProblems { message } pipelines { id } }",
    "{ executions @skip(if: true) { id } }",
    """query ($k: String! = "k") {
      executions(filter: {labels: [{key: $k, value: "v"}]}) { id } }""",
]
UNCOVERED = [
    'mutation { cancelExecution(id: "none") { cancelled } }',
    '{ node(id: "exec_0") { id } }',
    '{ execution(id: "exec_0") { stages { log { total } } } }',
    '{ execution(id: "none") { id } }',
    "{ executionsConnection(includeHistory: true) { totalCount } }",
    "{ executionsConnection(orderBy: {field: DURATION}) { totalCount } }",
    "{ __schema { queryType { name } } }",
    "{ executions(limit: -1) { id } }",
]


@pytest.mark.parametrize("text", COVERED)
async def test_covered(world: World, text: str) -> None:
    """The answer is there at once."""
    assert world.is_compiled(text)
    await world.ask(text)


@pytest.mark.parametrize("text", UNCOVERED)
async def test_not_covered(world: World, text: str) -> None:
    """graphql-core answers the whole of it, and says what is wrong."""
    assert not world.is_compiled(text)
    assert await world.ask(text)


async def test_an_answer_is_stored_until_something_changes(world: World) -> None:
    """Then only what has changed is made anew; output counts as a change."""
    text = "{ executions { id sequence } }"
    first = await bytes_of(world, text)
    assert await bytes_of(world, text) is first
    world.change("exec_0")
    assert await bytes_of(world, text) == first.replace(
        b'"exec_0","sequence":1', b'"exec_0","sequence":2'
    )
    world.manager._store.remove("exec_1")
    assert b"exec_1" not in await bytes_of(world, text)


async def test_variables_are_part_of_the_question(world: World) -> None:
    """Other values, other answers: also of those that decide which fields there are."""
    text = """query ($id: ID!, $no: Boolean!) {
      execution(id: $id) { id status @skip(if: $no) stages { output(limit: 3) { text } } } }"""
    answers = [
        str(await world.ask(text, id=id, no=no))
        for id in ("exec_0", "exec_1")
        for no in (True, False)
    ]
    assert len(set(answers)) == 4


async def test_what_moves_with_the_clock_is_not_stored(world: World) -> None:
    """Of an execution that has ended, it stands still."""
    text = "query ($id: ID!) { execution(id: $id) { durationMs } }"
    for id, same in (("exec_0", False), ("exec_1", True)):
        first = await world.ask(text, id=id)
        world.clock.advance(2)
        assert (await world.ask(text, id=id) == first) == same


async def test_the_state_of_the_server_is_not_stored(world: World) -> None:
    """Its clock goes on, and nothing changes in the list."""
    first = await world.ask("{ server { serverTime } }")
    world.clock.advance(2)
    assert await world.ask("{ server { serverTime } }") != first


async def test_a_fragment_counts_what_it_holds(world: World) -> None:
    """An answer of stored fragments has the limit of others."""
    narrow = ExecutableSchema(Limits(max_text=9), introspection=True)
    world.schema = narrow
    one, both = '{ execution(id: "exec_0") { input } }', "{ executions { input } }"
    assert world.is_compiled(one)
    for _ in range(2):
        assert not world.is_compiled(both)
        assert "more than 9 characters" in str(await world.ask(both))


async def test_a_long_list_is_made_in_pieces() -> None:
    """It is of one moment all the same: what changes meanwhile shows in the next."""
    world = World([an_execution() for _ in range(100)])
    world.ctx.loop_budget = LoopBudget(count().__next__, seconds=5)
    text = "{ executions { id sequence } }"
    answer = asyncio.create_task(world.compiled(Question(text, {})))
    rounds = 0
    while not answer.done():
        await asyncio.sleep(0)
        rounds += 1
        if rounds == 3:
            world.change("exec_0")
            world.manager._store.remove("exec_1")
    assert rounds > 10
    assert "2" not in re.findall(r"'sequence', (\d+)", str(answer.result()))
    assert str(answer.result()).count("sequence") == 100
    assert str(await world.ask(text)).count("'sequence', 2") == 1


async def test_an_execution_of_very_many_stages() -> None:
    """It takes long, and graphql-core makes pauses within it."""
    many = an_execution("exec_0", *(f"s{n}" for n in range(1001)))
    text = "{ executions { stages { id name status } } }"
    assert World([an_execution("exec_0", *(f"s{n}" for n in range(100)))]).is_compiled(text)
    world = World([many])
    assert not world.is_compiled(text)
    await world.ask(text)


async def test_a_pause_when_the_round_is_used_up(world: World) -> None:
    """Who asks then waits in line, also for what is short."""
    world.ctx.loop_budget = LoopBudget(count().__next__, seconds=-1)
    text = "{ executions { id } }"
    assert not world.is_compiled(text)
    world.ctx.loop_budget = world.manager.loop_budget
    await world.ask(text)


@pytest.mark.parametrize("broken", [{"pipeline_name": None}, {"sequence": 2**31}])
async def test_what_the_schema_does_not_allow(world: World, broken: dict[str, Any]) -> None:
    """An error of graphql-core, at the field where it belongs."""
    text = "{ executions { pipelineName sequence } }"
    world.put(replace(world.manager.get("exec_0"), **broken))
    assert not world.is_compiled(text)
    assert await world.ask(text)


@pytest.mark.parametrize("field", ["node", "plain", "waits", "extended", "nothing"])
async def test_a_field_that_nobody_knows_enough_about(field: str) -> None:
    """Whatever is not surely simple is left to graphql-core."""
    schema = strawberry.Schema(Strange, config=CONFIG)
    document = parse(f"{{ {field} {'{ id }' if field == 'node' else ''} }}")
    [operation] = document.definitions
    values, reader = VariableValues({}, {}), cast("Reader", SimpleNamespace(moved=False))
    with pytest.raises(Uncovered):
        compiled(schema, document, operation, values).read(reader, values)


async def test_plans_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is too large is made each time."""
    text = "{ executions { id } }"
    operation = world.schema.read(text)
    monkeypatch.setattr("runcast.schema.compiled.answer.PLANNED", operation.size)
    world.schema = ExecutableSchema(Limits(), introspection=True)
    assert world.is_compiled(text)
    assert not world.schema._answers._plans
    await world.ask(text)


async def test_large_variables(world: World) -> None:
    """No answer to them is stored: they would take more room than it."""
    text = "query ($labels: [LabelInput!]) { executions(filter: {labels: $labels}) { id } }"
    labels = [{"key": "k" * 100, "value": "v"} for _ in range(50)]
    assert world.is_compiled(text, labels=labels)
    assert not world.manager.derived._answers
    assert await world.ask(text, labels=labels) == [("data", [("executions", [])])]


async def bytes_of(world: World, text: str) -> bytes:
    result = await world.schema.execute(world.schema.read(text), None, world.ctx)
    return result.encoded
