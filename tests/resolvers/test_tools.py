"""Which commands that reach a language model are at hand, with real commands on a PATH."""

import asyncio
import os
from pathlib import Path

import pytest
from commands_on_a_path import a_tool
from runcast.core.clock import SystemClock
from runcast.resolvers import tools
from runcast.resolvers.tools import CliTools
from virtual_clock import VirtualClock

KEY = "sk-ant-very-secret"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take its time to start a command."""
    monkeypatch.setattr(tools, "ANSWER_SECONDS", 30.0)


async def states(folder: Path, **environ: str) -> dict[str, tools.ToolState]:
    asked = CliTools({"PATH": str(folder), **environ}, SystemClock())
    return dict(await asked.states())


async def test_a_tool_does_not_see_the_keys(tmp_path: Path) -> None:
    """It gets PATH and HOME, and no secrets of the server."""
    a_tool(tmp_path, "claude", "print(sorted(os.environ.keys() - {'LC_CTYPE'}))")
    found = await states(tmp_path, ANTHROPIC_API_KEY=KEY, HOME="/nowhere")
    assert found["claude"].version == "['HOME', 'PATH']"


async def test_a_tool_that_hangs_is_given_up_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With everything that it has started; the others answer."""
    monkeypatch.setattr(tools, "ANSWER_SECONDS", 2.0)
    pids = tmp_path / "pids"
    hangs = a_tool(tmp_path, "claude")
    hangs.write_text(f"#!/bin/sh\n/bin/sleep 600 &\necho $$ $! > {pids}\nwait\n")
    found = await states(tmp_path)
    assert not found["claude"].available
    assert "within 2 s" in (found["claude"].error or "")
    for pid in pids.read_text().split():
        assert _is_gone(int(pid))


def _is_gone(pid: int) -> bool:
    """Ended, whether or not whoever inherited it has buried it."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


async def test_a_tool_that_floods_is_heard_no_further_than_its_first_line(tmp_path: Path) -> None:
    """Ten megabytes, of which 200 characters are kept."""
    a_tool(tmp_path, "claude", "sys.stdout.write('x' * 10_000_000)")
    assert (await states(tmp_path))["claude"].version == "x" * 200


async def test_what_cannot_be_started_is_not_available(tmp_path: Path) -> None:
    """A program of no kind that the system knows."""
    path = a_tool(tmp_path, "claude")
    path.write_bytes(b"#!/nowhere/at/all\n")
    found = await states(tmp_path)
    assert not found["claude"].available
    assert "cannot be started" in (found["claude"].error or "")


async def test_many_requests_start_each_tool_once(tmp_path: Path) -> None:
    """At the same time and shortly after one another; later they are asked again."""
    calls = tmp_path / "calls"
    a_tool(tmp_path, "claude", f"open({str(calls)!r}, 'a').write('x')", "print('1')")
    clock = VirtualClock()
    asked = CliTools({"PATH": str(tmp_path)}, clock)
    await asyncio.gather(*(asked.states() for _ in range(20)))
    clock.advance(9.5)
    await asked.states()
    assert calls.read_text() == "x"
    clock.advance(1)
    await asked.states()
    assert calls.read_text() == "xx"


async def test_the_tools_are_asked_at_the_same_time(tmp_path: Path) -> None:
    """Each of them waits for the other two to be there."""
    meeting = [
        f"open({str(tmp_path)!r} + '/here-' + str(os.getpid()), 'w')",
        f"while sum(n.startswith('here-') for n in os.listdir({str(tmp_path)!r})) < 3:",
        "    time.sleep(0.01)",
        "print('met')",
    ]
    for name in ("claude", "opencode", "aider"):
        a_tool(tmp_path / "bin", name, *meeting)
    found = await states(tmp_path / "bin", HOME=os.environ.get("HOME", "/"))
    assert [state.version for state in found.values()] == ["met", "met", "met"]
