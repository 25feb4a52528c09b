"""What not every machine has: tests that need it are skipped with the reason, or fail in CI."""

import os
from typing import TypeVar

import pytest

Found = TypeVar("Found")


def need(found: Found | None, missing: str) -> Found:
    """What was found. Without it the test is skipped, or fails if `CI` is set.

    `missing` is shown in the summary of the run: what is not there, and how to get it.
    """
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)
