"""What a resolver reads, so that `compiled` may do the same, and may store what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Metadata: TypeAlias = Mapping[Any, Any]


class NotAtOnce(Exception):
    """The value is elsewhere, in a file or in the history, and has to be waited for."""


@dataclass(frozen=True, slots=True)
class Reads:
    """The mark of a resolver that reads its object, its arguments, and what never changes while
    the server runs: neither the caller, nor anything that has to be waited for.

    A resolver without it is run by graphql-core alone.
    """

    moves: bool = False
    """It reads something else besides, such as the clock. In an execution: until that has ended."""
    at_once: Callable[..., object] | None = None
    """What to call in place of the resolver, which is a coroutine. An execution may stand as it is
    in the core."""


def reads(*, moves: bool = False, at_once: Callable[..., object] | None = None) -> Metadata:
    """The `metadata` of a field whose resolver is marked so."""
    return {Reads: Reads(moves, at_once)}


STILL = reads()
