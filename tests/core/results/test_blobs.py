"""What every store of blobs does: a folder, and objects on a real S3 server."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from socket import socket

import pytest
from runcast.core.results.blobs import Blobs, FolderBlobs, blob_name

LARGE = 11 << 20
"""More than one part of an upload, and more than one chunk."""

BAD_NAMES = [
    "",
    ".",
    "..",
    "/etc/passwd",
    "../escape",
    "logs/../../escape",
    "logs/..",
    "logs//1",
    "logs/",
    "/logs",
    "logs/.hidden",
    "logs/a b",
    "logs/a\\b",
    "logs/a\nb",
    "logs/a\n",
    "logs/a\0",
    "logs/ä",
    "logs/a:b",
    "C:\\x",
    "~/x",
    "logs/%2e%2e/x",
]


def append(blobs: Blobs, name: str, *parts: bytes) -> None:
    with closing(blobs.appender(name)) as appender:
        for part in parts:
            appender.append(part)


def content(blobs: Blobs, name: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(blobs.read(name, start, end))


def test_what_is_put_can_be_read(blobs: Blobs) -> None:
    """Whole, with its size; put again, the latest is there."""
    blobs.put("values/exec_1/stage", [b"one ", b"", b"two"])
    assert content(blobs, "values/exec_1/stage") == b"one two"
    assert blobs.size("values/exec_1/stage") == 7
    blobs.put("values/exec_1/stage", [b"three"])
    assert content(blobs, "values/exec_1/stage") == b"three"


@pytest.mark.parametrize(
    "chunks", [[], [b""], [bytes(range(256)) * 3]], ids=["none", "empty", "all"]
)
def test_any_bytes_can_be_put(blobs: Blobs, chunks: list[bytes]) -> None:
    """None at all, too."""
    blobs.put("a", chunks)
    assert content(blobs, "a") == b"".join(chunks)
    assert blobs.size("a") == len(b"".join(chunks))


def test_large_blobs_go_in_and_out_in_chunks(blobs: Blobs) -> None:
    """None of which is more than 4 MiB."""
    block = bytes(range(256)) * 256
    blobs.put("large", (block for _ in range(LARGE // len(block))))
    digest, total = hashlib.sha256(), 0
    for chunk in blobs.read("large"):
        assert 0 < len(chunk) <= 4 << 20
        digest.update(chunk)
        total += len(chunk)
    assert total == LARGE
    assert digest.digest() == hashlib.sha256(block * (LARGE // len(block))).digest()


def test_a_blob_that_cannot_be_made_whole_is_not_made(blobs: Blobs) -> None:
    """Nor does it touch the one that has its name, nor leave anything behind."""
    blobs.put("there/a", [b"before"])

    def torn() -> Iterator[bytes]:
        yield b"x" * 1000
        raise RuntimeError("the producer failed")

    for name in ("there/a", "there/b"):
        with pytest.raises(RuntimeError, match="the producer failed"):
            blobs.put(name, torn())
    assert blobs.list("there") == [("there/a", 6)]
    assert content(blobs, "there/a") == b"before"


def test_a_draft_is_seen_once_it_is_committed(blobs: Blobs) -> None:
    """Discarded, it never is; to discard it afterwards does nothing."""
    draft = blobs.draft("drafts/a")
    draft.write(b"one ")
    draft.write(b"two")
    assert blobs.size("drafts/a") is None
    assert blobs.list("drafts") == []
    draft.commit()
    draft.discard()
    assert content(blobs, "drafts/a") == b"one two"
    draft = blobs.draft("drafts/b")
    draft.write(b"x")
    draft.discard()
    draft.discard()
    assert blobs.list("drafts") == [("drafts/a", 7)]


def test_what_is_appended_is_there_at_once(blobs: Blobs) -> None:
    """For everybody, while the appender is open."""
    with closing(blobs.appender("logs/a")) as appender:
        appender.append(b"one ")
        assert content(blobs, "logs/a") == b"one "
        appender.append(b"two ")
        assert content(blobs, "logs/a") == b"one two "
        appender.close()
    append(blobs, "logs/a", b"three")
    assert content(blobs, "logs/a") == b"one two three"
    assert blobs.size("logs/a") == 13


@pytest.mark.parametrize("start", [0, 1, 9, 10, 11, 1000])
@pytest.mark.parametrize("end", [None, 0, 1, 5, 10, 11, 1000])
def test_ranges(blobs: Blobs, start: int, end: int | None) -> None:
    """A part beyond the end is empty; it is no error."""
    blobs.put("a", [b"0123456789"])
    assert content(blobs, "a", start, end) == b"0123456789"[start:end]


def test_what_is_cut_off_is_gone(blobs: Blobs) -> None:
    """And what is appended then follows what is left."""
    blobs.put("a", [b"0123456789"])
    blobs.truncate("a", 4)
    assert content(blobs, "a") == b"0123"
    append(blobs, "a", b"x")
    assert content(blobs, "a") == b"0123x"
    blobs.truncate("a", 0)
    assert blobs.size("a") == 0


def test_lists_are_sorted_and_stay_below_their_prefix(blobs: Blobs) -> None:
    """A prefix ends where a part of a name does."""
    names = [
        "logs/exec_1/b/1",
        "logs/exec_1/a/2",
        "logs/exec_1/a-b/1",
        "logs/exec_10/a/1",
        "values/x",
    ]
    for number, name in enumerate(names):
        blobs.put(name, [b"x" * number])
    assert blobs.list("logs/exec_1") == [
        ("logs/exec_1/a-b/1", 2),
        ("logs/exec_1/a/2", 1),
        ("logs/exec_1/b/1", 0),
    ]
    assert blobs.list("logs/exec_1/a/2") == []
    assert blobs.list("nothing") == []


def test_parts_are_those_that_names_go_on_after(blobs: Blobs) -> None:
    """Of those directly below; a draft that was never committed has one, if it has left anything"""
    for name in ("logs/exec_1/a/1", "logs/exec_1/b/1", "logs/exec_10/a", "logs/x", "log/y/1"):
        blobs.put(name, [b"x"])
    assert blobs.parts("logs") == {"exec_1", "exec_10"}
    assert blobs.parts("logs/exec_1") == {"a", "b"}
    assert blobs.parts("logs/exec_10") == blobs.parts("logs/x") == blobs.parts("nothing") == set()
    blobs.remove("logs/exec_1")
    assert blobs.parts("logs") == {"exec_10"}


def test_what_is_removed_goes_with_all_below_it(blobs: Blobs) -> None:
    """And nothing beside it; what is not there is removed without an error."""
    for name in ("logs/exec_1/a/1", "logs/exec_1/a/2", "logs/exec_10/a/1", "values/exec_1"):
        blobs.put(name, [b"x"])
    blobs.remove("logs/exec_1/a/2")
    assert blobs.list("logs/exec_1") == [("logs/exec_1/a/1", 1)]
    blobs.remove("logs/exec_1")
    assert blobs.list("logs") == [("logs/exec_10/a/1", 1)]
    assert blobs.size("values/exec_1") == 1
    for name in ("logs/exec_1", "logs/exec_1/a", "nothing", "values/exec_1/below"):
        blobs.remove(name)
    assert blobs.size("values/exec_1") == 1


def test_what_is_not_there(blobs: Blobs) -> None:
    """It has no size and no file, and cannot be read or cut."""
    blobs.put("a/b", [b"x"])
    for name in ("c", "a", "a/c", "a/b/c"):
        assert blobs.size(name) is None
        assert blobs.path(name) is None
    for name in ("c", "a/c"):
        with pytest.raises(FileNotFoundError):
            content(blobs, name)
        with pytest.raises(FileNotFoundError):
            blobs.truncate(name, 0)


OPERATIONS: dict[str, Callable[[Blobs, str], object]] = {
    "appender": lambda blobs, name: append(blobs, name, b"x"),
    "draft": lambda blobs, name: blobs.draft(name),
    "put": lambda blobs, name: blobs.put(name, [b"x"]),
    "read": content,
    "size": lambda blobs, name: blobs.size(name),
    "truncate": lambda blobs, name: blobs.truncate(name, 0),
    "remove": lambda blobs, name: blobs.remove(name),
    "path": lambda blobs, name: blobs.path(name),
    "list": lambda blobs, name: blobs.list(name),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_name_leads_out_of_the_store(blobs: Blobs, tmp_path: Path, operation: str) -> None:
    """Whatever is in an id: it is refused, and nothing is touched."""
    (tmp_path / "escape").write_text("precious")
    for name in BAD_NAMES:
        with pytest.raises(ValueError, match="cannot be part of a blob's name"):
            OPERATIONS[operation](blobs, name)
    assert (tmp_path / "escape").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["escape"]


def test_ids_are_parts_of_names() -> None:
    """An id with a slash is no part: it would be two."""
    assert blob_name("logs", "exec_1-a.b", "0") == "logs/exec_1-a.b/0"
    with pytest.raises(ValueError, match="'a/b' cannot be part"):
        blob_name("logs", "a/b")


def test_threads_with_names_of_their_own_do_not_meet(blobs: Blobs) -> None:
    """They make, extend and remove blobs side by side."""

    def work(number: int) -> bytes:
        name = f"logs/exec_{number}/a/1"
        for _ in range(5):
            blobs.put(f"values/exec_{number}", [b"v"])
            append(blobs, name, b"%d," % number)
            blobs.remove(f"values/exec_{number}")
        return content(blobs, name)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(16))) == [b"%d," % n * 5 for n in range(16)]
    assert blobs.list("values") == []


def test_files_of_a_folder(tmp_path: Path) -> None:
    """A blob in a folder is a file that others can open; what a killed process left is no blob."""
    blobs = FolderBlobs(tmp_path)
    blobs.put("values/exec_1/a", [b"x"])
    path = blobs.path("values/exec_1/a")
    assert path is not None
    assert path.read_bytes() == b"x"
    draft = blobs.draft("values/exec_1/b")
    draft.write(b"unfinished")
    assert len(list((tmp_path / "values/exec_1").iterdir())) == 2
    assert blobs.list("values") == [("values/exec_1/a", 1)]
    blobs.remove("values/exec_1")
    assert list((tmp_path / "values").iterdir()) == []
    draft.discard()


def test_objects_have_no_file(bucket: str) -> None:
    """Whoever needs one reads the object."""
    from runcast.core.results.object_blobs import ObjectBlobs

    blobs = ObjectBlobs(bucket)
    blobs.put("a", [b"x"])
    assert blobs.path("a") is None


def test_a_store_that_is_away(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an OSError like that of a disk, in a few words and without the address."""
    from runcast.core.results import object_blobs

    with socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = "http://{}:{}".format(*nobody.getsockname())
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setattr(object_blobs, "RETRY_SECONDS", 0.2)
        blobs = object_blobs.ObjectBlobs(bucket)
        for operation in ("appender", "put", "read", "size", "truncate", "remove", "list"):
            with pytest.raises(OSError, match="HTTP error") as raised:
                OPERATIONS[operation](blobs, "a")
            assert raised.value.strerror is not None
            assert address not in raised.value.strerror


@pytest.mark.parametrize("url", ["", "nonsense", "s3://", "ftp://somewhere/else"])
def test_only_the_url_of_a_store_is_one(bucket: str, url: str) -> None:
    """What is wrong with it is said in a line."""
    from runcast.core.results.object_blobs import ObjectBlobs

    with pytest.raises(ValueError) as raised:
        ObjectBlobs(url)
    assert "\n" not in str(raised.value)
