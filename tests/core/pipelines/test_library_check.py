"""What else must be right with a pipeline that has loaded: the check of a library."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

import pytest
from patience import turns, until
from pipeline_files import ids, put
from runcast.core.pipelines import checks, folder_state, library as library_module, loader
from runcast.core.pipelines.library import PipelineLibrary
from runcast.core.pipelines.pipeline import Pipeline
from runcast.core.pipelines.problem import Problem, Severity
from virtual_clock import VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")

CALLING = "stages:\n  - {id: s, call: 'stages:run'}\n"


class Check:
    """A check that a test plays: it waits while `held` is not set, and finds what is `missing`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.missing: set[str] = set()
        self.now = self.most = self.cancelled = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, pipeline: Pipeline) -> Iterable[Problem]:
        self.asked.append(pipeline.id)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.now -= 1
        if pipeline.id not in self.missing:
            return ()
        return (Problem(pipeline.path, "stages[0].call", "there is no such function"),)


@pytest.fixture
def check(anyio_backend: str) -> Check:
    return Check()


@pytest.fixture
def soon_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check is soon found to take long."""
    monkeypatch.setattr(checks, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(loader, "PATIENCE_SECONDS", 0.2)


async def test_a_check_can_leave_a_pipeline_out(
    tmp_path: Path, check: Check, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What it has passed it is not asked again; what it has not, 10 s later, until it does."""
    put(tmp_path, "a.yaml", "a")
    put(tmp_path, "b.yaml", "b")
    check.missing = {"a"}
    async with PipelineLibrary(tmp_path, clock, check) as library:
        assert ids(library) == ["b"]
        assert [str(problem) for problem in library.problems()] == [
            f"{tmp_path}/a.yaml: stages[0].call: there is no such function"
        ]
        clock.advance(loader.RECHECK_SECONDS - 1)
        await library.settled()
        assert check.asked == ["a", "b"]
        clock.advance(1)
        await library.settled()
        assert check.asked == ["a", "b", "a"]
        assert ids(library) == ["b"]
        check.missing = set()
        clock.advance(loader.RECHECK_SECONDS)
        await library.settled()
        assert ids(library) == ["a", "b"]
        assert library.problems() == ()
        clock.advance(loader.RECHECK_SECONDS)
        await library.settled()
        assert check.asked == ["a", "b", "a", "a"]
    assert len(caplog.records) == 1


async def test_a_changed_module_is_reason_to_check_again(
    tmp_path: Path, check: Check, clock: VirtualClock
) -> None:
    """At once, if a pipeline has not passed: a new, a changed and a removed one."""
    put(tmp_path, "a.yaml", "a")
    put(tmp_path, "b.yaml", "b")
    check.missing = {"a"}
    module = tmp_path / "stages.py"
    async with PipelineLibrary(tmp_path, clock, check) as library:
        for change in (
            lambda: module.write_text("new"),
            lambda: module.write_text("changed"),
            module.unlink,
        ):
            check.asked.clear()
            change()
            await library.settled()
            await library.settled()
            assert check.asked == ["a"]
        check.missing.clear()
        module.write_text("right")
        await library.settled()
        assert ids(library) == ["a", "b"]


async def test_a_changed_file_is_checked_again(
    tmp_path: Path, check: Check, clock: VirtualClock
) -> None:
    """Whether it had passed or not."""
    put(tmp_path, "a.yaml", "good")
    put(tmp_path, "b.yaml", "bad")
    check.missing = {"bad"}
    async with PipelineLibrary(tmp_path, clock, check) as library:
        put(tmp_path, "a.yaml", "bad")
        put(tmp_path, "b.yaml", "good", "Changed")
        await library.settled()
        assert [pipeline.path.name for pipeline in library.all()] == ["b.yaml"]
        assert len(check.asked) == 4


async def test_what_has_not_passed_has_no_claim_to_its_id(
    tmp_path: Path, check: Check, clock: VirtualClock
) -> None:
    """Another file with the same id is there in its place."""
    put(tmp_path, "a.yaml", "same", "First")
    put(tmp_path, "b.yaml", "same", "Second")

    async def first_fails(pipeline: Pipeline) -> Iterable[Problem]:
        return [Problem(pipeline.path, "", "no")] if pipeline.name == "First" else []

    async with PipelineLibrary(tmp_path, clock, first_fails) as library:
        assert [pipeline.name for pipeline in library.all()] == ["Second"]
        assert [problem.message for problem in library.problems()] == ["no"]


