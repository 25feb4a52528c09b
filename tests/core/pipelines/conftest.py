"""What the tests of pipelines can ask for."""

import pytest
from runcast.core.pipelines import library, loader, reader, scanner


@pytest.fixture(autouse=True)
def patient_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything has been read when a library is entered, also on a busy machine."""
    monkeypatch.setattr(library, "START_SECONDS", 60.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long is found to do so sooner."""
    monkeypatch.setattr(reader, "OPEN_SECONDS", 1.0)
    monkeypatch.setattr(loader, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(scanner, "LOOK_SECONDS", 0.3)
    monkeypatch.setattr(library, "START_SECONDS", 0.8)
