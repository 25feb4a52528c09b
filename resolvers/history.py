"""What has ended, also long ago."""

from dataclasses import dataclass

from ..core.errors import InvalidInput
from ..core.execution.filter import EVERYTHING, ExecutionFilter
from ..core.execution.model import Execution
from ..core.history.damage import HistoryProblem
from .context import Context

MAX_PAGE_SIZE = 100
MAX_PAGE = 2**31


@dataclass(frozen=True, slots=True)
class EndedPage:
    """Page number `page`, from 1, of what has ended, newest end first."""

    executions: list[Execution]
    total: int
    page: int
    page_size: int


async def list_history(
    ctx: Context, page: int, page_size: int, filter: ExecutionFilter = EVERYTHING
) -> EndedPage:
    """A page past the end is empty; see `whole` for what may be large.

    Raises:
        InvalidInput: a number is out of bounds.
        Unavailable: the history cannot be read.
    """
    _check("page", page, MAX_PAGE)
    _check("pageSize", page_size, MAX_PAGE_SIZE)
    executions, total = await ctx.history.ended_page(page, page_size, filter, whole=False)
    return EndedPage(executions, total, page, page_size)


async def whole(ctx: Context, execution: Execution) -> Execution:
    """An execution of a page with its input, values and output.

    Raises:
        Unavailable: the history cannot be read.
    """
    return await ctx.history.get(execution.id) or execution


def list_problems(ctx: Context) -> list[HistoryProblem]:
    """What is wrong with the history now, and what it has lost since the start."""
    return ctx.history.problems


def _check(name: str, number: int, highest: int) -> None:
    if not 1 <= number <= highest:
        raise InvalidInput(f"{name} must be a whole number from 1 to {highest}", path=[name])
