"""Clients that leave at random moments, beside others that stay: what these are given, and what is left behind."""

import asyncio
import base64
import io
import json
import os
import random
import select
import time
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from wyoming.audio import AudioChunk, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import async_write_event
from wyoming.tts import Synthesize, SynthesizeVoice

KINDS = ("mp3", "opus", "aac", "flac", "wav", "pcm", "sse", "wyoming")
STAYING = (*KINDS, "mp3", "opus")
TEXT = "It rains. Snow fell. Birds sing."
QUEUE = 40  # of the server
AT_ONCE = 8  # leaving clients
LONGEST = 0.7  # seconds until one leaves
MEMORY = 60_000_000  # bytes that the server may keep for itself


def request_for(kind: str) -> bytes:
    form = {"stream_format": "sse"} if kind == "sse" else {"response_format": kind}
    body = json.dumps({"input": TEXT, "voice": "robot", "steps": 1, "speed": 4, **form}).encode()
    return (
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )


def spoken_event():
    return Synthesize(text=TEXT, voice=SynthesizeVoice(name="robot")).event()


async def leave(served, kind: str, seconds: float, *, abruptly: bool) -> None:
    """Ask, take what comes for so many seconds, and go."""
    port = served.wyoming if kind == "wyoming" else int(served.address.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(seconds):
            if kind == "wyoming":
                await async_write_event(spoken_event(), writer)
            else:
                writer.write(request_for(kind))
            while await reader.read(1000):
                pass
    writer.transport.abort() if abruptly else writer.close()
    with suppress(OSError):
        await writer.wait_closed()


class BusyError(Exception):
    """A client is told to come back later."""


async def stay(served, kind: str) -> bytes:
    """The audio of a whole answer."""
    if kind == "wyoming":
        audio = b""
        async with AsyncTcpClient("127.0.0.1", served.wyoming) as client:
            await client.write_event(spoken_event())
            while not AudioStop.is_type((event := await client.read_event()).type):
                if Error.is_type(event.type) and Error.from_event(event).code == "queue_full":
                    raise BusyError
                audio += AudioChunk.from_event(event).audio if AudioChunk.is_type(event.type) else b""
        return audio
    reader, writer = await asyncio.open_connection("127.0.0.1", int(served.address.rpartition(":")[2]))
    writer.write(request_for(kind))
    head, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    if head.startswith(b"HTTP/1.1 429"):
        raise BusyError
    assert head.startswith(b"HTTP/1.1 200"), content
    parts = []
    while content:  # chunked
        size, _, content = content.partition(b"\r\n")
        parts.append(content[: int(size, 16)])
        content = content[int(size, 16) + 2 :]
    assert parts.pop() == b""
    if kind != "sse":
        return b"".join(parts)
    events = [json.loads(line[6:]) for line in b"".join(parts).splitlines() if line]
    assert events.pop()["type"] == "speech.audio.done"
    return b"".join(base64.b64decode(event["audio"]) for event in events)


def heard(kind: str, content: bytes) -> np.ndarray:
    """The samples of an answer."""
    if kind in {"pcm", "wyoming"}:
        return np.frombuffer(content, "<i2")
    with av.open(io.BytesIO(content)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


async def crowd(served, leaving: int, expected: dict[str, np.ndarray]) -> int:
    """So many clients of each kind leave; those who stay ask until they have. Returns how many answers these had."""
    chance, places, answers = random.Random(3), asyncio.Semaphore(AT_ONCE), 0
    clients = [kind for kind in KINDS for _ in range(leaving)]
    chance.shuffle(clients)

    async def one(kind: str) -> None:
        async with places:
            await leave(served, kind, LONGEST * chance.random(), abruptly=chance.random() < 0.5)

    async def other(kind: str) -> None:
        nonlocal answers
        done = False
        while not done:
            try:
                content = await stay(served, kind)
            except BusyError:  # where a slow machine notices late that others have left
                await asyncio.sleep(1)
                continue
            assert np.array_equal(heard(kind, content), expected[kind])
            answers, done = answers + 1, left.done()

    left = asyncio.gather(*map(one, clients))
    await asyncio.gather(left, *map(other, STAYING))
    return answers


def held(process: int) -> tuple[int, int, int]:
    """Files, threads and bytes of memory of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    files = len(list(Path(f"/proc/{process}/fd").iterdir()))
    return files, int(status["Threads"]), int(status["VmRSS"].split()[0]) * 1024


def logged(served) -> bytes:
    there = select.select([served.process.stderr], [], [], 0)[0]
    return os.read(served.process.stderr.fileno(), 1 << 16) if there else b""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("leaving", [2, pytest.param(300, marks=pytest.mark.slow)])
def test_clients_that_leave_cost_their_own_answers_alone(served, leaving):
    async def alone() -> dict[str, np.ndarray]:
        answers = await asyncio.gather(*(stay(served, kind) for kind in KINDS))
        return {kind: heard(kind, content) for kind, content in zip(KINDS, answers, strict=True)}

    expected = asyncio.run(alone())
    assert np.array_equal(expected["flac"], expected["wav"])
    lost = served.metric("voxgrad_workers_lost_total")
    logged(served)
    before = held(served.process.pid)
    answers = asyncio.run(crowd(served, leaving, expected))
    assert served.process.poll() is None
    eventually(lambda: not served.metric("voxgrad_requests_active") + served.metric("voxgrad_queue_passages"))
    eventually(lambda: held(served.process.pid)[0] <= before[0])
    after = held(served.process.pid)
    print(
        f"{leaving} of each kind left, {answers} answers were right; files, threads, bytes: {before}, {after}"
    )
    assert logged(served) == b""
    assert served.metric("voxgrad_workers_lost_total") == lost
    assert after[1] <= before[1] + 2 * QUEUE  # those that speak are kept, and have so many at most
    assert after[2] < before[2] + MEMORY


def eventually(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
