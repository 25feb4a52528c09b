"""Thousands of subscribers over sockets, in a process of their own."""

import multiprocessing
import re
import selectors
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from .follower import PATIENCE_SECONDS, Follower

AT_ONCE = 500
"""So many connections are opened together: a server grants strangers only so many."""
STAMP = re.compile(rb"(\d+)\\n")
"""The time at which an event was asked for, in nanoseconds: a line in the text of the output."""
SHARE = re.compile(rb'"UPDATED".*"progress":([\d.e-]+)')
"""The same in a change of a list: the progress, as a share of AGE."""
AGE = 1e17
"""In nanoseconds: older is no machine. What time it is, is a share of it to the nanosecond."""
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Operation:
    """What a subscription sends."""

    query: str
    variables: dict[str, str] = field(default_factory=dict)
    different: str | None = None
    """A variable of which each follower has a value of its own: a cursor that nobody knows."""

    def payload(self, number: int) -> dict[str, Any]:
        own = {self.different: f"old{number}:1"} if self.different else {}
        return {"query": self.query, "variables": {**self.variables, **own}}


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has arrived, and after how many milliseconds."""

    messages: int
    """Fewer than were asked for, if a server has put several into one."""
    p50: float
    p99: float


class Followers:
    """So many that send the same operation, seen from the benchmark. To be closed."""

    def __init__(self, place: str, operation: Operation, number: int) -> None:
        self._place = place
        self._line, its = multiprocessing.Pipe()
        arguments = (place, operation, number, its)
        self._process = multiprocessing.Process(target=_follow, args=arguments, daemon=True)
        self._process.start()
        self._answer()

    def subscribe(self) -> None:
        """All of them, one after the other."""
        self._ask("subscribe")

    def snapshots(self, seconds: float) -> float | None:
        """Milliseconds for all connections and then for all snapshots; None if one has none."""
        taken: float | None = self._ask(("snapshots", seconds))
        return taken

    def expect(self, lines: int) -> None:
        """From now on so many lines or changes are read, of all followers together."""
        self._line.send(("expect", lines))

    def delivery(self) -> Delivery:
        delivery: Delivery = self._answer()
        return delivery

    def close(self) -> None:
        with suppress(OSError):  # they have failed
            self._line.send("close")
        self._process.join(timeout=PATIENCE_SECONDS)

    def _ask(self, question: object) -> Any:
        self._line.send(question)
        return self._answer()

    def _answer(self) -> Any:
        if not self._line.poll(PATIENCE_SECONDS * 3):
            raise SystemExit("the followers do not answer")
        try:
            return self._line.recv()
        except EOFError:
            raise SystemExit(f"the followers of {self._place} have failed") from None


def _follow(place: str, operation: Operation, number: int, line: Connection) -> None:
    """What the process of the followers does, as it is asked."""
    begun = time.monotonic()
    followers = [one for some in _in_waves(place, number) for one in some]
    connecting = time.monotonic() - begun
    line.send("connected")
    with selectors.DefaultSelector() as selector:
        for follower in followers:
            selector.register(follower.socket, selectors.EVENT_READ, follower)
        reading = Reading(selector)
        selector.register(line, selectors.EVENT_READ)
        while True:
            if not reading.look():
                continue
            match line.recv():
                case "subscribe":
                    begun = time.monotonic()
                    for place_in_line, follower in enumerate(followers):
                        payload = operation.payload(place_in_line)
                        follower.send({"type": "subscribe", "id": "1", "payload": payload})
                    line.send("subscribed")
                case "snapshots", seconds:
                    last = reading.until_snapshots(number, seconds)
                    line.send(last and (connecting + last - begun) * 1000)
                case "expect", lines:
                    line.send(reading.until(lines))
                case "close":
                    return


def _in_waves(place: str, number: int) -> Iterator[list[Follower]]:
    for first in range(0, number, AT_ONCE):
        wave = [Follower(place) for _ in range(first, min(number, first + AT_ONCE))]
        for follower in wave:
            follower.begin()
        for follower in wave:
            follower.finish_handshake()
        for follower in wave:
            follower.wait_for_acknowledgement()
        yield wave


class Reading:
    """What arrives at the followers."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._delays: list[float] = []
        self._messages = self._snapshots = 0
        self._latest = time.monotonic()

    def look(self) -> bool:
        """Reads what is there, or waits a moment for it; whether the benchmark asks something."""
        is_asked = False
        for key, _ in self._selector.select(LOOK_SECONDS):
            if key.data is None:
                is_asked = True
                continue
            for message in key.data.read():
                self._take(message)
        return is_asked

    def until_snapshots(self, number: int, seconds: float) -> float | None:
        """When the last one arrived."""
        deadline = time.monotonic() + seconds
        while self._snapshots < number and time.monotonic() < deadline:
            self.look()
        return self._latest if self._snapshots >= number else None

    def until(self, lines: int) -> Delivery:
        """Until so many have arrived.

        Raises:
            SystemExit: none has for long.
        """
        self._latest, self._messages = time.monotonic(), 0
        while len(self._delays) < lines:
            self.look()
            if time.monotonic() - self._latest > PATIENCE_SECONDS:
                raise SystemExit(f"{len(self._delays)} of {lines} lines arrived")
        delays, self._delays = self._delays, []
        cuts = statistics.quantiles(delays, n=100) if len(delays) > 1 else delays * 99
        return Delivery(self._messages, cuts[49], cuts[98])

    def _take(self, message: bytes) -> None:
        if b'"next"' not in message:
            if b'"error"' in message or b'"complete"' in message:
                raise SystemExit(f"a subscription ended: {message[:300]!r}")
            return
        self._latest = time.monotonic()
        stamps = [int(stamp) for stamp in STAMP.findall(message)]
        stamps += [float(share) * AGE for share in SHARE.findall(message)]
        if stamps:
            now = time.monotonic_ns()
            self._delays += [(now - stamp) / 1e6 for stamp in stamps]
            self._messages += 1
        else:
            self._snapshots += 1