async def test_what_has_changed_counts_once_it_is_checked(
    tmp_path: Path, check: Check, clock: VirtualClock
) -> None:
    """Until then it is as it was, and what is new is not there."""
    put(tmp_path, "a.yaml", "a", "Before")
    async with PipelineLibrary(tmp_path, clock, check) as library:
        check.go_on.clear()
        put(tmp_path, "a.yaml", "a", "After")
        put(tmp_path, "b.yaml", "b")
        settling = asyncio.create_task(library.settled())
        await until(lambda: check.now == 2)
        await turns()
        assert [pipeline.name for pipeline in library.all()] == ["Before"]
        check.go_on.set()
        await settling
        assert [pipeline.name for pipeline in library.all()] == ["After", "Title"]


async def test_a_renamed_file_is_there_while_it_is_checked(
    tmp_path: Path, check: Check, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old name counts until then."""
    monkeypatch.setattr(folder_state, "BATCH_SECONDS", 0.0)
    path = put(tmp_path, "a.yaml", "same")
    async with PipelineLibrary(tmp_path, clock, check) as library, asyncio.timeout(60):
        check.go_on.clear()
        path.rename(tmp_path / "b.yaml")
        settling = asyncio.create_task(library.settled())
        await until(lambda: check.now)
        await turns()
        assert library.get("same").path == path
        check.go_on.set()
        while not settling.done():
            assert library.get("same")
            await asyncio.sleep(0)
        assert library.get("same").path.name == "b.yaml"


@pytest.mark.usefixtures("soon_long")
async def test_a_check_that_takes_long_is_not_waited_for(
    tmp_path: Path, check: Check, clock: VirtualClock
) -> None:
    """The pipeline is there meanwhile, and is taken out if it does not pass after all."""
    for id in ("a", "b"):
        put(tmp_path, f"{id}.yaml", id)
    check.missing = {"a"}
    check.go_on.clear()
    library = PipelineLibrary(tmp_path, clock, check)
    entering = asyncio.create_task(library.__aenter__())
    await until(lambda: ids(library) == ["a", "b"])
    assert check.now == 2
    put(tmp_path, "c.yaml", "c")
    await until(lambda: ids(library) == ["a", "b", "c"])
    check.go_on.set()
    await until(lambda: ids(library) == ["b", "c"])
    await entering
    assert [problem.path.name for problem in library.problems()] == ["a.yaml"]
    await library.__aexit__(None, None, None)


@pytest.mark.usefixtures("soon_long")
async def test_a_second_check_that_takes_long_lets_nothing_in(
    tmp_path: Path, check: Check, clock: VirtualClock
) -> None:
    """What did not pass stays out until it does."""
    put(tmp_path, "a.yaml", "a")
    check.missing = {"a"}
    async with PipelineLibrary(tmp_path, clock, check) as library:
        check.go_on.clear()
        clock.advance(loader.RECHECK_SECONDS)
        settling = asyncio.create_task(library.settled())
        await until(lambda: check.now == 1)
        await asyncio.sleep(2 * checks.PATIENCE_SECONDS)
        assert ids(library) == []
        clock.advance(loader.RECHECK_SECONDS)
        put(tmp_path, "b.yaml", "b")
        await until(lambda: ids(library) == ["b"])
        assert check.asked == ["a", "a", "b"]
        check.go_on.set()
        await settling


async def test_a_check_begins_again_when_a_module_changes(
    tmp_path: Path, check: Check, clock: VirtualClock
) -> None:
    """It may have imported what was there before."""
    put(tmp_path, "a.yaml", "a")
    check.missing = {"a"}
    async with PipelineLibrary(tmp_path, clock, check) as library:
        check.go_on.clear()
        for change in ("new", "changed"):
            (tmp_path / "stages.py").write_text(change)
            asked = len(check.asked)
            await until(lambda asked=asked: len(check.asked) > asked)
        assert (check.cancelled, check.now) == (1, 1)
        check.missing = set()
        check.go_on.set()
        await library.settled()
        assert ids(library) == ["a"]


async def test_a_pipeline_that_calls_functions_is_checked_when_a_module_changes(
    tmp_path: Path, check: Check, clock: VirtualClock
) -> None:
    """One that has been found to be right as well; others have nothing to do with modules."""
    put(tmp_path, "a.yaml", "a")
    called = put(tmp_path, "b.yaml", "b")
    called.write_text(called.read_text().split("stages:")[0] + CALLING)
    async with PipelineLibrary(tmp_path, clock, check) as library:
        for change in ("new", "changed"):
            check.asked.clear()
            (tmp_path / "stages.py").write_text(change)
            await library.settled()
            assert check.asked == ["b"]
        check.missing = {"b"}
        (tmp_path / "stages.py").unlink()
        await library.settled()
        assert (ids(library), check.asked) == (["a"], ["b", "b"])


@pytest.mark.usefixtures("soon_long")
async def test_several_are_checked_at_a_time(
    tmp_path: Path, check: Check, clock: VirtualClock
) -> None:
    """Four, so that one that takes long does not hold up the others."""
    async with PipelineLibrary(tmp_path, clock, check) as library:
        check.go_on.clear()
        for number in range(9):
            put(tmp_path, f"{number}.yaml", f"p{number}")
        await until(lambda: len(library.all()) == 9)
        assert (check.now, len(check.asked)) == (4, 4)
        check.go_on.set()
        await library.settled()
        assert (check.most, len(check.asked)) == (4, 9)


@pytest.mark.usefixtures("soon_long")
@pytest.mark.parametrize("change", ["changed", "broken", "gone"])
async def test_a_check_of_what_was_is_given_up(
    tmp_path: Path, check: Check, clock: VirtualClock, change: str
) -> None:
    """When the file has changed, or is gone, its result is of no use."""
    path = put(tmp_path, "a.yaml", "a")
    async with PipelineLibrary(tmp_path, clock, check) as library:
        check.go_on.clear()
        put(tmp_path, "a.yaml", "bad")
        await until(lambda: ids(library) == ["bad"])
        if change == "gone":
            path.unlink()
        else:
            put(tmp_path, "a.yaml", "good" if change == "changed" else "not good")
        await until(lambda: check.cancelled == 1)
        check.missing = {"bad"}
        check.go_on.set()
        await library.settled()
        assert ids(library) == (["good"] if change == "changed" else [])
        assert len(library.problems()) == (change == "broken")


async def test_a_check_that_goes_wrong_leaves_nothing_out(
    tmp_path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with its traceback."""
    put(tmp_path, "a.yaml", "a")

    async def broken(pipeline: Pipeline) -> Iterable[Problem]:
        raise ZeroDivisionError

    async with PipelineLibrary(tmp_path, clock, broken) as library:
        assert ids(library) == ["a"]
    [record] = caplog.records
    assert (record.levelno, record.exc_info[0]) == (logging.ERROR, ZeroDivisionError)


@pytest.mark.usefixtures("soon_long")
async def test_a_check_that_does_not_end_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: VirtualClock
) -> None:
    """Not even one that swallows its cancel: the library closes all the same."""
    monkeypatch.setattr(checks, "END_SECONDS", 0.1)
    monkeypatch.setattr(library_module, "START_SECONDS", 0.1)
    put(tmp_path, "a.yaml", "a")
    let_go = asyncio.Event()

    async def stubborn(pipeline: Pipeline) -> Iterable[Problem]:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        return ()

    library = PipelineLibrary(tmp_path, clock, stubborn)
    entering = asyncio.create_task(library.__aenter__())
    await until(lambda: ids(library) == ["a"])
    await entering
    begun = asyncio.get_running_loop().time()
    await library.__aexit__(None, None, None)
    assert asyncio.get_running_loop().time() - begun < 1
    let_go.set()
    await turns()


