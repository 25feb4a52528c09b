"""Puts faults into the code at random, one at a time, and counts how many of them the tests see.

    python .ci/mutation.py --seconds 900 --seed 1 --least 85 [PATH...]

cosmic-ray makes the faults, in a copy of the checkout. Each is tried with the tests that mirror its
module. The exit code is 1 if so few were seen that `--least` percent of all cannot be believed.
docs/testing.md says more.
"""

import argparse
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from faults import ROOT, Fault, sampled

ROOMS = ("core", "resolvers", "schema", "rest_compat", "server")
CORE_TOGETHER, DOORS = "tests/core/engines", "tests/doors"
"""Where the tests are of what rooms do together: those of the core, and those above it."""
MIRRORS = {
    Path("core/running/worker"): Path("tests/core/running/workers"),
    Path("server/graphql"): Path("tests/server"),
}
"""Where the tests of a folder are that has none of its own name."""
SLOWEST_TEST_SECONDS = 40
"""A test that takes longer hangs: it has seen the fault."""
SLOWEST_RUN_SECONDS = 900
"""Many times what the tests of a room take: what is left when pytest itself hangs."""
PYTEST = (
    *(sys.executable, "-P", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-rfE"),
    *("--hypothesis-seed=0", f"--override-ini=faulthandler_timeout={SLOWEST_TEST_SECONDS}"),
    "--override-ini=faulthandler_exit_on_timeout=true",
)
NOT_COPIED = (".git", "node_modules", "__pycache__", "*.egg-info", "build", ".hypothesis")
FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.MULTILINE)
"""In pytest's summary; without the parameters of a test."""
NAMELESS = "a test that hangs, or all"
HARDLY_EVER = 0.001


def room_of(module: Path) -> Path:
    """The folder with the tests of a module."""
    return MIRRORS.get(module.parent, "tests" / module.parent)


def tests_of(module: Path) -> list[str]:
    """Of its room, the files with the module's name in theirs first; those of rooms together."""
    files = sorted((ROOT / room_of(module)).glob("test_*.py"))
    by_name = sorted(files, key=lambda file: module.stem.strip("_") not in file.stem)
    together = CORE_TOGETHER if module.is_relative_to("core") else DOORS
    return [*(str(file.relative_to(ROOT)) for file in by_name), together]


class Copy:
    """A copy of the checkout that all Python processes of the tests import instead of what is
    installed."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "runcast"
        self._output = folder / "output"
        self._pytest = [*PYTEST, f"--basetemp={folder / 'tests'}"]
        self._environ = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        shutil.copytree(ROOT, self._root, ignore=shutil.ignore_patterns(*NOT_COPIED))

    @contextmanager
    def with_fault(self, fault: Fault) -> Iterator[bool]:
        """Whether there is one: an operator may make nothing of what it has found."""
        path = self._root / fault.module
        source = path.read_text()
        mutated = fault.put_into(source)
        path.write_text(mutated)
        try:
            yield mutated != source
        finally:
            path.write_text(source)

    def failing(self, tests: Sequence[str], seconds: float = SLOWEST_RUN_SECONDS) -> str | None:
        """The first of these tests that fails; NAMELESS if pytest ended without saying which, or
        has not ended after `seconds`.

        What they have started is ended.
        """
        with self._output.open("wb") as output:
            run = subprocess.Popen(
                [*self._pytest, *tests],
                cwd=self._root,
                env=self._environ,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                passed = run.wait(seconds) == 0
            except subprocess.TimeoutExpired:
                passed = False
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(run.pid, signal.SIGKILL)
                run.wait()
        return None if passed else self._failed()

    def _failed(self) -> str:
        found = FAILED.search(self._output.read_text(errors="replace"))
        return found[1] if found else NAMELESS


class Campaign:
    """Which faults were tried, and which tests have seen them."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._tried = Counter[Path]()
        self._survived = Counter[Path]()
        self._seeing = set[str]()

    @property
    def tried(self) -> int:
        return self._tried.total()

    @property
    def seen(self) -> int:
        return self.tried - self._survived.total()

    def run(self, faults: Iterable[Fault], seconds: float) -> None:
        """Tries one after the other; begins none after so many seconds."""
        ends = time.monotonic() + seconds
        for fault in faults:
            if time.monotonic() >= ends:
                return
            self._try(fault)

    def _try(self, fault: Fault) -> None:
        with self._copy.with_fault(fault) as is_one:
            if not is_one:
                return
            failing = self._seen_by(tests_of(fault.module))
        self._tried[room_of(fault.module)] += 1
        if failing:
            self._seeing.add(failing)
        else:
            self._survived[room_of(fault.module)] += 1
        print(f"{fault}: {failing or 'SURVIVED'}", flush=True)

    def _seen_by(self, tests: Sequence[str]) -> str | None:
        """The test that fails twice; one that fails once may have done so by chance."""
        failing = self._copy.failing(tests)
        if failing in (None, NAMELESS) or self._copy.failing([failing]):
            return failing
        return self._copy.failing(tests)

    def check(self, seconds: float) -> None:
        """Tests that fail by themselves see nothing: those that failed must pass without a fault.

        They may take as long as all of them together have taken with one.

        Raises:
            SystemExit: one fails.
        """
        tests = sorted(self._seeing - {NAMELESS})
        if tests and (failing := self._copy.failing(tests, seconds + SLOWEST_RUN_SECONDS)):
            sys.exit(f"without a fault fails as well: {failing}")

    def report(self) -> None:
        for room, tried in sorted(self._tried.items()):
            print(f"{room!s:32} {tried - self._survived[room]:4} of {tried:4} seen")
        print(f"{100 * self.seen / max(1, self.tried):.1f} % of {self.tried} faults were seen")


def likelihood(seen: int, tried: int, share: float) -> float:
    """How likely it is that at most `seen` of `tried` are seen if `share` of all would be."""
    return sum(
        math.comb(tried, number) * share**number * (1 - share) ** (tried - number)
        for number in range(seen + 1)
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", default=ROOMS, metavar="PATH")
    parser.add_argument("--seconds", type=float, default=900, help="no further fault after these")
    parser.add_argument("--seed", type=int, default=1, help="the same order for the same number")
    parser.add_argument("--least", type=float, default=85, help="percent that must be seen")
    asked = parser.parse_args()
    # A shell has what it starts in the background ignore SIGINT, and tests that send it would fail.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faults = sampled(asked.paths, asked.seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        campaign = Campaign(Copy(Path(folder)))
        campaign.run(faults, asked.seconds)
        campaign.report()
        campaign.check(asked.seconds)
    if not campaign.tried:
        sys.exit("there is no such module")
    if likelihood(campaign.seen, campaign.tried, asked.least / 100) < HARDLY_EVER:
        print(f"fewer than {asked.least:g} % are seen")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
