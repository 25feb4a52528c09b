"""A group of processes: signalled until it is empty, and never again."""

import os
import signal
import subprocess

import pytest
from deadlines import eventually
from runcast.core.running.stages.group import ProcessGroup


def leader(script: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sh", "-c", script], start_new_session=True)


def test_it_runs_as_long_as_anything_of_it_does() -> None:
    """Its leader may have gone long before."""
    with leader("sleep 600 &") as process:
        group = ProcessGroup(process.pid)
        assert group.runs(leader=True)
        process.wait()
        assert group.runs(leader=False)
        group.signal(signal.SIGKILL)
        eventually(lambda: not group.runs(leader=False))


def test_an_empty_group_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be that of somebody else's group by now."""
    with leader("true") as process:
        group = ProcessGroup(process.pid)
        process.wait()
    eventually(lambda: not group.runs(leader=False))
    signalled: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "killpg", lambda *asked: signalled.append(asked))
    group.signal(signal.SIGKILL)
    assert not group.runs(leader=False)
    assert not signalled


def test_a_group_whose_leader_is_not_reaped_is_not_empty() -> None:
    """Its number cannot be anybody else's until then, and it can be signalled."""
    with leader("exec sleep 600") as process:
        group = ProcessGroup(process.pid)
        group.signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert group.runs(leader=True)
        process.wait()
        assert not group.runs(leader=False)
