"""A wall clock for one process that a test can set: libfaketime's, all other clocks left alone."""

import sysconfig
from pathlib import Path

from needs import need

LIBRARY = Path("/usr/lib") / (sysconfig.get_config_var("MULTIARCH") or "") / "faketime"
MISSING = "no libfaketime, which lets a wall clock jump (apt-get install faketime)"


class WallClock:
    """What a process with `environ` takes for the wall clock, from the moment of a change on."""

    def __init__(self, folder: Path) -> None:
        library = need(next(iter(LIBRARY.glob("libfaketimeMT.so*")), None), MISSING)
        self._file = folder / "wall-clock"
        self.environ = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # With it, waiting for Python's lock by a monotonic deadline takes up to a second.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }
        self.set(0)

    def set(self, days: float) -> None:
        """It is ahead of the right time by so many days; behind, if negative."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{days * 86_400:+.0f}s\n")
        new.replace(self._file)
