"""A list in an order of the reader's choice, page by page."""

import base64
import binascii
import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from ..errors import InvalidInput
from .model import Execution

MAX_PAGE = 250
DEFAULT_PAGE = 50

_START = attrgetter("started_at", "id")
"""As `Order.key` by START_TIME."""

Key: TypeAlias = tuple[float | str, str]


class OrderField(StrEnum):
    """What a list of executions can be sorted by."""

    START_TIME = "START_TIME"
    END_TIME = "END_TIME"
    DURATION = "DURATION"
    PIPELINE_NAME = "PIPELINE_NAME"


@dataclass(frozen=True, slots=True)
class Order:
    """By one field, then by id. What has not ended yet counts as ending last."""

    field: OrderField = OrderField.START_TIME
    descending: bool = True

    @property
    def moves(self) -> bool:
        """Whether the clock alone changes the places of executions."""
        return self.field is OrderField.DURATION

    def key(self, execution: Execution, now: int) -> Key:
        """The place of an execution in the list as it was at a time; no two have the same."""
        return self._value(execution, now), execution.id

    def _value(self, execution: Execution, now: int) -> float | str:
        match self.field:
            case OrderField.START_TIME:
                return execution.started_at
            case OrderField.END_TIME:
                return float("inf") if execution.ended_at is None else execution.ended_at
            case OrderField.DURATION:
                if execution.began_at is None:
                    return 0
                # One that has ended since was still running then.
                return min(execution.duration_ms(now), max(0, now - execution.began_at))
            case OrderField.PIPELINE_NAME:
                return execution.pipeline_name


class Place(NamedTuple):
    """What a cursor stands for: a place in the list, as the list was at a time in epoch ms.

    The time is None in an order that the clock does not change.
    """

    key: Key
    at: int | None = None


def encode_place(key: Key, at: int | None = None) -> str:
    """A place in a list as an opaque cursor."""
    text = json.dumps(key if at is None else (*key, at), separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_place(cursor: str, path: str, order: Order) -> Place:
    """The place that a cursor stands for.

    Raises:
        InvalidInput: it is not a cursor of a list in that order.
    """
    try:
        value, id, *at = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise InvalidInput(f"{path}: this is not a cursor of a list", path=[path]) from None
    expected = str if order.field is OrderField.PIPELINE_NAME else (int, float)
    fits = isinstance(value, expected) and not isinstance(value, bool)
    fits = fits and [type(each) for each in at] in ([], [int] if order.moves else [])
    if not (isinstance(id, str) and fits and value == value):  # NaN is no place
        raise InvalidInput(f"{path}: a cursor of a list in another order", path=[path])
    return Place((value, id), *at)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The Relay arguments: `first` after a cursor, or `last` before one."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    def size(self) -> int:
        """How many items are asked for.

        Raises:
            InvalidInput: both ends at once, or a number that is out of bounds.
        """
        if self.first is not None and self.last is not None:
            raise InvalidInput("give first or last, not both", path=["last"])
        name, size = ("first", self.first) if self.last is None else ("last", self.last)
        if size is None:
            return DEFAULT_PAGE
        if not 0 <= size <= MAX_PAGE:
            raise InvalidInput(f"{name} must be between 0 and {MAX_PAGE}, not {size}", path=[name])
        return size


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list, each with its cursor, and whether there are more on either side."""

    items: Sequence[tuple[str, Item]]
    has_next: bool
    has_previous: bool


def paginate(
    executions: Sequence[Execution], order: Order, request: PageRequest, now: int
) -> Page[Execution]:
    """The page that was asked for; the cursors hold their place when items come and go.

    In an order that the clock changes, the pages behind one another are those of the list at the
    time of the first: what runs has overtaken its own cursor otherwise, and comes again.

    Raises:
        InvalidInput: a cursor or a number is off.
    """
    size = request.size()
    after, before = (
        None if cursor is None else decode_place(cursor, path, order)
        for cursor, path in ((request.after, "after"), (request.before, "before"))
    )
    at = min((place.at for place in (after, before) if place and place.at is not None), default=now)

    def key(execution: Execution) -> Key:
        return order.key(execution, at)

    # By start they are nearly in order already, which makes it fast.
    by_start = order.field is OrderField.START_TIME
    placed = sorted(executions, key=_START if by_start else key)
    low, high = 0, len(placed)
    after, before = (before, after) if order.descending else (after, before)
    if after is not None:
        low = bisect_right(placed, after.key, key=key)
    if before is not None:
        high = max(low, bisect_left(placed, before.key, key=key))
    from_the_end = (request.last is None) == order.descending
    start, stop = (max(low, high - size), high) if from_the_end else (low, min(high, low + size))
    chosen = placed[start:stop]
    more_below, more_above = start > 0, stop < len(placed)
    if order.descending:
        chosen.reverse()
        more_below, more_above = more_above, more_below
    as_of = at if order.moves else None
    return Page([(encode_place(key(e), as_of), e) for e in chosen], more_above, more_below)
