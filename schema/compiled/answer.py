"""Answers to queries that are covered."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, TypeAlias

import strawberry
from cachetools import LRUCache
from graphql import OperationType
from graphql.execution.values import VariableValues, get_variable_values

from ...core.json_value import dumps
from ...resolvers.context import Context
from ..context import RequestContext
from .plan import Plan, compiled
from .reader import Reader
from .selection import Uncovered

if TYPE_CHECKING:
    from ..document import Operation

Variables: TypeAlias = dict[str, Any] | None

PLANNED = 20_000
"""The size of all plans, in fields and tokens of their documents; each takes about 1 KB."""
FEW = 20
"""Pieces, which take too little time to be worth a pause between them."""
LONGEST_VARIABLES = 4096
"""Bytes of variables of which an answer is stored."""


class Reading:
    """An answer of which all is read, and is to be put together."""

    def __init__(
        self,
        plan: Plan,
        variables: VariableValues,
        context: RequestContext,
        question: Hashable | None,
    ) -> None:
        self._derived = context.ctx.manager.derived
        self._budget = context.ctx.loop_budget
        self._question = question
        self._revision = self._derived.revision
        self._reader = Reader(context)
        self._value = plan.read(self._reader, variables)
        self._pieces = self._reader.pieces()
        self._has_failed = False

    def finished_at_once(self) -> bytes | None:
        """The response map as JSON; None if others must have their turn in between, or as below."""
        try:
            for number, _ in enumerate(self._pieces):
                if number > FEW:
                    return None
            return self._encoded()
        except Exception:
            self._has_failed = True
            return None

    async def finished(self) -> bytes | None:
        """The response map as JSON; None if graphql-core is to answer.

        It will find again what is wrong, and say it in its own words.
        """
        if self._has_failed:
            return None
        try:
            for _ in self._pieces:
                await self._budget.checkpoint()
            return self._encoded()
        except Exception:
            return None

    def _encoded(self) -> bytes:
        encoded = dumps(self._value)
        if self._question is not None and not self._reader.moved:
            self._derived.put_answer(self._question, encoded, self._revision)
        return encoded


class Answers:
    """Plans of operations, each made when it is asked for first, and what they find."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = schema
        self._plans: LRUCache[Hashable, tuple[Plan | None, int]] = LRUCache(
            PLANNED, getsizeof=lambda planned: planned[1]
        )

    def known(self, operation: "Operation", variables: Variables, ctx: Context) -> bytes | None:
        """The answer to an operation, if it was given since anything has changed."""
        if operation.kind is not OperationType.QUERY:
            # Its variables may have a megabyte, and there is no answer to look for.
            return None
        asked = question(operation, variables)
        return None if asked is None else ctx.manager.derived.answer(asked)

    def begin(
        self, operation: "Operation", variables: Variables, context: RequestContext
    ) -> Reading | None:
        """Reads the answer to an operation; None if graphql-core is to answer."""
        if operation.kind is not OperationType.QUERY or operation.asks_about_the_schema:
            return None
        try:
            values = self._coerced(operation, variables)
            plan = self._plan(operation, values)
            if plan is None:
                return None
            return Reading(plan, values, context, question(operation, variables))
        except Exception:
            return None

    def _coerced(self, operation: "Operation", variables: Variables) -> VariableValues:
        defined = operation.definition.variable_definitions
        if not defined:
            return VariableValues({}, {})
        values = get_variable_values(self._schema._schema, defined, variables or {}, max_errors=1)
        if not isinstance(values, VariableValues):
            raise Uncovered
        return values

    def _plan(self, operation: "Operation", values: VariableValues) -> Plan | None:
        given = tuple((name, values.coerced.get(name, name)) for name in operation.deciding)
        planned = self._plans.get((operation, given))
        if planned is None:
            planned = self._planned(operation, values)
            if planned[1] <= self._plans.maxsize:
                self._plans[operation, given] = planned
        return planned[0]

    def _planned(self, operation: "Operation", values: VariableValues) -> tuple[Plan | None, int]:
        try:
            plan = compiled(self._schema, operation.document, operation.definition, values)
        except Uncovered:
            return None, operation.size
        return plan, operation.size + plan.size


def question(operation: "Operation", variables: Variables) -> Hashable | None:
    """What is asked, as a key; None if no answer to it is to be stored, or shared."""
    if not variables:
        return operation
    text = dumps(variables)
    return (operation, text) if len(text) <= LONGEST_VARIABLES else None
