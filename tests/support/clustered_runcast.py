#!/usr/bin/env python3
"""`runcast`, of which `serve` is one server of a cluster.

For suites that know one command, of servers that run executions themselves. Beside the data folder
of a server are a broker and a worker of its own; they outlive the server, and end with whoever has
started it.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
from deadlines import eventually
from nats_server import serving_nats

COMMAND = str(Path(sys.executable).with_name("runcast"))
SHARED = ("--pipelines", "--grace", "--log-max")
"""Flags of a server that its worker needs, too."""
LOOK_SECONDS = 0.2


def main(arguments: list[str]) -> None:
    """Becomes the command."""
    if arguments[:1] == ["serve"]:
        given = dict(zip(arguments[1::2], arguments[2::2], strict=False))
        folder = Path(given["--data"] + "-cluster")
        url = folder / "url"
        if not url.exists():
            folder.mkdir()
            same = [word for flag in SHARED if flag in given for word in (flag, given[flag])]
            beside = [sys.executable, __file__, "beside", str(os.getppid()), str(folder), *same]
            # Not on the server's pipes: whoever reads these waits for their end.
            quiet = subprocess.DEVNULL
            subprocess.Popen(
                beside, start_new_session=True, stdin=quiet, stdout=quiet, stderr=quiet
            )
            eventually(url.exists)
        arguments = [*arguments, "--engine", url.read_text(), "--blobs", str(folder / "blobs")]
    os.execv(COMMAND, [COMMAND, *arguments])


def beside(starter: int, folder: Path, flags: list[str]) -> None:
    """Runs the broker and the worker until the process that has started the server is gone."""
    (folder / "broker").mkdir()
    with serving_nats(folder / "broker") as broker, (folder / "stderr").open("w") as stderr:
        engine = ["--engine", broker.url, "--blobs", str(folder / "blobs")]
        places = ["--data", str(folder / "worker")]
        worker = subprocess.Popen([COMMAND, "worker", *engine, *places, *flags], stderr=stderr)
        (folder / "url.new").write_text(broker.url)
        (folder / "url.new").rename(folder / "url")
        while psutil.pid_exists(starter):
            time.sleep(LOOK_SECONDS)
        worker.terminate()
        worker.wait(20)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["beside"]:
        beside(int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
    else:
        main(sys.argv[1:])
