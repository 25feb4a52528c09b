"""Command stages, run as real processes."""

import asyncio
import os
import resource
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import orjson
import psutil
import pytest
from event_loops import EVENT_LOOPS
from loop_lag import LoopLag
from memory_stores import BytesSpool, HeardLog, MemoryStores
from patience import until
from runcast.core.execution.log import LogStream
from runcast.core.running.stages import Stop
from runcast.core.running.stages.command import CommandRunner
from stage_attempts import Emitted, command_call, failure, left_of, shell_call

MEGABYTE = 1 << 20

pytestmark = pytest.mark.usefixtures("leaves_no_task")


@pytest.fixture(scope="module", params=EVENT_LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Both loops treat children and their pipes in their own way."""
    return request.param


@pytest.fixture
def runner() -> CommandRunner:
    return CommandRunner()


async def test_the_input_comes_in_and_the_output_goes_out(runner: CommandRunner) -> None:
    """A megabyte through `cat` comes back as it was, as the value and as what was emitted."""
    emitted, text = Emitted(), "0123456789abcdé\n" * (MEGABYTE // 17) + "end"
    result = await runner.run(command_call("cat", input=text, emit=emitted))
    assert result.value == text
    assert emitted.text == text


async def test_an_input_that_is_not_read_hurts_nobody(runner: CommandRunner) -> None:
    """`true` ends without having looked at its megabyte."""
    result = await runner.run(command_call("true", input="x" * MEGABYTE))
    assert result.value == ""


async def test_an_input_that_is_not_text_comes_as_json(runner: CommandRunner) -> None:
    """In UTF-8, on one line."""
    given = {"name": "é", "list": [1, 2.5, None, True]}
    result = await runner.run(command_call("cat", input=given))
    assert isinstance(result.value, str)
    assert orjson.loads(result.value) == given


async def test_the_output_is_seen_while_the_child_runs(
    runner: CommandRunner, tmp_path: Path
) -> None:
    """The first line is emitted while the child still waits for the test to go on."""
    emitted, script = Emitted(), "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two"
    run = asyncio.create_task(runner.run(shell_call(script, folder=tmp_path, emit=emitted)))
    await until(lambda: emitted.text == "one\n")
    assert not run.done()
    (tmp_path / "go").touch()
    assert (await run).value == "one\ntwo"
    assert emitted.text == "one\ntwo\n"


async def test_the_value_has_no_newlines_at_its_end(runner: CommandRunner) -> None:
    """As a shell's `$(…)` has it; spaces and the newlines before stay."""
    result = await runner.run(command_call("printf", r"\n a\n b \n\n\n"))
    assert result.value == "\n a\n b "


async def test_a_character_may_come_in_two_writes(runner: CommandRunner, tmp_path: Path) -> None:
    """The first half of an é is held back until the second half is there."""
    emitted = Emitted()
    script = r"printf 'a\303'; while [ ! -e go ]; do sleep 0.02; done; printf '\251b'"
    run = asyncio.create_task(runner.run(shell_call(script, folder=tmp_path, emit=emitted)))
    await until(lambda: emitted.text == "a")
    (tmp_path / "go").touch()
    assert (await run).value == "aéb"
    assert emitted.text == "aéb"


@pytest.mark.parametrize("bytes_", [r"a\377b", r"a\303"])
async def test_bytes_that_are_no_text_are_replaced(runner: CommandRunner, bytes_: str) -> None:
    """Also where the output ends in the middle of a character."""
    emitted = Emitted()
    result = await runner.run(command_call("printf", bytes_, emit=emitted))
    assert result.value == emitted.text == "a\ufffd" + bytes_[5:]


@pytest.mark.parametrize("text", ["é" * 10, "x" * 20, "x" * 19 + r"\n"])
async def test_a_value_may_be_as_large_as_its_limit(runner: CommandRunner, text: str) -> None:
    """To the byte, the newline at its end included; nothing is cut."""
    call = command_call("printf", text, max_output_bytes=20)
    assert (await runner.run(call)).value == text.removesuffix(r"\n")


@pytest.mark.parametrize(
    "script",
    [
        *("printf '%021d' 0", "printf 'éééééééééé!'", "printf '%020d\\n' 0"),
        *("yes", "yes & sleep 600", "yes | head -c 200000000"),
        *("printf '%021d' 0; exit 3", "printf '%021d' 0; trap '' TERM; sleep 600"),
    ],
)
async def test_a_value_over_its_limit_ends_the_child_at_once(
    runner: CommandRunner, script: str
) -> None:
    """With all that it has started, and without a grace period: there is nothing to hand on."""
    emitted = Emitted()
    call = shell_call(script, max_output_bytes=20, emit=emitted, stop=Stop(grace=600))
    async with asyncio.timeout(30):
        error = await failure(runner, call)
    assert (error.type, error.retryable) == ("OutputTooLarge", False)
    assert error.message == (
        "the value of stage shell has more than 20 bytes: raise maxOutputBytes in the pipeline "
        "file, or write it to a file in RUNCAST_WORKDIR"
    )
    assert len(emitted.text.encode()) > 20, "it is in the log all the same"
    assert not left_of(call.execution_id)


async def test_a_value_that_cannot_be_stored_ends_the_child_at_once(runner: CommandRunner) -> None:
    """The stage fails with what the disk says, and another attempt may help."""
    full = OSError(28, "No space left on device")
    call = shell_call("echo one; sleep 600", stores=FaultyStores(full), stop=Stop(grace=600))
    async with asyncio.timeout(30):
        with pytest.raises(OSError, match="No space left on device"):
            await runner.run(call)
    assert not left_of(call.execution_id)


async def test_a_flood_costs_neither_memory_nor_time(runner: CommandRunner) -> None:
    """200 MB on stderr are no value; the event loop is as quick as ever meanwhile."""
    log, before = CountedLog(), _most_memory()
    async with LoopLag() as lag:
        call = shell_call("yes | head -c 200000000 >&2; echo done", log=log)
        result = await runner.run(call)
    assert (result.value, log.counts[LogStream.STDERR]) == ("done", 200_000_000)
    assert lag.typical < 0.1
    assert _most_memory() - before < 50 * MEGABYTE


async def test_yes_goes_on_until_it_is_cancelled(runner: CommandRunner) -> None:
    """A flood without an end is stopped like everything else, and the loop stays quick."""
    call = shell_call("exec yes >&2", log=CountedLog())
    async with LoopLag() as lag:
        run = asyncio.create_task(runner.run(call))
        await until(lambda: lag.ticks > 100)
        await _cancelled(run)
    assert lag.typical < 0.1
    assert not left_of(call.execution_id)


async def test_both_streams_are_heard_while_the_child_runs(
    runner: CommandRunner, tmp_path: Path
) -> None:
    """Stderr is no part of the value, and need not wait for a failure to be seen."""
    log = HeardLog()
    script = "echo warning >&2; while [ ! -e go ]; do sleep 0.02; done; echo value; echo end >&2"
    run = asyncio.create_task(runner.run(shell_call(script, folder=tmp_path, log=log)))
    await until(lambda: log.stderr == "warning\n")
    assert not run.done()
    (tmp_path / "go").touch()
    assert (await run).value == "value"
    assert log.stderr == "warning\nend\n"


async def test_a_stream_can_be_opened_by_its_name(runner: CommandRunner) -> None:
    """As programs do that take the name of a log file: `/dev/stdout` of a socket would be none."""
    script = "echo out > /dev/stdout; echo err > /dev/stderr; echo again > /proc/self/fd/1"
    log = HeardLog()
    assert (await runner.run(shell_call(script, log=log))).value == "out\nagain"
    assert log.stderr == "err\n"


async def test_nobody_elses_descriptor_is_closed(runner: CommandRunner) -> None:
    """A number that is closed twice may be a file of another thread by the second time."""
    over, faults = threading.Event(), list[OSError]()

    def opens_and_closes() -> None:
        while not over.is_set():
            descriptors = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
            for descriptor in descriptors:
                try:
                    os.close(descriptor)
                except OSError as error:
                    faults.append(error)

    threads = [threading.Thread(target=opens_and_closes) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            await asyncio.gather(*(runner.run(command_call("true")) for _ in range(10)))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not faults


async def test_an_exit_status_fails_with_the_end_of_stderr(runner: CommandRunner) -> None:
    """The status, and what the child said last; another attempt may help."""
    error = await failure(
        runner, command_call("sh", "-c", "echo out; echo 'no such thing' >&2; exit 3")
    )
    assert (error.type, error.message) == ("ExitStatus", "exit status 3: no such thing")
    assert error.retryable


async def test_of_a_long_complaint_the_end_is_told(runner: CommandRunner) -> None:
    """300 kB on stderr become a message of about 4 KiB."""
    script = "yes complaint | head -c 300000 >&2; echo the end >&2; exit 1"
    error = await failure(runner, command_call("sh", "-c", script))
    assert error.message.startswith("exit status 1: ")
    assert error.message.endswith("complaint\nthe end")
    assert 4000 < len(error.message) < 4200


async def test_a_signal_has_its_name(runner: CommandRunner) -> None:
    """The message names the signal, not only its number."""
    error = await failure(runner, command_call("sh", "-c", "kill -SEGV $$"))
    assert (error.type, error.message) == ("ExitStatus", "ended by SIGSEGV")


async def test_what_cannot_be_started_is_not_tried_again(
    runner: CommandRunner, tmp_path: Path
) -> None:
    """A program that is missing, or may not be executed, or whose name cannot be one."""
    (tmp_path / "plain").write_text("no program")
    for program in ("no-such-program", "./plain", str(tmp_path), "x" * 5000):
        error = await failure(runner, command_call(program, folder=tmp_path))
        assert error.type == "CannotStart"
        assert error.message.startswith(f"{program} cannot be started: ")
        assert not error.retryable


async def test_a_missing_folder_is_not_tried_again(runner: CommandRunner, tmp_path: Path) -> None:
    """The message names the folder, where the system would blame the program."""
    error = await failure(runner, command_call("true", folder=tmp_path, cwd=Path("nowhere")))
    assert (error.type, error.retryable) == ("NoSuchFolder", False)
    assert str(tmp_path / "nowhere") in error.message


async def test_it_runs_in_the_folder_of_its_pipeline(runner: CommandRunner, tmp_path: Path) -> None:
    """`cwd` is seen from there; a program may be named from there as well."""
    (tmp_path / "below").mkdir()
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\npwd -P\n")
    script.chmod(0o755)
    here = await runner.run(command_call("./script", folder=tmp_path))
    below = await runner.run(command_call("../script", folder=tmp_path, cwd=Path("below")))
    assert (here.value, below.value) == (str(tmp_path), str(tmp_path / "below"))


async def test_the_environment_is_an_allow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of the server is not visible; what the stage asks for and what says who it is, are."""
    monkeypatch.setenv("A_SECRET_KEY", "secret")
    monkeypatch.setenv("WANTED", "taken over")
    monkeypatch.setenv("LC_TIME", "C")
    asked = ("WANTED", "SET=to=this", "EMPTY=", "NOT_THERE")
    call = command_call("env", env=asked)
    result = await CommandRunner().run(call)
    seen = dict(line.split("=", 1) for line in str(result.value).splitlines())
    assert "A_SECRET_KEY" not in seen
    assert "NOT_THERE" not in seen
    assert seen["PATH"] == os.environ["PATH"]
    assert (seen["WANTED"], seen["SET"], seen["EMPTY"]) == ("taken over", "to=this", "")
    assert seen["LC_TIME"] == "C"
    assert seen["RUNCAST_EXECUTION_ID"] == call.execution_id
    assert (seen["RUNCAST_STAGE_ID"], seen["RUNCAST_ATTEMPT"]) == ("shell", "1")
    assert seen["RUNCAST_PIPELINE_DIR"] == str(call.folder)
    assert seen["RUNCAST_WORKDIR"] == str(call.workdir)


async def test_an_execution_has_a_folder_of_its_own(runner: CommandRunner, tmp_path: Path) -> None:
    """It is there when the command begins; what is in it is seen by the stages that follow."""
    first = shell_call('echo one > "$RUNCAST_WORKDIR/data.txt"; pwd -P', folder=tmp_path)
    assert (await runner.run(first)).value == str(tmp_path), "the command runs where it always did"
    there = replace(
        shell_call("pwd -P; cat data.txt", cwd=Path("workdir")), execution_id=first.execution_id
    )
    where, text = str((await runner.run(there)).value).splitlines()
    assert (Path(where), text) == (first.workdir.resolve(), "one")
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


async def test_workdir_is_a_word_and_no_folder_beside_the_file(
    runner: CommandRunner, tmp_path: Path
) -> None:
    """A folder of that name is meant by `./workdir`."""
    (tmp_path / "workdir").mkdir()
    call = shell_call("pwd -P", folder=tmp_path, cwd=Path("workdir"))
    assert Path(str((await runner.run(call)).value)) == call.workdir.resolve()


async def test_two_executions_do_not_meet(runner: CommandRunner, tmp_path: Path) -> None:
    """Although each of them writes data.txt, and goes on when the other one has written it, too."""
    script = """
        echo "$RUNCAST_EXECUTION_ID" > "$RUNCAST_WORKDIR/data.txt"
        touch "$RUNCAST_EXECUTION_ID"
        while [ "$(ls | wc -l)" -lt 2 ]; do sleep 0.02; done
        cat "$RUNCAST_WORKDIR/data.txt"
    """
    calls = [shell_call(script, folder=tmp_path) for _ in range(2)]
    results = await asyncio.gather(*(runner.run(call) for call in calls))
    assert [result.value for result in results] == [call.execution_id for call in calls]


async def test_a_stage_cannot_pretend_to_be_another(runner: CommandRunner) -> None:
    """What says who it is, and where, is not the pipeline file's business."""
    names = ("EXECUTION_ID", "STAGE_ID", "ATTEMPT", "WORKDIR", "PIPELINE_DIR")
    env = tuple(f"RUNCAST_{name}=forged" for name in names)
    result = await runner.run(shell_call("env", env=env))
    assert "forged" not in str(result.value)


async def test_a_stage_that_leaves_something_behind_ends_soon(runner: CommandRunner) -> None:
    """`sleep 600 &` holds stdout open; the stage completes without it, and ends it."""
    call = shell_call("sleep 600 & echo hi")
    async with asyncio.timeout(30):
        assert (await runner.run(call)).value == "hi"
    assert not left_of(call.execution_id)


async def test_a_cancelled_stage_leaves_no_process(runner: CommandRunner) -> None:
    """Neither the shell nor what it has started, in the background or not."""
    call = shell_call("sleep 600 & sleep 600")
    run = asyncio.create_task(runner.run(call))
    await until(lambda: len(left_of(call.execution_id)) == 3)
    await _cancelled(run)
    assert not left_of(call.execution_id)


async def test_a_cancel_waits_for_the_grace_period_of_its_stop(runner: CommandRunner) -> None:
    """A child that ignores TERM is killed after `grace` seconds, and only then it is over."""
    emitted = Emitted()
    call = shell_call("trap '' TERM; echo on; sleep 600", emit=emitted, stop=Stop(grace=0.5))
    run = asyncio.create_task(runner.run(call))
    await until(lambda: emitted.text)
    begin = asyncio.get_running_loop().time()
    await _cancelled(run)
    assert 0.5 <= asyncio.get_running_loop().time() - begin < 30
    assert not left_of(call.execution_id)


@pytest.mark.parametrize("seconds", [0, 0.001, 0.003, 0.009, 0.027])
async def test_a_cancel_may_come_at_any_moment(runner: CommandRunner, seconds: float) -> None:
    """Also while the input is written or the child is being started: no child is left."""
    before = set(psutil.Process().children())
    # A shell that gets TERM between a fork and the exec may lose it: hence a short grace period.
    call = shell_call("sleep 600 & sleep 600", input="x" * 100_000, stop=Stop(grace=0.5))
    run = asyncio.create_task(runner.run(call))
    await asyncio.sleep(seconds)
    await _cancelled(run)
    assert set(psutil.Process().children()) <= before


async def _cancelled(run: "asyncio.Task[object]") -> None:
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


class CountedLog(HeardLog):
    """How many characters each stream has said, and nothing else of them."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counter[LogStream]()

    def write(self, stream: LogStream, text: str) -> None:
        self.counts[stream] += len(text)


class FaultyStores(MemoryStores):
    """Takes no value."""

    def __init__(self, fault: OSError) -> None:
        super().__init__()
        self._fault = fault

    def spool(self, execution_id: str, stage_id: str, attempt: int, limit: int) -> BytesSpool:
        return BytesSpool(limit, self._fault)


def _most_memory() -> int:
    """The most that this process has ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
