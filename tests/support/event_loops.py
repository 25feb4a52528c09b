"""The event loops that the server may run on."""

import pytest

ASYNCIO, UVLOOP = ("asyncio", {"use_uvloop": False}), ("asyncio", {"use_uvloop": True})
EVENT_LOOPS = [pytest.param(ASYNCIO, id="asyncio"), pytest.param(UVLOOP, id="uvloop")]
UVLOOP_FIRST = [
    pytest.param(UVLOOP, id="uvloop"),
    pytest.param(ASYNCIO, id="asyncio", marks=pytest.mark.campaign),
]
"""For tests of what stands on processes that are tried on either loop every day."""
