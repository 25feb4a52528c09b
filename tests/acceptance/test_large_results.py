"""Result files of any size are listed and read, and never held in memory."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_process import ServerProcess, serving

MIB = 1 << 20
NAME = "result-demo-2027-01-15T08-00-00-1_large.json"
SIZES = {NAME: 100, "result-demo-2027-01-15T08-00-00-1_one.json": 33}


def content(size: int) -> dict[str, object]:
    """A result with an input of so many MiB."""
    return {
        "pipelineId": "demo",
        "status": "success",
        "timestamp": "2027-01-15T08:00:00.123Z",
        "input": {"prompt": "0123456789abcde\n" * (size * MIB // 17)},
        "output": {"optimizedPrompt": "größer"},
        "stages": [],
        "summary": {"totalDuration": 7, "totalCost": 0.5, "stagesRun": 3},
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that finds large files."""
    folder = tmp_path_factory.mktemp("large")
    outputs = folder / "data" / "outputs"
    outputs.mkdir(parents=True)
    for name, size in SIZES.items():
        (outputs / name).write_text(json.dumps(content(size), indent=2, ensure_ascii=False))
    with serving(folder) as one:
        yield one


def file_of(server: ServerProcess) -> Path:
    return server.data / "outputs" / NAME


def memory(server: ServerProcess) -> float:
    """The most that the server has had in memory so far, in MiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    [line] = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def test_a_large_result_is_read_whole(server: ServerProcess) -> None:
    """By its Content-Length, piece by piece; the server's memory has no part in it."""
    server.client.get("/api/outputs")
    before, path = memory(server), file_of(server)
    with server.client.stream("GET", f"/api/outputs/{NAME}") as answer, path.open("rb") as file:
        assert answer.headers["content-length"] == str(path.stat().st_size)
        assert all(piece == file.read(len(piece)) for piece in answer.iter_raw())
        assert answer.num_bytes_downloaded == path.stat().st_size > 99 * MIB
    assert memory(server) - before < 16


def test_a_large_result_is_read_in_parts(server: ServerProcess) -> None:
    """The beginning, what is beyond 32 MiB, the end; and where a part would begin beyond."""
    before, path = memory(server), file_of(server)
    size = path.stat().st_size
    for start, end in ((0, 9), (40 * MIB, 41 * MIB), (size - 5, size - 1)):
        part = server.client.get(f"/api/outputs/{NAME}", headers={"Range": f"bytes={start}-{end}"})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {start}-{end}/{size}"
        with path.open("rb") as file:
            file.seek(start)
            assert part.content == file.read(end - start + 1)
    beyond = server.client.get(f"/api/outputs/{NAME}", headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert memory(server) - before < 16


def test_large_results_are_listed(server: ServerProcess) -> None:
    """With their numbers, which come after all that is large; they are not read for that."""
    before = memory(server)
    found = {one["filename"]: one for one in server.client.get("/api/outputs").json()}
    assert set(found) == set(SIZES)
    for one in found.values():
        assert (one["status"], one["duration"], one["cost"], one["stagesRun"]) == (
            "success",
            7,
            0.5,
            3,
        )
    assert memory(server) - before < 16
