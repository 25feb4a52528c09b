"""Functions that say something, by the name of the way; `words` is what is said."""

import asyncio
import ctypes
import logging
import os
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

configured = logging.getLogger("configured")
configured.addHandler(logging.StreamHandler(sys.stdout))
configured.setLevel(logging.INFO)
to_stderr = logging.getLogger("to_stderr")
to_stderr.addHandler(logging.StreamHandler())
to_stderr.setLevel(logging.INFO)
kept_print = print
kept_write = sys.stdout.write


def says(given: dict[str, str]) -> str:
    WAYS[given["way"]](given["words"])
    return "done"


async def says_async(given: dict[str, str]) -> str:
    """Two calls at once are told apart: each says a word when the other one has said one."""
    way, words = given["way"], given["words"]
    if way in ASYNC_WAYS:
        await ASYNC_WAYS[way](words)
    else:
        WAYS[way](words)
    return "done"


async def meets(given: dict[str, str]) -> str:
    """Says each of its words when the other one has come as far."""
    for number in range(20):
        Path(given["folder"], f"{given['me']}.{number}").touch()
        while not Path(given["folder"], f"{given['other']}.{number}").exists():
            await asyncio.sleep(0.001)
        print(f"{given['me']} prints {number}")
        logging.getLogger("meeting").info("%s logs %d", given["me"], number)
        await asyncio.to_thread(print, f"{given['me']} in a thread {number}")
        await asyncio.create_task(_prints(f"{given['me']} in a task {number}"))
    return given["me"]


async def _prints(words: str) -> None:
    print(words)


def raises(words: str) -> None:
    raise ValueError(words)


async def raises_async(words: str) -> None:
    raise ValueError(words)


def says_much(given: dict[str, Any]) -> str:
    """So many lines in that way, each with its number."""
    say = WAYS[given["way"]]
    for number in range(given["lines"]):
        say(f"line {number}")
    return "done"


def floods_its_pipe(megabytes: int) -> str:
    chunk = b"x" * 999 + b"\n"
    for _ in range(megabytes * 1000):
        os.write(1, chunk)
    return "done"


def floods(path: str) -> None:
    """Prints without an end, once it has said that it begins."""
    Path(path).touch()
    while True:
        print("y" * 10_000)


async def floods_async(path: str) -> None:
    Path(path).touch()
    while True:
        print("y" * 10_000)
        await asyncio.sleep(0)


def _warns(words: str) -> None:
    warnings.warn(words, UserWarning, stacklevel=2)


def _logs_an_exception(words: str) -> None:
    try:
        raise ValueError(words)
    except ValueError:
        logging.exception("it was caught")


def _prints_a_traceback(words: str) -> None:
    try:
        raise ValueError(words)
    except ValueError:
        traceback.print_exc()


def _in_a_thread(words: str) -> None:
    thread = threading.Thread(target=print, args=(words,))
    thread.start()
    thread.join()


def _in_a_pool(words: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(print, words).result()


def _in_a_fork(words: str) -> None:
    child = os.fork()
    if child == 0:
        print(words, flush=True)
        os._exit(0)
    os.waitpid(child, 0)


def _by_c_code(words: str) -> None:
    libc = ctypes.CDLL(None)
    libc.puts(words.encode())
    libc.fflush(None)


def _by_a_child(words: str) -> None:
    subprocess.run(["echo", words], check=True)


def _by_a_child_on_stderr(words: str) -> None:
    subprocess.run(["sh", "-c", 'echo "$0" >&2', words], check=True)


def _by_a_child_on_our_stdout(words: str) -> None:
    subprocess.run(["echo", words], stdout=sys.stdout, check=True)


WAYS: dict[str, Callable[[str], object]] = {
    "print": print,
    "a kept print": lambda words: kept_print(words),
    "a kept write": lambda words: kept_write(words + "\n"),
    "sys.stdout.write": lambda words: sys.stdout.write(words + "\n"),
    "sys.stdout.writelines": lambda words: sys.stdout.writelines([words, "\n"]),
    "sys.stdout.buffer": lambda words: sys.stdout.buffer.write(words.encode() + b"\n"),
    "sys.__stdout__": lambda words: print(words, file=sys.__stdout__),
    "logging on stdout": configured.info,
    "print in a thread": _in_a_thread,
    "print in a pool": _in_a_pool,
    "print in a fork": _in_a_fork,
    "a child": _by_a_child,
    "a child on sys.stdout": _by_a_child_on_our_stdout,
    "os.system": lambda words: os.system(f"echo '{words}'"),
    "os.write": lambda words: os.write(1, words.encode() + b"\n"),
    "C": _by_c_code,
    "print on stderr": lambda words: print(words, file=sys.stderr),
    "sys.stderr.write": lambda words: sys.stderr.write(words + "\n"),
    "logging.warning": logging.warning,
    "logging on stderr": to_stderr.info,
    "logging.exception": _logs_an_exception,
    "warnings.warn": _warns,
    "traceback.print_exc": _prints_a_traceback,
    "a child on stderr": _by_a_child_on_stderr,
    "os.write on 2": lambda words: os.write(2, words.encode() + b"\n"),
}


async def _in_asyncio_s_thread(words: str) -> None:
    await asyncio.to_thread(print, words)


async def _in_the_loop_s_executor(words: str) -> None:
    await asyncio.get_running_loop().run_in_executor(None, print, words)


async def _in_a_callback(words: str) -> None:
    asyncio.get_running_loop().call_soon(print, words)
    await asyncio.sleep(0)


async def _in_a_task(words: str) -> None:
    await asyncio.create_task(_prints(words))


async def _by_an_async_child(words: str) -> None:
    child = await asyncio.create_subprocess_exec("echo", words)
    await child.wait()


async def _by_an_async_child_on_stderr(words: str) -> None:
    child = await asyncio.create_subprocess_exec("sh", "-c", 'echo "$0" >&2', words)
    await child.wait()


ASYNC_WAYS: dict[str, Callable[[str], Any]] = {
    "asyncio.to_thread": _in_asyncio_s_thread,
    "run_in_executor": _in_the_loop_s_executor,
    "call_soon": _in_a_callback,
    "create_task": _in_a_task,
    "an async child": _by_an_async_child,
    "an async child on stderr": _by_an_async_child_on_stderr,
}
