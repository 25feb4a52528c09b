"""The ended executions of the history, as far as result files are made of them."""

from collections.abc import Sequence
from itertools import count
from typing import Protocol

from ..execution.model import Execution

PAGE_SIZE = 100


class EndedExecutions(Protocol):
    """The history. Reading raises Unavailable while it cannot be read."""

    @property
    def unwritable(self) -> str | None:
        """Why it does not take in anything at the moment, such as the end of what was killed."""
        ...

    async def get(self, execution_id: str) -> Execution | None:
        """Its latest state; None if there is no record."""
        ...

    async def ended_page(
        self, page: int, page_size: int, *, whole: bool, own: bool
    ) -> tuple[Sequence[Execution], int]:
        """Page 1, 2... of what has ended, newest end first, and how much that is in total.

        If `own`, of what this server has run. Unless `whole`, without what may be large.
        """
        ...


async def latest_ended(past: EndedExecutions, number: int) -> list[str]:
    """The ids of as many executions of ours, those that ended last; the oldest end first.

    Raises:
        Unavailable: the history cannot be read.
    """
    # What ends meanwhile moves others to the next page, where they are met again.
    found: dict[str, None] = {}
    for page in count(1):
        executions, total = await past.ended_page(page, PAGE_SIZE, whole=False, own=True)
        found |= dict.fromkeys(one.id for one in executions)
        if len(found) >= number or page * PAGE_SIZE >= total:
            break
    return list(found)[:number][::-1]