async def test_a_warning_leaves_nothing_out(
    tmp_path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told beside the pipeline, logged once per change, and looked at again after 10 s."""
    path = put(tmp_path, "a.yaml", "a")
    found = ["there is no such program"]

    async def check(pipeline: Pipeline) -> Iterable[Problem]:
        return [pipeline.problem(0, "command", each, Severity.WARNING) for each in found]

    async with PipelineLibrary(tmp_path, clock, check) as library:
        told = f"{path}:3: warning: stages[0].command: there is no such program"
        for _ in range(2):
            assert ids(library) == ["a"]
            assert [str(problem) for problem in library.problems()] == [told]
            assert [record.getMessage() for record in caplog.records] == [
                f"a pipeline file may not do what is meant: {told}"
            ]
            clock.advance(loader.RECHECK_SECONDS)
            await library.settled()
        found.clear()
        clock.advance(loader.RECHECK_SECONDS)
        await library.settled()
        assert (ids(library), library.problems()) == (["a"], ())


async def test_what_a_file_says_is_a_warning(
    tmp_path: Path, clock: VirtualClock, check: Check
) -> None:
    """It is told with what the check finds, and an error of that leaves the pipeline out."""
    path = put(tmp_path, "a.yaml", "a")
    path.write_text(path.read_text().replace("[cat]", "[cat, '{{x}}']"))
    async with PipelineLibrary(tmp_path, clock, check) as library:
        assert ids(library) == ["a"]
        assert [problem.severity for problem in library.problems()] == [Severity.WARNING]
        check.missing = {"a"}
        (tmp_path / "b.yaml").write_text(path.read_text())
        path.unlink()
        await library.settled()
        assert ids(library) == []
        severities = [problem.severity for problem in library.problems()]
        assert severities == [Severity.WARNING, Severity.ERROR]
