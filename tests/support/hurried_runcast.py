"""The `runcast` command with deadlines of a test's own: `python hurried_runcast.py JSON serve …`.

The JSON says which, in seconds: `{"runcast.server.serve:DATA_WAIT_SECONDS": 0.5}`. Everything else
is as it is: the process, its sockets, its files.
"""

import json
import sys
from functools import reduce
from importlib import import_module
from typing import Any

from runcast.server.cli import main


def hurry(place: str, seconds: float) -> None:
    """Sets a number at the top of a module, of a class there, or in a dictionary of either."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner = reduce(part, owners, import_module(module))
    if not isinstance(part(owner, name), int | float):
        raise TypeError(f"{place} is no number")
    if isinstance(owner, dict):
        owner[name] = seconds
    else:
        setattr(owner, name, seconds)


def part(owner: Any, name: str) -> Any:
    """What has this name in a module, a class or a dictionary."""
    return owner[name] if isinstance(owner, dict) else getattr(owner, name)


if __name__ == "__main__":
    for place, seconds in json.loads(sys.argv.pop(1)).items():
        hurry(place, seconds)
    main(prog_name="runcast")
