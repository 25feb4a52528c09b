"""The `runcast` command with deadlines of a test's own: `python hurried_runcast.py JSON serve …`.

The JSON says which, in seconds: `{"runcast.server.serve:DATA_WAIT_SECONDS": 0.5}`. Everything else
is as it is: the process, its sockets, its files.
"""

import json
import sys
from functools import reduce
from importlib import import_module

from runcast.server.cli import main


def hurry(place: str, seconds: float) -> None:
    """Sets a number at the top of a module, or of a class there."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner = reduce(getattr, owners, import_module(module))
    if not isinstance(getattr(owner, name), int | float):
        raise TypeError(f"{place} is no number")
    setattr(owner, name, seconds)


if __name__ == "__main__":
    for place, seconds in json.loads(sys.argv.pop(1)).items():
        hurry(place, seconds)
    main(prog_name="runcast")
