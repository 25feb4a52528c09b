"""What it costs to store logs: `python benchmarks/logs.py [FOLDER]`.

Writes 200 MB through a log's writer, in pieces of 64 KiB and of 1 MiB, with the default bound and
with one that stores everything, and beside it as much from a pipe with `cat` into a file; the best
of five rounds each, in processor time and by the clock. Then the time of one line, and that of
reading a page at both ends of a long log.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from runcast.core.encoded_text import EncodedText
from runcast.core.execution.log import LogStream
from runcast.core.results.blobs import FolderBlobs
from runcast.core.results.log_bounds import MAX_BYTES
from runcast.core.results.logs import LogStore

TOTAL_BYTES = 200_000_000
ROUNDS = 5
SMALL_PIECES = 20_000
PAGE_CHARACTERS = 65_536
EVERYTHING = 1 << 30
LINE = "2026-01-01T00:00:00Z INFO worker 7 handled request 12345 in 0.0123 s\n"
ACCENTED = LINE.replace("handled", "erledigte — ✓")


def pieces(line: str, size: int) -> Iterator[EncodedText]:
    data = line.encode() * (size // len(line.encode()))
    for _ in range(TOTAL_BYTES // len(data)):
        yield EncodedText.of_bytes(data)


def write(folder: Path, line: str, size: int, max_bytes: int) -> None:
    store = LogStore(FolderBlobs(folder), max_bytes)
    with closing(store.open("exec", "stage", 1)) as writer:
        for text in pieces(line, size):
            writer.append(LogStream.STDOUT, text, 0)
    assert store.problem is None


def cat(folder: Path, source: Path) -> float:
    """From a pipe: from one file into another, `cat` has the system copy it. Its processor time."""
    with (
        (folder / "copy").open("wb") as copy,
        subprocess.Popen(["cat", source], stdout=subprocess.PIPE) as pipe,
    ):
        child = subprocess.Popen(["cat"], stdin=pipe.stdout, stdout=copy)
        _, child.returncode, usage = os.wait4(child.pid, 0)
        return usage.ru_utime + usage.ru_stime


def best(parent: Path, work: Callable[[Path], float | None]) -> tuple[float, float]:
    """Seconds of processor time (what `work` returns, or its own) and by the clock."""
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=parent) as name:
            begun, used = time.perf_counter(), time.process_time()
            of_child = work(Path(name))
            used = of_child or time.process_time() - used
            rounds.append((used, time.perf_counter() - begun))
    return min(used for used, _ in rounds), min(taken for _, taken in rounds)


def bulk(parent: Path) -> None:
    source = parent / "source"
    source.write_bytes(LINE.encode() * (TOTAL_BYTES // len(LINE)))
    beside = best(parent, lambda folder: cat(folder, source))
    show("cat from a pipe into a file", beside, beside)
    for words, line in (("ASCII", LINE), ("accented", ACCENTED)):
        for size in (64 << 10, 1 << 20):
            for stored, most in (("64 MiB stored", MAX_BYTES), ("all stored", EVERYTHING)):
                times = best(parent, lambda folder: write(folder, line, size, most))  # noqa: B023
                show(f"{words}, pieces of {size >> 10} KiB, {stored}", times, beside)
    source.unlink()


def show(what: str, times: tuple[float, float], beside: tuple[float, float]) -> None:
    used, taken = (
        f"{each * 1000:5.0f} ms ({each / of:5.2f})" for each, of in zip(times, beside, strict=True)
    )
    print(f"{what:<42} processor {used}  clock {taken}")


def small(parent: Path) -> None:
    with tempfile.TemporaryDirectory(dir=parent) as name:
        writer = LogStore(FolderBlobs(Path(name))).open("exec", "stage", 1)
        begun = time.perf_counter()
        for _ in range(SMALL_PIECES):
            writer.append(LogStream.STDERR, EncodedText.of(LINE), 0)
        seconds = time.perf_counter() - begun
        writer.close()
    print(f"one line: {seconds / SMALL_PIECES * 1e6:.1f} µs")


def pages(parent: Path) -> None:
    with tempfile.TemporaryDirectory(dir=parent) as name:
        for words, size in (("of lines", len(LINE)), ("of 64 KiB pieces", 64 << 10)):
            write(Path(name) / words, LINE, size, MAX_BYTES)
            store = LogStore(FolderBlobs(Path(name) / words))
            total = store.read("exec", "stage", 1, 0, 0).total
            for place, offset in (("beginning", 0), ("end", total - PAGE_CHARACTERS)):
                begun = time.perf_counter()
                store.read("exec", "stage", 1, offset, PAGE_CHARACTERS)
                ms = (time.perf_counter() - begun) * 1000
                print(f"a page of 64 Ki characters, at the {place} of a log {words}: {ms:.1f} ms")


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        bulk(Path(name))
        small(Path(name))
        pages(Path(name))


if __name__ == "__main__":
    main()
