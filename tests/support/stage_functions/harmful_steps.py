"""Functions that harm the process or the event loop that they run in, by the name of the way."""

import asyncio
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

SECONDS = 60.0


async def innocent(gate: str, context: Any) -> str:
    """Goes on until the file is there, and tells how long it was kept waiting at most."""
    longest, before = 0.0, time.monotonic()
    context.emit(f"{os.getpid()}")
    while not os.path.exists(gate):
        await asyncio.sleep(0.01)
        longest, before = max(longest, time.monotonic() - before), time.monotonic()
    return f"{os.getpid()} {longest:.1f}"


async def pid(input: object) -> int:
    return os.getpid()


# Ways to block


async def blocks(way: str, context: Any) -> str:
    context.emit(f"{os.getpid()}")
    await asyncio.sleep(0.05)
    await BLOCKING[way]()
    return "unblocked"


async def _sleeps() -> None:
    time.sleep(SECONDS)


async def _computes() -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        pass


async def _waits_for_a_child() -> None:
    subprocess.run(["sleep", str(SECONDS)], check=False)


async def _in_a_task() -> None:
    await asyncio.create_task(_sleeps())


async def _in_a_callback() -> None:
    asyncio.get_running_loop().call_soon(time.sleep, SECONDS)
    await asyncio.sleep(SECONDS)


async def _and_swallows_what_is_raised() -> None:
    try:
        time.sleep(SECONDS)
    except BaseException:
        await asyncio.sleep(SECONDS)


async def _again_and_again() -> None:
    while True:
        try:
            time.sleep(SECONDS)
        except BaseException:
            continue


async def _with_the_lock_of_the_interpreter() -> None:
    re.match(r"(a+)+$", "a" * 40 + "b")


BLOCKING: dict[str, Callable[[], Awaitable[None]]] = {
    "sleeps": _sleeps,
    "computes": _computes,
    "waits for a child": _waits_for_a_child,
    "in a task": _in_a_task,
    "in a callback": _in_a_callback,
    "swallows": _and_swallows_what_is_raised,
    "again and again": _again_and_again,
    "holds the lock": _with_the_lock_of_the_interpreter,
}


# Ways to leave the event loop


async def leaves(way: str, context: Any) -> str:
    return await LEAVING[way]()


async def _raises(error: BaseException) -> NoReturn:
    await asyncio.sleep(0.01)
    raise error


async def _gathers() -> str:
    await asyncio.gather(_raises(SystemExit(3)), asyncio.sleep(0.1))
    return "left"


async def _groups() -> str:
    async with asyncio.TaskGroup() as group:
        group.create_task(_raises(KeyboardInterrupt()))
    return "left"


async def _waits() -> str:
    await asyncio.wait_for(_raises(SystemExit(3)), 5)
    return "left"


async def _shields() -> str:
    await asyncio.shield(_raises(KeyboardInterrupt()))
    return "left"


async def _stops_the_loop() -> str:
    loop = asyncio.get_running_loop()
    loop.call_soon(loop.stop)
    await asyncio.sleep(0.1)
    return "went on"


async def _exits_in_a_callback() -> str:
    asyncio.get_running_loop().call_soon(sys.exit, 3)
    await asyncio.sleep(0.1)
    return "went on"


async def _interrupts_itself() -> str:
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(0.1)
    return "went on"


async def _forks() -> str:
    if os.fork() == 0:
        await asyncio.sleep(0)
        return "the fork"
    os.wait()
    return "the one that was called"


LEAVING: dict[str, Callable[[], Awaitable[str]]] = {
    "gather": _gathers,
    "TaskGroup": _groups,
    "wait_for": _waits,
    "shield": _shields,
    "loop.stop": _stops_the_loop,
    "exit in a callback": _exits_in_a_callback,
    "SIGINT": _interrupts_itself,
    "fork": _forks,
}


# Ways to end the process


async def ends(way: str, context: Any) -> None:
    context.emit(f"{os.getpid()}")
    await asyncio.sleep(0.05)
    match way:
        case "exit":
            os._exit(3)
        case "crash":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)


# Ways not to stop


async def stays(way: str, context: Any) -> None:
    context.emit(f"{os.getpid()}")
    match way:
        case "swallows":
            while True:
                try:
                    await asyncio.sleep(SECONDS)
                except asyncio.CancelledError:
                    continue
        case "swallows all":
            while True:
                try:
                    await asyncio.sleep(SECONDS)
                except BaseException:
                    continue
        case "in a task":
            await asyncio.shield(stays("swallows", context))
        case "thread":
            await asyncio.to_thread(time.sleep, SECONDS)
        case "child":
            child = await asyncio.create_subprocess_exec("sleep", str(SECONDS))
            context.emit(f" {child.pid}")
            await child.wait()
        case "blocks":
            time.sleep(SECONDS)


# What a sync function leaves changed


def changes(way: str) -> int:
    match way:
        case "environment":
            os.environ["LEFT"] = "behind"
        case "working directory":
            os.chdir("/")
        case "stdout":
            sys.stdout = open(os.devnull, "w")
        case "stderr":
            sys.stderr = open(os.devnull, "w")
        case "signal":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case "timer":
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
        case "path":
            sys.path.insert(0, "/nowhere")
        case "mask":
            os.umask(0o000)
        case "thread":
            threading.Thread(target=time.sleep, args=(SECONDS,), daemon=True).start()
        case "child":
            subprocess.Popen(["sleep", str(SECONDS)])
    return os.getpid()


def forks(input: object) -> str:
    """The fork returns as if it had been called, and later than the one that was."""
    if os.fork() == 0:
        time.sleep(0.2)
        return "the fork"
    return "the one that was called"


def counts(input: object) -> list[str]:
    """What can be seen of the process."""
    ignored = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    return [os.getcwd(), os.environ.get("LEFT", ""), str(ignored)]
