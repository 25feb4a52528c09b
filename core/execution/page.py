"""A list in an order of the reader's choice, page by page."""

import base64
import binascii
import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Generic, TypeAlias, TypeVar

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

    def key(self, execution: Execution, now: int) -> Key:
        """The place of an execution in the list; no two have the same."""
        return self._value(execution, now), execution.id

    def _value(self, execution: Execution, now: int) -> float | str:
        match self.field:
            case OrderField.START_TIME:
                return execution.started_at
            case OrderField.END_TIME:
                return float("inf") if execution.ended_at is None else execution.ended_at
            case OrderField.DURATION:
                return execution.duration_ms(now)
            case OrderField.PIPELINE_NAME:
                return execution.pipeline_name


def encode_key(key: Key) -> str:
    """A place in a list as an opaque cursor."""
    text = json.dumps(key, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_key(cursor: str, path: str, order: Order) -> Key:
    """The place that a cursor stands for.

    Raises:
        InvalidInput: it is not a cursor of a list in that order.
    """
    try:
        value, id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise InvalidInput(f"{path}: this is not a cursor of a list", path=[path]) from None
    expected = str if order.field is OrderField.PIPELINE_NAME else (int, float)
    fits = isinstance(value, expected) and not isinstance(value, bool)
    if not (isinstance(id, str) and fits and value == value):  # NaN is no place
        raise InvalidInput(f"{path}: a cursor of a list in another order", path=[path])
    return value, id


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

    Raises:
        InvalidInput: a cursor or a number is off.
    """
    size = request.size()

    def key(execution: Execution) -> Key:
        return order.key(execution, now)

    # By start they are nearly in order already, which makes it fast.
    by_start = order.field is OrderField.START_TIME
    placed = sorted(executions, key=_START if by_start else key)
    low, high = 0, len(placed)
    after, before = request.after, request.before
    after_path, before_path = "after", "before"
    if order.descending:
        after, before, after_path, before_path = before, after, before_path, after_path
    if after is not None:
        low = bisect_right(placed, decode_key(after, after_path, order), key=key)
    if before is not None:
        high = max(low, bisect_left(placed, decode_key(before, before_path, order), key=key))
    from_the_end = (request.last is None) == order.descending
    start, stop = (max(low, high - size), high) if from_the_end else (low, min(high, low + size))
    chosen = placed[start:stop]
    more_below, more_above = start > 0, stop < len(placed)
    if order.descending:
        chosen.reverse()
        more_below, more_above = more_above, more_below
    return Page([(encode_key(key(e)), e) for e in chosen], more_above, more_below)
