"""One execution, while it runs and after its end."""

from collections.abc import Callable

from deadlines import eventually
from doors import Door

Start = Callable[..., str]
Detail = dict[str, object]


def once(door: Door, id: str, fact: Callable[[Detail], object]) -> Detail:
    """The execution as soon as the fact holds for it."""

    def look() -> Detail | None:
        detail = door.detail(id)
        assert detail is not None
        return detail if fact(detail) else None

    return eventually(look)


def ended(detail: Detail) -> bool:
    return detail["status"] != "running"


def stages(detail: Detail, key: str) -> list[object]:
    listed = detail["stages"]
    assert isinstance(listed, list)
    return [stage.get(key) for stage in listed]


def test_while_running(door: Door, start: Start) -> None:
    """While a stage runs it says so, with the output so far; the one behind it is pending."""
    id = start("waiting", "  watched  ")
    detail = once(door, id, lambda detail: "begun\n" in stages(detail, "output"))
    assert detail["status"] == "running"
    assert detail["input"] == "watched"
    assert (detail["currentStage"], detail["totalStages"]) == (1, 2)
    assert stages(detail, "status") == ["running", "pending"]
    assert stages(detail, "output") == ["begun\n", None]


def test_after_success(door: Door, start: Start) -> None:
    """After the end each stage shows what it came to, in the order of the pipeline."""
    detail = once(door, start("several-v1", "some text"), ended)
    assert detail["status"] == "completed"
    assert detail["currentStage"] == 3
    assert stages(detail, "id") == ["read", "shout", "measure"]
    assert stages(detail, "name") == ["Read", "Shout", "Measure"]
    assert stages(detail, "type") == ["command", "python", "python"]
    assert stages(detail, "status") == ["completed"] * 3
    assert stages(detail, "output")[:2] == ["some text", "SOME TEXT"]


def test_after_failure(door: Door, start: Start) -> None:
    """A failed stage says why; the stages behind it were not reached."""
    detail = once(door, start("failing", "rubbish"), ended)
    assert detail["status"] == "failed"
    assert detail["currentStage"] == 2
    assert stages(detail, "status") == ["completed", "failed", "pending"]
    assert "cannot make sense of rubbish" in str(stages(detail, "error")[1])


def test_after_cancel(door: Door, start: Start) -> None:
    """After a cancel the interrupted stage is final, what comes behind it was not reached."""
    id = start("waiting")
    once(door, id, lambda detail: detail["currentStage"] == 1)
    door.cancel(id)
    detail = once(door, id, lambda detail: stages(detail, "status")[0] != "running")
    assert detail["status"] == "cancelled"
    assert stages(detail, "status")[0] in ("failed", "cancelled")
    assert stages(detail, "status")[1] == "pending"


def test_unknown(door: Door) -> None:
    """There is nothing to be seen of an id that never was."""
    assert door.detail("exec_1_abcdef") is None
