"""Values: whole in memory or in the store, or an error, and never cut."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from runcast.core.execution.stored import StoredValue
from runcast.core.results.blobs import Blobs, FolderBlobs
from runcast.core.results.value_spool import INLINE_BYTES, TooLarge
from runcast.core.results.values import ValueStore

NAMES = ("exec_1", "stage", 1)
BLOCK = bytes(range(256)) * 1024


@pytest.fixture
def values(blobs: Blobs) -> ValueStore:
    return ValueStore(blobs)


def test_a_value_of_any_size_can_be_put(values: ValueStore) -> None:
    """It comes back byte for byte; its name, size and hash are known."""
    for chunks in ([], [b""], [b"x"], [BLOCK] * 48):
        content = b"".join(chunks)
        stored = values.put(*NAMES, chunks)
        digest = hashlib.sha256(content).hexdigest()
        assert stored == StoredValue("values/exec_1/stage/1", len(content), digest)
        assert b"".join(values.read(stored)) == content


def test_a_value_as_text(values: ValueStore) -> None:
    """Bytes that are no UTF-8 become U+FFFD, and no character is torn between chunks."""
    content = ("ä\N{PARTY POPPER}\0\r\n" * 700_000).encode()
    stored = values.put(*NAMES, [content[:1], content[1:], b"\xff\xe4"])
    assert values.text(stored) == content.decode() + "\ufffd\ufffd"


def test_a_value_whose_producer_fails_is_not_stored(values: ValueStore, blobs: Blobs) -> None:
    """Nothing of it."""

    def torn() -> Iterator[bytes]:
        yield BLOCK
        raise RuntimeError("the producer failed")

    with pytest.raises(RuntimeError, match="the producer failed"):
        values.put(*NAMES, torn())
    assert blobs.list("values") == []


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES - 1, INLINE_BYTES])
def test_a_small_value_stays_in_memory(values: ValueStore, blobs: Blobs, size: int) -> None:
    """Up to 256 KiB."""
    spool = values.spool(*NAMES, limit=1 << 30)
    spool.write(b"x" * (size // 2))
    spool.write(b"y" * (size - size // 2))
    assert spool.size == size
    assert spool.finish() == b"x" * (size // 2) + b"y" * (size - size // 2)
    assert blobs.list("values") == []


@pytest.mark.parametrize("chunk", [1000, INLINE_BYTES, INLINE_BYTES + 1, 3 << 20])
def test_a_large_value_is_in_the_store(values: ValueStore, blobs: Blobs, chunk: int) -> None:
    """However it comes; and nobody sees it before it is whole."""
    content = (BLOCK * 13)[: (3 << 20) + 1]
    spool = values.spool(*NAMES, limit=len(content))
    for start in range(0, len(content), chunk):
        spool.write(content[start : start + chunk])
    assert blobs.list("values") == []
    stored = spool.finish()
    digest = hashlib.sha256(content).hexdigest()
    assert stored == StoredValue("values/exec_1/stage/1", len(content), digest)
    spool.discard()
    assert b"".join(values.read(stored)) == content


@pytest.mark.parametrize("limit", [0, 1, INLINE_BYTES, INLINE_BYTES + 1, 3 << 20])
@pytest.mark.parametrize("chunk", [1000, 1 << 20])
def test_a_value_over_its_limit(values: ValueStore, blobs: Blobs, limit: int, chunk: int) -> None:
    """It is refused with the very byte that is too much, and leaves nothing."""
    spool = values.spool(*NAMES, limit=limit)
    written = 0
    while written < limit:
        written += min(chunk, limit - written)
        spool.write(b"x" * (written - spool.size))
    spool.write(b"")
    with pytest.raises(TooLarge, match=f"larger than {limit:,} bytes") as raised:
        spool.write(b"x")
    assert raised.value.limit == limit
    spool.discard()
    assert blobs.list("values") == []


def test_each_attempt_has_its_value(values: ValueStore) -> None:
    """They go with their execution, and with no other."""
    stored = {
        (execution, attempt): values.put(execution, "stage", attempt, [execution.encode()])
        for execution in ("exec_1", "exec_10")
        for attempt in (1, 2)
    }
    assert len({each.name for each in stored.values()}) == 4
    values.remove("exec_1")
    values.remove("exec_1")
    with pytest.raises(FileNotFoundError, match="the value is gone"):
        values.read(stored["exec_1", 1])
    assert values.text(stored["exec_10", 2]) == "exec_10"


def test_a_value_that_was_cut_is_not_handed_on(values: ValueStore, blobs: Blobs) -> None:
    """As a loss of power may do it: neither its bytes nor its file."""
    stored = values.put(*NAMES, [b"0123456789"])
    blobs.truncate(stored.name, 4)
    for read in (values.read, values.text, values.path):
        with pytest.raises(OSError, match="the value has 4 bytes, not 10"):
            read(stored)


def test_the_file_of_a_value(tmp_path: Path) -> None:
    """It is what a command gets on its standard input."""
    values = ValueStore(FolderBlobs(tmp_path))
    path = values.path(values.put(*NAMES, [BLOCK]))
    assert path is not None
    assert path.read_bytes() == BLOCK


@pytest.mark.parametrize("bad", ["..", "a/b", "", "a\0"])
def test_ids_that_are_no_names_are_refused(values: ValueStore, bad: str) -> None:
    """Before anything is touched."""
    for ids in ((bad, "stage"), ("exec_1", bad)):
        with pytest.raises(ValueError, match="cannot be part"):
            values.put(*ids, 1, [b"x"])
        with pytest.raises(ValueError, match="cannot be part"):
            values.spool(*ids, 1, limit=1)
    with pytest.raises(ValueError, match="cannot be part"):
        values.remove(bad)
