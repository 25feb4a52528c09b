"""Waiting for a fact, with a deadline and never for luck."""

import asyncio
from collections.abc import Callable

DEADLINE_SECONDS = 30.0


async def until(fact: Callable[[], object]) -> None:
    """Returns as soon as the fact holds; a TimeoutError if it does not within 30 s."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not fact():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def turns(number: int = 10) -> None:
    """Lets everything run that can run without time passing or anything coming from outside."""
    for _ in range(number):
        await asyncio.sleep(0)
