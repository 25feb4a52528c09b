"""What clients and the log are told of failures that are ours."""

import logging
from typing import Any

import pytest
from runcast.core.fairness import LoopBudget
from runcast.core.live.derived import Derived
from runcast.schema.document import RequestError
from runcast.schema.executable import ExecutableSchema
from runcast.schema.limits import Limits


class Broken:
    """A context, or a part of one, in which every use case fails."""

    def __init__(self, **parts: object) -> None:
        vars(self).update(parts)

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"secret of {name}")


@pytest.fixture
def schema() -> ExecutableSchema:
    """The schema as a server has it."""
    return ExecutableSchema(Limits(), introspection=True)


MANAGER = Broken(derived=Derived(lambda id: None))
CONTEXT: Any = Broken(loop_budget=LoopBudget(), manager=MANAGER)


async def test_a_field_that_fails(
    schema: ExecutableSchema, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets an id and nothing else; under the id the log has the whole of it."""
    with caplog.at_level(logging.ERROR, "runcast.graphql"):
        result = await schema.execute(schema.read("{ node(id: 1) { id } }"), None, CONTEXT)
    [error] = result.formatted["errors"]
    assert (error["message"], error["path"]) == ("Internal error", ["node"])
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    [record] = caplog.records
    assert error["extensions"]["errorId"] in record.getMessage()
    assert "secret of" in str(record.exc_info and record.exc_info[1])
    assert "secret" not in str(result.formatted)


async def test_a_subscription_that_fails(
    schema: ExecutableSchema, caplog: pytest.LogCaptureFixture
) -> None:
    """As a request error: it has begun nothing."""
    operation = schema.read("subscription { executionsChanged { cursor } }")
    with pytest.raises(RequestError) as refused:
        await schema.subscribe(operation, None, CONTEXT)
    assert (refused.value.errors[0].extensions or {})["code"] == "INTERNAL_SERVER_ERROR"
    assert "secret" not in str(refused.value) and len(caplog.records) == 1


async def test_at_most_five_errors(schema: ExecutableSchema) -> None:
    """However many fields fail."""
    fields = " ".join(f"a{n}: node(id: {n}) {{ id }}" for n in range(20))
    result = await schema.execute(schema.read(f"{{ {fields} }}"), None, CONTEXT)
    assert len(result.formatted["errors"]) == 5
    assert set((result.data or {}).values()) == {None}
