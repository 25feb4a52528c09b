"""The server's log, for which nobody waits."""

import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deadlines import eventually
from runcast.server.log import LogQueue
from server_process import ServerProcess

MANY = 5000
WORDS = "words " * 30


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def queue(pipe: tuple[int, int]) -> Iterator[LogQueue]:
    queue = LogQueue(pipe[1])
    yield queue
    os.set_blocking(pipe[0], False)
    eventually(lambda: not drained(pipe[0]) and queue.queue.empty())
    queue.end()


def drained(end: int) -> bytes:
    try:
        return os.read(end, 1 << 20)
    except BlockingIOError:
        return b""


def record(message: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "tests", "levelno": level, "msg": message})


def test_a_log_that_nobody_reads_holds_up_nobody(pipe: tuple[int, int], queue: LogQueue) -> None:
    """What is said meanwhile is counted, and how much it was is said once somebody reads."""
    for number in range(MANY):
        queue.handle(record(f"{number} {WORDS}"))
    os.set_blocking(pipe[0], False)
    read = bytearray()

    def told() -> bool:
        read.extend(drained(pipe[0]))
        return b"lines of the log are missing here" in read

    eventually(told)
    eventually(lambda: not read.extend(drained(pipe[0])) and queue.queue.empty())
    read.extend(drained(pipe[0]))
    lines = read.decode().splitlines()
    missing = sum(int(line.split(": ")[1].split()[0]) for line in lines if "missing" in line)
    assert sum(WORDS.strip() in line for line in lines) + missing == MANY


def test_a_line_has_all_that_belongs_to_it(pipe: tuple[int, int], queue: LogQueue) -> None:
    """Arguments, a traceback, and characters that UTF-8 has not."""
    try:
        raise ValueError("half \ud83d")
    except ValueError as error:
        said = logging.LogRecord("a.b", logging.ERROR, "", 0, "%s of %d", ("one", 2), None)
        said.exc_info = (type(error), error, error.__traceback__)
    queue.handle(said)
    text = eventually(lambda: os.read(pipe[0], 1 << 16)).decode()
    assert "ERROR a.b: one of 2\nTraceback" in text
    assert text.endswith("ValueError: half \\ud83d\n")


def test_who_has_gone_holds_up_no_end() -> None:
    """A log that is closed, and one that is stuck."""
    read_end, write_end = os.pipe()
    stuck = LogQueue(write_end)
    for number in range(MANY):
        stuck.handle(record(f"{number} {WORDS}"))
    stuck.end()
    os.close(read_end)
    gone = LogQueue(write_end)
    gone.handle(record("to nobody"))
    gone.end()
    assert not gone._thread.is_alive()
    eventually(lambda: not stuck._thread.is_alive() or stuck.queue.empty())
    os.close(write_end)


def test_a_server_whose_log_is_not_read(
    serve: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    """It answers, it runs, and it ends."""
    fifo = tmp_path / "log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server = serve(within=("sh", "-c", f'exec "$@" 2> {fifo}', "sh"))
    for _ in range(1500):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"\0\r\n\r\n")
            client.recv(1)
    assert server.client.get("/healthz").status_code == 200
    answer = server.client.post("/api/pipelines/echo/run", json={"input": "x"})
    assert answer.status_code == 200
    assert len(os.read(reader, 1 << 20)) > 60_000, "the pipe was full"
    server.process.terminate()
    assert server.process.wait(10) == -signal.SIGTERM
    os.close(reader)
