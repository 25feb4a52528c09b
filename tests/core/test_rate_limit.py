"""How often something may happen."""

import asyncio

from patience import turns
from runcast.core.rate_limit import PAUSE_SECONDS, TokenBucket
from virtual_clock import VirtualClock

BURST = 100
RATE = 100


async def test_a_bucket_never_holds_more_than_a_burst(clock: VirtualClock) -> None:
    """However long it was quiet."""
    bucket = TokenBucket(clock, BURST, RATE)
    clock.advance(3600)
    for _ in range(BURST):
        assert bucket.available
        bucket.take()
    assert not bucket.available
    refilled = asyncio.create_task(bucket.refilled())
    await turns()
    assert not refilled.done()
    clock.advance(PAUSE_SECONDS)
    await refilled
