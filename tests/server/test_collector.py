"""Full collections look at what is new; what was frozen too early goes as well."""

import asyncio
import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest
from runcast.server.collector import Collector


class Link:
    """An object that can be in a cycle."""

    def __init__(self) -> None:
        self.other = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """The collector is as it was, whatever happens in the test."""
    before = gc.get_threshold(), list(gc.callbacks)
    yield
    assert before == (gc.get_threshold(), list(gc.callbacks))
    assert gc.get_freeze_count() == 0


async def test_what_is_there_already_is_not_looked_at() -> None:
    """Neither what was there at the start nor what an earlier collection has left."""
    with Collector():
        assert gc.isenabled()
        links = [Link() for _ in range(50_000)]
        assert len(gc.get_objects()) > 50_000
        gc.collect()
        assert len(gc.get_objects()) < 5_000
        assert gc.get_freeze_count() > len(links)


async def test_cycles_that_come_later_are_found() -> None:
    """At the next collection, as ever."""
    with Collector():
        link = Link()
        ghost = weakref.ref(link)
        del link
        gc.collect()
        assert ghost() is None


async def test_no_object_is_taken_hold_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tuple that another thread is still making must have one reference: it would fail with a
    SystemError if a collection came upon it, and listed all objects."""

    def lists(*_: object, **__: object) -> list[object]:
        raise AssertionError("all objects are listed")

    monkeypatch.setattr(gc, "get_objects", lists)
    monkeypatch.setattr(sys, "unraisablehook", lambda hooked: failed.append(hooked.exc_value))
    failed: list[object] = []
    with Collector(fewest=1):
        for _ in range(3):
            gc.collect()
            await asyncio.sleep(0)
    assert failed == []


FROZEN = """
import asyncio, gc, weakref
from runcast.server.collector import Collector

class Link:
    def __init__(self):
        self.other = self

async def main():
    gc.collect()
    with Collector(fewest=len(gc.get_objects())):
        link = Link()
        gc.collect()
        ghost = weakref.ref(link)
        del link
        gc.collect()
        assert ghost() is not None
        more = [Link() for _ in range(3 * gc.get_freeze_count())]
        gc.collect()
        await asyncio.sleep(0)
        assert ghost() is None
        assert more

asyncio.run(main())
"""


def test_cycles_that_were_frozen_are_found_when_there_is_half_as_much_again() -> None:
    """Until then they take at most half as much memory. In a process that has little yet."""
    subprocess.run([sys.executable, "-c", FROZEN], check=True, timeout=60)
