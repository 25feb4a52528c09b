"""A program that says on both streams at once what is hard to pass on: `hard_text.py GATE`.

It begins when there is a file of that name.
"""

import os
import sys
import threading
import time
from pathlib import Path

HARD = "wörds €😀\r\nnul \0 and\rbar\x1b[K \udcff é\n"
"""The half surrogate stands for a byte that is no UTF-8."""
STREAMS = {
    "STDOUT": [(HARD * 20, 1), ("o" * 900_000 + "\n", 65_536), (HARD, 3), ("no end", 6)],
    "STDERR": [(HARD * 20, 1), ("é" * 450_000 + "\n", 7777), (HARD, 2), ("none", 1)],
}
"""Texts, and in how many bytes at a time they are written: characters are split."""


def text_of(stream: str) -> str:
    """What is heard of it."""
    return "".join(text for text, _ in STREAMS[stream]).replace("\udcff", "\ufffd")


def say(fd: int, stream: str) -> None:
    for text, size in STREAMS[stream]:
        data = text.encode("utf-8", "surrogateescape")
        for start in range(0, len(data), size):
            part = data[start : start + size]
            while part:
                part = part[os.write(fd, part) :]


def main(gate: Path) -> None:
    while not gate.exists():
        time.sleep(0.01)
    threads = [
        threading.Thread(target=say, args=(fd, stream)) for fd, stream in enumerate(STREAMS, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
