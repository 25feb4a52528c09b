"""An execution as server-sent events, over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from old_door import Door, door
from patience import until
from runcast.core.clock import SystemClock
from runcast.core.errors import StageError
from runcast.core.running.stages import StageCall
from samples import a_pipeline
from scripted_stages import Gate, ScriptedRunner, SlowToStop


@dataclass
class Message:
    """One event of the stream, or a comment (`word` is empty then)."""

    id: str
    word: str
    data: dict[str, Any]


async def messages(answer: httpx.Response) -> AsyncIterator[Message]:
    """What the stream says, parsed no more kindly than the standard asks for."""
    rest = ""
    async with asyncio.timeout(60), aclosing(answer.aiter_text()) as texts:
        async for text in texts:
            rest += text
            while "\n\n" in rest:
                block, rest = rest.split("\n\n", 1)
                yield parsed(block)
    assert rest == ""


def parsed(block: str) -> Message:
    assert "\r" not in block
    if block.startswith(":"):
        return Message("", "", {})
    fields = dict(line.split(": ", 1) for line in block.split("\n"))
    assert list(fields) == ["id", "event", "data"]
    return Message(fields["id"], fields["event"], json.loads(fields["data"]))


async def whole(served: Door, id: str, after: str = "", **options: Any) -> list[Message]:
    """Everything that the stream says to its end."""
    path = f"/api/executions/{id}/events{after}"
    async with served.client.stream("GET", path, **options) as answer:
        assert answer.status_code == 200, await answer.aread()
        return [message async for message in messages(answer)]


async def test_a_run_is_told_from_its_snapshot_to_its_end() -> None:
    """Sequences rise by one, each id is a cursor, `end` is last and carries the result."""
    gate = Gate()

    async def talk(call: StageCall[Any]) -> object:
        call.emit("hello\nworld")
        return {"a": 1}

    async with door(runner=ScriptedRunner(one=gate, two=talk)) as served:
        id = await served.start()
        await gate.entered.wait()
        hearing = asyncio.create_task(whole(served, id))
        await until(lambda: served.manager.subscribers == 1)
        gate.opened.set()
        heard = await hearing
        epoch = served.manager.epoch
    words = [message.word for message in heard]
    assert words == [
        *["snapshot", "output", "stage"],
        *["stage", "output", "stage"],
        *["status", "end"],
    ]
    sequences = [message.data["sequence"] for message in heard]
    assert sequences == [*range(sequences[0], sequences[0] + 7), sequences[-1]]
    assert [message.id for message in heard] == [f"{epoch}:{number}" for number in sequences]
    assert list(heard[0].data) == [
        *["id", "pipelineId", "pipelineName", "status", "startTime", "currentStage"],
        *["totalStages", "inputPreview", "sequence", "at"],
    ]
    assert heard[4].data["stageId"] == "two"
    assert heard[4].data["offset"] == 0
    assert heard[4].data["text"] == "hello\nworld"
    assert heard[5].data["stage"]["status"] == "completed"
    assert heard[5].data["stage"]["output"] == "hello\nworld"
    assert (heard[-1].data["id"], heard[-1].data["status"]) == (id, "completed")
    assert heard[-1].data["result"]["status"] == "success"


async def test_the_headers_keep_everybody_from_holding_it_back() -> None:
    """No cache, no buffering proxy, no length."""
    async with door() as served:
        path = f"/api/executions/{await served.start()}/events"
        async with served.client.stream("GET", path) as answer:
            headers = answer.headers
            await answer.aread()
        head = await served.client.head(path)
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    assert "content-length" not in headers
    assert head.status_code == 200
    assert head.headers["content-type"] == headers["content-type"]


async def test_an_ended_execution_is_told_at_once() -> None:
    """A snapshot and the end."""
    async with door() as served:
        id = await served.start()
        await served.ended(id)
        heard = await whole(served, id)
    assert [message.word for message in heard] == ["snapshot", "end"]
    assert heard[0].data["status"] == "completed"


@pytest.mark.parametrize("way", ["header", "address", "both"])
async def test_a_stream_goes_on_where_it_was_left(way: str) -> None:
    """`Last-Event-ID` or `?after=`; the header, which a reconnecting browser sends, wins."""
    async with door() as served:
        id = await served.start()
        await served.ended(id)
        epoch, last = served.manager.epoch, served.manager.get(id).sequence
        after = f"?after={epoch}:{last - 2}" if way == "address" else ""
        after = f"?after={epoch}:1" if way == "both" else after
        headers = {} if way == "address" else {"Last-Event-ID": f"{epoch}:{last - 2}"}
        heard = await whole(served, id, after, headers=headers)
    assert [message.data["sequence"] for message in heard] == [last - 1, last, last]
    assert [message.word for message in heard] == ["stage", "status", "end"]


async def test_whoever_has_lost_only_the_end_still_gets_it() -> None:
    """Nothing is new, and the last word is said again."""
    async with door() as served:
        id = await served.start()
        await served.ended(id)
        cursor = str(served.manager.cursor(served.manager.get(id)))
        heard = await whole(served, id, headers={"Last-Event-ID": cursor})
    assert [message.word for message in heard] == ["end"]
    assert heard[0].id == cursor


async def test_a_cursor_of_another_server_is_answered_by_a_reset() -> None:
    """What was lost is said."""
    async with door() as served:
        id = await served.start()
        await served.ended(id)
        foreign = await whole(served, id, "?after=elsewhere:3")
        future = await whole(served, id, f"?after={served.manager.epoch}:999")
    assert [message.word for message in foreign] == ["reset", "end"]
    assert [message.word for message in future] == ["reset", "end"]


async def test_lost_changes_are_counted() -> None:
    """More than the ring holds went by: a reset says how many."""

    async def talk(call: StageCall[Any]) -> object:
        for _ in range(40):
            call.emit("x" * 32_768)
        return None

    pipeline = a_pipeline(*(f"s{number}" for number in range(40)), maxOutputBytes=10_000_000)
    acts = {f"s{number}": talk for number in range(40)}
    async with door(runner=ScriptedRunner(**acts)) as served:
        id = await served.start(pipeline)
        await served.ended(id)
        last = served.manager.get(id).sequence
        heard = await whole(served, id, f"?after={served.manager.epoch}:1")
    assert [message.word for message in heard] == ["reset", "end"]
    assert heard[0].data["missedEvents"] == last - 1


async def test_refusals_come_before_the_stream() -> None:
    """404 and 400 are JSON, as everywhere."""
    async with door() as served:
        unknown = await served.client.get("/api/executions/exec_1_nobody/events")
        id = await served.start()
        off = await served.client.get(f"/api/executions/{id}/events?after=yesterday")
        header = await served.client.get(
            f"/api/executions/{id}/events", headers={"Last-Event-ID": "yesterday"}
        )
        head = await served.client.head("/api/executions/exec_1_nobody/events")
        assert served.manager.subscribers == 0
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Execution not found"})
    assert off.status_code == header.status_code == 400
    assert list(off.json()) == ["error"]
    assert head.status_code == 404


async def test_a_reader_that_goes_leaves_nothing_behind() -> None:
    """Its watch ends at once, and the execution runs on."""
    gate = Gate()
    async with door(runner=ScriptedRunner(one=gate)) as served:
        id = await served.start()
        async with served.client.stream("GET", f"/api/executions/{id}/events") as answer:
            async with aclosing(messages(answer)) as heard:
                await anext(heard)
            assert served.manager.subscribers == 1
        await until(lambda: served.manager.subscribers == 0)
        gate.opened.set()
        await served.ended(id)
        assert served.manager.get(id).status == "COMPLETED"


async def test_a_reader_that_does_not_read_holds_up_nobody() -> None:
    """The execution ends, and when the reader has gone its watch has, too."""
    begin = asyncio.Event()
    rounds = 64

    async def flood(call: StageCall[Any]) -> object:
        await begin.wait()
        for number in range(rounds):
            for _ in range(8):
                call.emit("x" * 32_768)
            # Window by window: of what comes faster only the end would be sent.
            told = (number + 1) * 8 * 32_768
            await until(
                lambda told=told: served.manager.get(call.execution_id).stages[0].log.length >= told
            )
        return None

    pipeline = a_pipeline("one")
    async with door(runner=ScriptedRunner(one=flood)) as served:
        id = await served.start(pipeline)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
        path = f"/api/executions/{id}/events"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readline()
        begin.set()
        await served.ended(id)
        assert served.manager.subscribers == 1  # stuck, in vain
        writer.transport.abort()
        await until(lambda: served.manager.subscribers == 0)
        writer.close()


async def test_silence_is_broken_by_a_comment() -> None:
    """Every 12 s, between messages and never inside of one."""

    class Hasty(SystemClock):
        def __init__(self) -> None:
            super().__init__()
            self.asked: set[float] = set()

        async def sleep(self, seconds: float) -> None:
            self.asked.add(seconds)
            await asyncio.sleep(0.01 if seconds == 12 else seconds)

    gate, clock = Gate(), Hasty()
    async with door(runner=ScriptedRunner(one=gate), clock=clock) as served:
        path = f"/api/executions/{await served.start()}/events"
        async with served.client.stream("GET", path) as answer:
            words = []
            async with aclosing(messages(answer)) as heard:
                async for message in heard:
                    words.append(message.word)
                    if words.count("") == 3:
                        gate.opened.set()
    assert 12.0 in clock.asked
    assert words.count("") >= 3
    assert words[0] == "snapshot"
    assert words[-1] == "end"


async def test_a_cancel_and_a_failure_are_told() -> None:
    """As everywhere in REST: cancelled at once, and the stage's error with its text."""

    async def fail(call: StageCall[Any]) -> object:
        raise StageError("no luck", retryable=False)

    slow = SlowToStop()
    async with door(runner=ScriptedRunner(one=slow, bad=fail)) as served:
        id = await served.start()
        await slow.entered.wait()
        hearing = asyncio.create_task(whole(served, id))
        await until(lambda: served.manager.subscribers == 1)
        await served.manager.cancel(id)
        slow.opened.set()
        cancelled = await hearing
        failed = await whole(served, await served.start(a_pipeline("bad")))
    told = [(message.word, message.data["status"]) for message in cancelled]
    assert told == [
        ("snapshot", "running"),
        ("status", "cancelled"),
        ("log", "cancelled"),
        ("stage", "cancelled"),
        ("status", "cancelled"),
        ("end", "cancelled"),
    ]
    assert cancelled[3].data["stage"]["error"] == "Cancelled"
    assert cancelled[-1].data["result"]["status"] == "cancelled"
    assert failed[-3].data["stage"]["error"] == "no luck"
    assert failed[-1].data["result"]["error"] == "no luck"


async def test_the_end_of_the_server_ends_the_stream() -> None:
    """With the execution's end, for it ends, too."""
    gate = Gate()
    async with door(runner=ScriptedRunner(one=gate)) as served:
        id = await served.start()
        hearing = asyncio.create_task(whole(served, id))
        await until(lambda: served.manager.subscribers == 1)
        await served.manager.close(grace=0)
        heard = await hearing
    assert heard[-1].word == "end"
    assert heard[-1].data["status"] == "failed"
