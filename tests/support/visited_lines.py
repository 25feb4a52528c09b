"""How much of some modules a call runs through: what a search for new cases can aim at."""

import sys
from collections.abc import Callable
from types import CodeType, FrameType, ModuleType
from typing import Any


class VisitedLines:
    """A context: how many different lines of these modules have run in it, in this thread."""

    def __init__(self, *modules: ModuleType) -> None:
        self._files = {module.__file__ for module in modules}
        self._lines: set[tuple[CodeType, int]] = set()

    def __enter__(self) -> "VisitedLines":
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(self._before)

    def __len__(self) -> int:
        return len(self._lines)

    def _called(self, frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        return self._line if frame.f_code.co_filename in self._files else None

    def _line(self, frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        self._lines.add((frame.f_code, frame.f_lineno))
        return self._line
