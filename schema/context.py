"""What the resolvers of the schema find in `info.context`."""

from dataclasses import dataclass
from typing import TypeAlias

from strawberry.types import Info as StrawberryInfo

from ..resolvers.context import Context
from .limits import Limits
from .measure import limit_exceeded


@dataclass(slots=True)
class RequestContext:
    """One for each operation."""

    ctx: Context
    limits: Limits
    _text: int = 0

    @property
    def text(self) -> int:
        """How many characters the answer has so far, of those that count."""
        return self._text

    def begin(self) -> None:
        """Another answer of the same operation begins."""
        self._text = 0

    def add(self, text: str) -> str:
        """Counts text that becomes part of the answer, and returns it.

        Raises:
            GraphQLError: it would be too much.
        """
        self.count(len(text))
        return text

    def count(self, characters: int) -> None:
        """As `add`, of what is no text yet."""
        self._text += characters
        if self._text > self.limits.max_text:
            noun = "characters of inputs and outputs: ask for fewer executions, or pieces of output"
            raise limit_exceeded(self.limits, "max_text", noun, "The answer would have")


Info: TypeAlias = StrawberryInfo[RequestContext, None]
