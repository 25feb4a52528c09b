"""What the tests of pipelines can ask for."""

import pytest
from runcast.core.pipelines import library


@pytest.fixture(autouse=True)
def patient_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything has been read when a library is entered, also on a busy machine."""
    monkeypatch.setattr(library, "START_SECONDS", 60.0)
