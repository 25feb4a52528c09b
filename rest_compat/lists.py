"""Lists of executions, from the bytes of those that have not changed."""

from collections.abc import Sequence

from ..core.execution.filter import ExecutionFilter
from ..core.execution.model import Execution
from ..core.json_value import dumps
from ..resolvers.context import Context
from ..resolvers.lists import list_executions
from .shapes import list_item

ITEM = "REST list item"
LIST = "REST list"


def known_list(ctx: Context, filter: ExecutionFilter, *, counted: bool = False) -> bytes | None:
    """The list, if it was made since anything has changed."""
    return ctx.manager.derived.answer((LIST, filter, counted))


async def executions_list(ctx: Context, filter: ExecutionFilter, *, counted: bool = False) -> bytes:
    """Section 1.1, with the number of executions if it is to be `counted`.

    It is of one moment, though a long one is made in pieces.
    """
    answer = known_list(ctx, filter, counted=counted)
    if answer is None:
        derived = ctx.manager.derived
        revision = derived.revision
        found = list_executions(ctx, filter)
        items = b",".join(await _items(ctx, found))
        count = b',"count":%d' % len(found) if counted else b""
        answer = b'{"executions":[%b]%b}' % (items, count)
        derived.put_answer((LIST, filter, counted), answer, revision)
    return answer


async def _items(ctx: Context, executions: Sequence[Execution]) -> list[bytes]:
    derived = ctx.manager.derived
    items = derived.parts(ITEM, executions)
    for index, execution in enumerate(executions):
        if items[index] is None:
            await ctx.loop_budget.checkpoint()
            items[index] = dumps(list_item(execution))
            derived.put_part(ITEM, execution, items[index], len(items[index]))
    return items
