"""The schema as the transports use it: a document in, results out."""

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from functools import partial
from inspect import isawaitable
from typing import Any
from weakref import WeakValueDictionary

from graphql import (
    ExecutionResult,
    GraphQLError,
    OperationType,
    create_source_event_stream,
    execute,
)

from ..core.errors import RuncastError, Stopping
from ..resolvers.context import Context
from .build import build_schema
from .compiled.answer import Answers, Reading, Variables, question
from .context import RequestContext
from .document import MOST_ERRORS, Documents, Operation, RequestError, coded
from .errors import graphql_error
from .limits import Limits
from .measure import check_variables
from .persisted import PersistedDocuments
from .result import Result
from .shared import MadeResults, ResultTaker, Shared

logger = logging.getLogger("runcast.graphql")


class Interrupted(Exception):
    """The server stops. "complete" would be wrong, and keep clients from coming back."""


class ExecutableSchema:
    """Reads documents and runs their operations.

    Strawberry builds the schema. Its `Schema.execute` is not used: it parses and validates inside,
    where a document cannot be measured before, and turns each kind of error into an exception or
    a result of its own.
    """

    def __init__(self, limits: Limits, *, introspection: bool) -> None:
        schema = build_schema()
        # Private: tests/test_private_names.py looks for it.
        self._schema = schema._schema
        self._executor = schema.execution_context_class
        self._limits = limits
        self._introspection = introspection
        self._thread = ThreadPoolExecutor(1, "runcast schema")
        self._documents = Documents(self._schema, limits, introspection=introspection)
        self._persisted = PersistedDocuments()
        self._answers = Answers(schema)
        self._shared: WeakValueDictionary[Hashable, Shared[Any]] = WeakValueDictionary()
        """The subscriptions that are followed now."""
        self._made: WeakValueDictionary[Hashable, MadeResults[Any]] = WeakValueDictionary()
        """What was made for them."""

    def read(
        self, text: str | None, operation_name: str | None = None, digest: str | None = None
    ) -> Operation:
        """See `Documents.read`. One of `text` and `digest` is there; both: store it for later.

        Raises:
            RequestError: as there, or there is no text with this digest, or another one.
        """
        if digest is None:
            return self._documents.read(text or "", operation_name)
        if text is None:
            return self._documents.read(self._persisted.text(digest), operation_name)
        self._persisted.check(text, digest)
        operation = self._documents.read(text, operation_name)
        self._persisted.store(text, digest)
        return operation

    def known(self, operation: Operation, variables: Variables, ctx: Context) -> bytes | None:
        """The encoded result of a query, if it was asked since anything has changed."""
        return self._answers.known(operation, variables, ctx)

    async def execute(self, operation: Operation, variables: Variables, ctx: Context) -> Result:
        """Runs a query or a mutation.

        Raises:
            RequestError: the variables do not fit.
        """
        found = self.begin(operation, variables, ctx)
        return found if isinstance(found, Result) else await found

    def begin(
        self, operation: Operation, variables: Variables, ctx: Context
    ) -> Result | Coroutine[Any, Any, Result]:
        """As `execute`: the result itself, if nothing has to be waited for.

        Raises:
            RequestError: the variables do not fit.
        """
        answer = self.known(operation, variables, ctx)
        if answer is not None:
            return Result.of_bytes(answer)
        self._check(variables)
        reading = None
        if ctx.loop_budget.is_free:
            reading = self._answers.begin(operation, variables, self._context(ctx))
            if reading is not None and (answer := reading.finished_at_once()) is not None:
                return Result.of_bytes(answer)
        return self._run(operation, variables, ctx, reading)

    async def _run(
        self, operation: Operation, variables: Variables, ctx: Context, reading: Reading | None
    ) -> Result:
        if reading is None and operation.kind is OperationType.QUERY:
            await ctx.loop_budget.checkpoint()
            reading = self._answers.begin(operation, variables, self._context(ctx))
        if reading is not None and (answer := await reading.finished()) is not None:
            return Result.of_bytes(answer)
        return await self._run_uncompiled(operation, variables, ctx)

    async def _run_uncompiled(
        self, operation: Operation, variables: Variables, ctx: Context
    ) -> Result:
        context = self._context(ctx)
        arguments = self._arguments(operation, variables, context)
        if operation.asks_about_the_schema:
            found: Any = await self._in_thread(partial(execute, **arguments))
        else:
            found = execute(**arguments)
        result: ExecutionResult = await found if isawaitable(found) else found
        if result.data is None and result.errors and not any(e.path for e in result.errors):
            raise _request_error(result.errors, "BAD_USER_INPUT")
        return _shown(result)

    async def subscribe(
        self,
        operation: Operation,
        variables: Variables,
        ctx: Context,
        at_once: ResultTaker | None = None,
    ) -> AsyncGenerator[Result, None]:
        """Begins a subscription; the generator gives its results, and is to be closed.

        What `at_once` takes, while there is nothing before it, the generator does not give.

        Raises:
            RequestError: the variables do not fit, or the resolver refused; from the generator too.
            Interrupted: from the generator, when the server stops.
        """
        asked = question(operation, variables)
        key = None if asked is None else (asked, id(ctx))
        shared = self._shared.get(key)
        if shared is not None:
            # What refuses it is said below, with its place in the document.
            with suppress(Exception):
                return _results(await shared.follow(at_once))
        shared = await self._begun(operation, variables, ctx)
        if key is not None:
            self._shared[key] = shared
        try:
            return _results(await shared.follow(at_once))
        except RuncastError as error:
            raise RequestError(graphql_error(error)) from None
        except Exception as error:
            raise RequestError(internal_error(error)) from error

    async def _begun(self, operation: Operation, variables: Variables, ctx: Context) -> Shared[Any]:
        """CreateSourceEventStream, section 6.2.3.1 of the GraphQL specification."""
        self._check(variables)
        arguments = self._arguments(operation, variables, self._context(ctx))
        arguments["raw_variable_values"] = arguments.pop("variable_values")
        executor = arguments.pop("executor_class").build(**arguments)
        if isinstance(executor, list):
            raise _request_error(executor, "BAD_USER_INPUT")
        found: Any = create_source_event_stream(executor)
        source = await found if isawaitable(found) else found
        if isinstance(source, ExecutionResult):
            raise _request_error(source.errors or [], "BAD_USER_INPUT")
        made = self._made_for(operation, variables, ctx)
        return Shared(executor, source, ctx, self._limits, _shown, made)

    def _made_for(
        self, operation: Operation, variables: Variables, ctx: Context
    ) -> MadeResults[Any]:
        """For all whose variables differ in nothing but what the field at the top is given."""
        given = variables or {}
        deciding = {name: given[name] for name in operation.deciding if name in given}
        asked = question(operation, deciding)
        if asked is None:
            return MadeResults()
        return self._made.setdefault((asked, id(ctx)), MadeResults())

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        """Questions about the schema may take 100 ms, and can be answered anywhere: one by one."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _context(self, ctx: Context) -> RequestContext:
        return RequestContext(ctx, self._limits)

    def _check(self, variables: Variables) -> None:
        try:
            check_variables(variables, self._limits)
        except GraphQLError as error:
            raise RequestError(error) from None

    def _arguments(
        self, operation: Operation, variables: Variables, context: RequestContext
    ) -> dict[str, Any]:
        return {
            "schema": self._schema,
            "document": operation.document,
            "context_value": context,
            "variable_values": variables,
            "operation_name": operation.name,
            "max_coercion_errors": MOST_ERRORS,
            "hide_suggestions": not self._introspection,
            "executor_class": self._executor,
        }


async def _results(results: AsyncGenerator[Result, None]) -> AsyncGenerator[Result, None]:
    try:
        async with aclosing(results):
            async for result in results:
                yield result
    except Stopping:
        raise Interrupted from None
    except RuncastError as error:
        raise RequestError(graphql_error(error)) from None
    except Exception as error:
        raise RequestError(internal_error(error)) from error


def _shown(result: ExecutionResult) -> Result:
    if not result.errors:
        return Result(result.data)
    return Result(result.data, [_masked(error) for error in result.errors[:MOST_ERRORS]])


def _request_error(errors: Sequence[GraphQLError], code: str) -> RequestError:
    return RequestError(*(coded(_masked(error), code) for error in errors))


def _masked(error: GraphQLError) -> GraphQLError:
    """The error as clients may see it: what they did not cause is an id, which the log has too."""
    original = error.original_error
    if original is None or isinstance(original, GraphQLError):
        return error
    return internal_error(original, error)


def internal_error(failure: Exception, at: GraphQLError | None = None) -> GraphQLError:
    """The error that a client sees for a failure of ours, at the field of `at` if given."""
    return GraphQLError(
        "Internal error",
        None if at is None else at.nodes,
        path=None if at is None else at.path,
        extensions={"code": "INTERNAL_SERVER_ERROR", "errorId": log_failure(failure)},
    )


def log_failure(failure: Exception) -> str:
    """Logs what is our fault; the id by which a client's report finds it in the log."""
    error_id = f"err_{uuid.uuid4().hex[:12]}"
    logger.error("%s", error_id, exc_info=failure)
    return error_id
