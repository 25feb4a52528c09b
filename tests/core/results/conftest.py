"""The stores of blobs that tests of results can ask for."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest
from needs import need
from runcast.core.results.blobs import Blobs, FolderBlobs

S3_SERVER = Path(__file__).parents[2] / "support" / "s3_server.py"
BUCKET = "runcast"
MISSING = "no S3 server, or no client for one: pip install -e '.[dev]'"


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """The port of a local S3 server, in a process of its own."""
    need(all(find_spec(name) for name in ("obstore", "moto", "flask_cors")), MISSING)
    command = [sys.executable, str(S3_SERVER), BUCKET]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


@pytest.fixture
def bucket(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a place in a bucket that nobody else uses; the way there is in the environment."""
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3_port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}"


@pytest.fixture(params=["folder", "objects"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """An empty store of each kind."""
    if request.param == "folder":
        return FolderBlobs(tmp_path / "blobs")
    bucket = request.getfixturevalue("bucket")
    from runcast.core.results.object_blobs import ObjectBlobs

    return ObjectBlobs(bucket)
