"""Who lets whom in: a broker that asks for credentials, and one that has to prove who it is."""

import asyncio
import logging
from pathlib import Path

import pytest
from nats_identity import certificate, credentials
from nats_server import serving_nats
from runcast.core.engines.jetstream.broker import JetStreamBroker
from runcast.core.engines.jetstream.refused import BrokerRefused
from runcast.core.engines.jetstream.settings import JetStreamSettings


async def refusal(settings: JetStreamSettings) -> str:
    """What is said of it on entering."""
    with pytest.raises(BrokerRefused) as error:
        await JetStreamBroker(settings).__aenter__()
    return error.value.message


@pytest.mark.parametrize(
    ("flags", "right", "wrong"),
    [
        (("--user", "me", "--pass", "p@ss/w"), "me:p%40ss%2Fw", ("me:other", "you:p%40ss%2Fw")),
        (("--auth", "t0ken:x"), "t0ken%3Ax", ("other", "t0ken:x")),
    ],
    ids=["password", "token"],
)
async def test_only_who_has_the_right_password_is_let_in(
    tmp_path: Path, flags: tuple[str, ...], right: str, wrong: tuple[str, ...]
) -> None:
    """It is in the URL, and in no message."""
    with serving_nats(tmp_path, "--jetstream", *flags) as server:
        address = f"127.0.0.1:{server.port}"
        for login in (*(f"{one}@" for one in wrong), ""):
            said = await refusal(JetStreamSettings(f"nats://{login}{address}"))
            assert said == f"the broker at nats://{address} refuses the credentials"
        settings = JetStreamSettings(f"nats://{right}@{address}")
        async with JetStreamBroker(settings) as broker:
            assert broker.available
        assert right not in f"{settings} {settings.servers}"


async def test_a_file_with_credentials_lets_in(tmp_path: Path) -> None:
    """One that another operator has signed does not."""
    config, file = credentials(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = credentials(tmp_path / "other")
    with serving_nats(tmp_path, "--jetstream", "--config", str(config)) as server:
        async with JetStreamBroker(JetStreamSettings(server.url, credentials=file)) as broker:
            assert broker.available
        refused = f"the broker at {server.url} refuses the credentials"
        assert await refusal(JetStreamSettings(server.url, credentials=other)) == refused
        assert await refusal(JetStreamSettings(server.url)) == refused


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\xff\xfe",
        b"-----BEGIN NATS USER JWT-----\n",
        b"-----BEGIN NATS USER JWT-----\nabc\n-----BEGIN USER NKEY SEED-----\nSUNO\n",
        b"-----BEGIN NATS USER JWT-----\nabc\n-----BEGIN USER NKEY SEED-----\n\n",
    ],
    ids=["missing", "empty", "binary", "without a key", "with half a key", "with no key"],
)
async def test_a_file_without_credentials_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """By its name."""
    file = tmp_path / "user.creds"
    if content is not None:
        file.write_bytes(content)
    with serving_nats(tmp_path) as server:
        said = await refusal(JetStreamSettings(server.url, credentials=file))
    reason = "there is no user's JWT with its NKey in it" if content is not None else "No such file"
    assert said.startswith(f"{file}: {reason}")


async def test_a_broker_proves_who_it_is(tmp_path: Path) -> None:
    """With a certificate that somebody has signed whom we trust."""
    flags, ca = certificate(tmp_path)
    with serving_nats(tmp_path, "--jetstream", *flags) as server:
        url = server.url.replace("nats://", "tls://")
        for trusting in (JetStreamSettings(url, ca=ca), JetStreamSettings(server.url, ca=ca)):
            async with JetStreamBroker(trusting) as broker:
                assert broker.available
        said = await refusal(JetStreamSettings(url))
        assert said.startswith(f"the broker at {url} is not trusted: ")
        (tmp_path / "other").mkdir()
        _, other = certificate(tmp_path / "other")
        assert "is not trusted" in await refusal(JetStreamSettings(url, ca=other))
        for wrong in (tmp_path / "none.pem", tmp_path / "key.pem"):
            assert str(wrong) in await refusal(JetStreamSettings(url, ca=wrong))


async def test_no_password_goes_to_a_broker_without_tls(tmp_path: Path) -> None:
    """If TLS was asked for: whoever is in between could have switched it off."""
    heard = b""

    async def overhear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        writer.write(b'INFO {"version":"2.10.0","max_payload":1048576,"headers":true}\r\n')
        heard += await reader.read()
        writer.close()

    door = await asyncio.start_server(overhear, "127.0.0.1", 0)
    port = door.sockets[0].getsockname()[1]
    for login in ("me:secret", "secret"):
        said = await refusal(JetStreamSettings(f"tls://{login}@127.0.0.1:{port}"))
        assert said == f"the broker at tls://127.0.0.1:{port} does not offer TLS"
    door.close()
    await door.wait_closed()
    assert heard == b""


async def test_who_is_no_broker_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it answers, or if it does not."""
    caplog.set_level(logging.INFO)
    answers = iter([b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO {\r\n", b"\x00" * 70_000, b""])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(next(answers, b""))
        writer.close()

    door = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"nats://127.0.0.1:{door.sockets[0].getsockname()[1]}"
    async with JetStreamBroker(JetStreamSettings(url)) as broker:
        assert not broker.available
    door.close()
    await door.wait_closed()
    assert caplog.messages == [f"the broker at {url} does not answer; trying again"]
