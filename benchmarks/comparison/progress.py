"""What is being measured, for who waits."""

import sys
import time

BEGUN = time.monotonic()


def say(what: str) -> None:
    """On stderr, with the minutes since the beginning."""
    seconds = round(time.monotonic() - BEGUN)
    print(f"{seconds // 60}:{seconds % 60:02} {what}", file=sys.stderr, flush=True)
