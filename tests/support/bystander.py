"""Somebody who asks a server how it is, again and again, while something else goes on."""

import threading
import time
from typing import Self

import httpx

PAUSE_SECONDS = 0.02


class Bystander:
    """A context; `waits` are the seconds that each answer of `/healthz` has taken.

    On a connection of its own, opened anew for each question, as a load balancer does it.
    """

    def __init__(self, url: str) -> None:
        self._url = f"{url}/healthz"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._asking)
        self.waits: list[float] = []
        self.refused: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _asking(self) -> None:
        once = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(limits=once, timeout=30, trust_env=False, verify=False) as client:
            self._ask_with(client)

    def _ask_with(self, client: httpx.Client) -> None:
        while not self._done.wait(PAUSE_SECONDS):
            begun = time.monotonic()
            answer = client.get(self._url)
            self.waits.append(time.monotonic() - begun)
            if answer.status_code != 200:
                self.refused.append(answer.text)
