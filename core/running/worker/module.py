"""The one module whose functions a worker runs, and the files that it was made from."""

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

from .frames import Head
from .values import described


class StageModule:
    """A module from the folder of a pipeline file, or from the environment.

    The folder comes last on `sys.path`, so that nothing in it can take the place of a library.
    """

    def __init__(self, name: str, folder: str) -> None:
        """Imports it.

        Raises:
            LookupError: it cannot be imported.
        """
        self.name = name
        self._folder = os.path.join(folder, "")  # noqa: PTH118  # pathlib takes time to import
        self._modules = 0
        self._stamps: dict[str, tuple[int, int]] = {}
        if folder not in sys.path:
            sys.path.append(folder)
        try:
            self._module = importlib.import_module(name)
        except BaseException as error:
            message = described(error)["message"]
            raise LookupError(f"{name} cannot be imported: {message}") from error
        self.note_files()
        _log_to_stderr()

    def function(self, path: str) -> Callable[..., Any]:
        """What dots lead to from the module.

        Raises:
            LookupError: there is no function.
        """
        found: Any = self._module
        for name in path.split("."):
            found = getattr(found, name, None)
        if not callable(found):
            raise LookupError(f"{self.name} has no function {path}")
        return found  # type: ignore[no-any-return]

    def is_async(self, path: str) -> bool:
        """Whether the function's calls can share an event loop.

        Raises:
            LookupError: there is no function.
        """
        return inspect.iscoroutinefunction(self.function(path))

    def about(self, path: str) -> Head:
        """What the server is answered that asks for a function."""
        if self._stale:
            return {"type": "stale"}
        try:
            return {"type": "loaded", "async": self.is_async(path)}
        except LookupError as error:
            return {"type": "missing", **described(error)}

    def still_has(self, path: str, *, is_async: bool) -> bool:
        """Whether the function is what it was taken for, and no file has changed since."""
        try:
            return not self._stale and self.is_async(path) is is_async
        except LookupError:
            return False

    @property
    def _stale(self) -> bool:
        """Whether a file that it, or what it imports from its folder, was made from has changed."""
        return any(_stamp(file) != stamp for file, stamp in self._stamps.items())

    def contains(self, file: str) -> bool:
        """Whether a file is the module's, or one in its folder."""
        if file == getattr(self._module, "__file__", None):
            return True
        return file.startswith(self._folder) and "site-packages" not in file

    def note_files(self) -> None:
        """To be called after each call: functions import more while they run."""
        if len(sys.modules) == self._modules:
            return
        self._modules = len(sys.modules)
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and self.contains(file):
                self._stamps.setdefault(file, _stamp(file))


def _log_to_stderr() -> None:
    """What is logged belongs to the stage, unless somebody sees to that: the module or a function.

    Hence the handler of last resort, which takes what no other one takes.
    """
    logging: Any = sys.modules.get("logging")
    if logging is not None and not logging.root.handlers:
        logging.lastResort = logging.StreamHandler(sys.stderr)
        logging.lastResort.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logging.root.setLevel(logging.INFO)


def _stamp(file: str) -> tuple[int, int]:
    """When the file was changed, in ns of the epoch, and its size; zeros if it has gone."""
    try:
        found = os.stat(file)  # noqa: PTH116
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
