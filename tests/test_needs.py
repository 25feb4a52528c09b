"""What a machine lacks is said, and never passes for tested."""

import pytest
from needs import need

MISSING = "no such thing: apt-get install it"


def test_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is handed on, in CI as elsewhere."""
    for ci in ("", "true"):
        monkeypatch.setenv("CI", ci)
        assert need("/usr/bin/it", MISSING) == "/usr/bin/it"


@pytest.mark.parametrize("nothing", [None, [], ""], ids=repr)
def test_what_is_missing(monkeypatch: pytest.MonkeyPatch, nothing: object) -> None:
    """The test is skipped, and the summary says why."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=MISSING):
        need(nothing, MISSING)


def test_what_is_missing_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """There it is a failure: nothing may go untested without anybody noticing."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=MISSING):
        need(None, MISSING)
