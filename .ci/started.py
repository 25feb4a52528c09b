"""Starts an installed `runcast serve` on a free port and asks it whether it is ready."""

import json
import re
import subprocess
import sys
import tempfile
import urllib.parse
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
    for path, accept in (("/", "*/*"), ("/graphql", "text/html")):
        print(path, f"and its {look_at_page(origin, path, accept)} files")


def look_at_page(origin: str, path: str, accept: str) -> int:
    """Every file that the page names is there, on the same server."""
    page = origin + path
    asked = urllib.request.Request(page, headers={"Accept": accept})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        names = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', answer.read().decode())
    for name in names:
        urllib.request.urlopen(urllib.parse.urljoin(page, name), timeout=20).close()
    return len(names)


if __name__ == "__main__":
    main(sys.argv[1])
