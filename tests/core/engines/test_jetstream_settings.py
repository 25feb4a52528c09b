"""Where the broker is, as a user says it."""

from dataclasses import replace
from typing import Any

import pytest
from runcast.core.engines.jetstream.settings import JetStreamSettings


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("nats://host", "nats://host:4222"),
        ("tls://me:secret@host:1", "tls://host:1"),
        ("nats://[::1]:5,nats://secret@other", "nats://[::1]:5,nats://other:4222"),
    ],
)
def test_an_address_is_an_url_without_its_secrets(url: str, address: str) -> None:
    """For messages; the port may be left out."""
    settings = JetStreamSettings(url)
    assert settings.address == address
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": ""},
        {"url": "host:4222"},
        {"url": "http://me:secret@host"},
        {"url": "nats://me:secret@host:port"},
        {"url": "nats://me:secret@host:70000"},
        {"url": "nats://me:secret@/path"},
        {"url": "nats://me:secret@host/path"},
        {"url": "nats://me:secret@[::1"},
        {"namespace": ""},
        {"namespace": "a.b"},
        {"namespace": "a" * 33},
        {"replicas": 0},
        {"replicas": 6},
        {"shards": 0},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    """Without the URL's password in the message."""
    with pytest.raises(ValueError) as error:
        replace(JetStreamSettings("nats://host"), **wrong)
    assert "secret" not in str(error.value)
