"""Starts an installed `runcast serve` on a free port and asks it whether it is ready."""

import json
import re
import subprocess
import sys
import tempfile
import urllib.request


def main(command: str) -> None:
    with tempfile.TemporaryDirectory() as data:
        arguments = [command, "serve", "--port", "0", "--data", data]
        server = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        try:
            look_at(address(server))
        finally:
            server.terminate()
            server.wait(timeout=20)


def address(server: "subprocess.Popen[str]") -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"http://[\w.:]+", line):
            return found[0]
    raise SystemExit("the server ended before it said where it listens")


def look_at(origin: str) -> None:
    for path in ("/readyz", "/api/pipelines", "/api/executions"):
        with urllib.request.urlopen(origin + path, timeout=20) as answer:
            print(path, answer.status, json.dumps(json.load(answer))[:80])


if __name__ == "__main__":
    main(sys.argv[1])
