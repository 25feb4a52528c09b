"""What the acceptance tests can ask for."""

from random import Random

import pytest


@pytest.fixture
def chance() -> Random:
    """A source of random moments; its seed is printed if the test fails."""
    seed = Random().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    return Random(seed)
