"""Clients that leave, workers that die, more requests than are taken, a full disk, and the end of the server."""

import asyncio
import base64
import errno
import io
import json
import multiprocessing
import os
import pickle
import random
import resource
import select
import shutil
import signal
import socket
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from wyoming.audio import AudioChunk, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import async_write_event
from wyoming.tts import Synthesize, SynthesizeVoice

from voxgrad.errors import EnvironmentFailureError
from voxgrad.files import explained
from voxgrad.server import uploads, workers
from voxgrad.server.http import HTTPError, as_http
from voxgrad.server.settings import Limits
from voxgrad.server.workers import Metrics, WorkerPool

LONG = "The sun is warm today, and birds sing. " * 60
QUICK = {"steps": 1, "speed": 4.0}
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
KINDS = ("mp3", "opus", "aac", "flac", "wav", "pcm", "sse", "wyoming")
STAYING = (*KINDS, "mp3", "opus")
TEXT = "It rains. Snow fell. Birds sing."
QUEUE = 20  # of the server
LEAVING = 300  # clients of each kind
AT_ONCE = 8  # of them
LONGEST = 0.7  # seconds until one leaves
MEMORY = 60_000_000  # bytes that the server may keep for itself


def body_of(kind: str, text: str = TEXT, **fields: object) -> dict[str, object]:
    form = {"stream_format": "sse"} if kind == "sse" else {"response_format": kind}
    return {"input": text, "voice": "robot", **QUICK, **fields, **form}


def request_for(*what: str, **fields: object) -> bytes:
    body = json.dumps(body_of(*what, **fields)).encode()
    return (
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )


def spoken_event():
    return Synthesize(text=TEXT, voice=SynthesizeVoice(name="robot")).event()


async def leave(served, kind: str, seconds: float, *, abruptly: bool) -> None:
    """Ask, take what comes for so many seconds, and go."""
    port = served.wyoming if kind == "wyoming" else served.port
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
    async with httpx.AsyncClient(base_url=served.address, timeout=60, trust_env=False) as client:
        answer = await client.post("/v1/audio/speech", json=body_of(kind))
    if answer.status_code == 429:
        raise BusyError
    assert answer.status_code == 200, answer.text
    if kind != "sse":
        return answer.content
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line]
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


@contextmanager
def listening(served) -> Iterator[Iterator[bytes]]:
    """A client that is sent a book."""
    asked = {"input": LONG, "voice": "robot", "response_format": "pcm"}
    with served.client() as client, client.stream("POST", "/v1/audio/speech", json=asked) as answer:
        yield answer.iter_bytes()


def test_a_book_is_heard_while_others_speak_and_not_spoken_for_who_has_left(served):
    before = served.metric("voxgrad_audio_seconds_total")
    with listening(served) as heard:
        assert len(next(heard)) > 1000
        assert all(served.say("Hello there.").status_code == 200 for _ in range(3))
    served.eventually(lambda: served.metric("voxgrad_requests_active") == 0)
    after = served.metric("voxgrad_audio_seconds_total")
    assert after - before < 100  # of several minutes
    time.sleep(0.5)
    assert served.metric("voxgrad_audio_seconds_total") - after < 15  # one passage may have been in work


def test_clients_that_leave_before_they_hear_anything(served):
    before = served.metric("voxgrad_audio_seconds_total")
    asked = json.dumps({"type": "synthesize", "data": {"text": LONG, "voice": {"name": "robot"}}})
    for port, content, count in (
        (served.port, request_for("wav", "Hello there.", steps=30), 3),
        (served.wyoming, f"{asked}\n".encode(), 5),
    ):
        for _ in range(count):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(content)
        served.eventually(lambda: served.metric("voxgrad_requests_active") == 0)
    assert served.metric("voxgrad_audio_seconds_total") - before < 30  # some passages were in work, not all
    assert served.say("Hello there.", **QUICK).status_code == 200


def killed(times: int, marks: Path) -> int:
    """Work in which that many workers are killed, one after the other."""
    content = marks.read_text(encoding="utf-8") if marks.exists() else ""
    if len(content) < times:
        marks.write_text(f"{content}x", encoding="utf-8")
        os.kill(os.getpid(), signal.SIGKILL)
    return times


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_the_work_of_a_killed_worker_is_given_to_another_but_to_no_third(tmp_path, monkeypatch):
    async def work() -> list[object]:
        await pool.start(print)
        try:
            calls = (pool.call(killed, times, tmp_path / f"{times}") for times in range(3))
            return await asyncio.gather(*calls, return_exceptions=True)
        finally:
            await pool.close()

    monkeypatch.setattr(workers, "_SPAWN", multiprocessing.get_context("fork"))  # which imports nothing anew
    metrics = Metrics()
    pool = WorkerPool(2, 100, 30.0, metrics)
    *answers, refused = asyncio.run(work())
    assert answers == [0, 1]
    assert isinstance(refused, EnvironmentFailureError)
    assert metrics.registry.get_sample_value("voxgrad_workers_lost_total") == 3


def test_beyond_the_queue_a_client_is_told_to_come_back(served):
    with ThreadPoolExecutor(30) as threads:
        answers = list(threads.map(lambda _: served.say("Hello there.", **QUICK), range(30)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 429}
    assert codes.count(200) >= 20
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert served.say("Hello there.", **QUICK).status_code == 200


@contextmanager
def full_disk(served, room: int) -> Iterator[None]:
    """No room for a file of more bytes, for the server, its workers, and what they start."""
    processes = (served.process.pid, *served.workers())
    before = {number: resource.prlimit(number, resource.RLIMIT_FSIZE) for number in processes}
    for number, (_, most) in before.items():
        resource.prlimit(number, resource.RLIMIT_FSIZE, (room, most))
    try:
        yield
    finally:
        for number, limits in before.items():
            resource.prlimit(number, resource.RLIMIT_FSIZE, limits)


@needs_proc
def test_on_a_full_disk_each_job_is_refused_in_one_line_and_leaves_nothing(served, recordings):
    sound, packed = (recordings / "wavs" / "r00.wav").read_bytes(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", bytes(200_000))
    session = {"name": "ann", "speaker": "Ann", "statement": "Yes.", "agreed": True, "prompts": ["The sun."]}
    with served.client() as client:

        def begun(**fields: object) -> str:
            answer = client.post("/api/recordings", json={**session, **fields})
            return f"/api/recordings/{answer.json()['id']}"

        prompts, files = begun(), begun(kind="files")
        assert client.put(f"{prompts}/takes/1?keep=1", content=sound).status_code == 201
        before = set(served.home.rglob("*"))
        for room, method, path, content in (
            (9, "POST", "/api/recordings", {"json": session}),
            (9, "PUT", f"{prompts}/takes/1", {"content": sound}),
            (9, "POST", f"{prompts}/clone", {"json": {}}),
            # The list of takes is written, the clone's record is not.
            (30, "POST", f"{prompts}/clone", {"json": {}}),
            (9, "PUT", f"{files}/files?name=a.wav", {"content": sound}),
            (5000, "PUT", f"{files}/files?name=a.zip", {"content": packed.getvalue()}),
            (9, "POST", "/api/voices/robot/rename", {"json": {"name": "other"}}),
            (9, "GET", "/api/voices/robot/export", {}),
        ):
            with full_disk(served, room):
                answer = client.request(method, path, **content)
            assert answer.status_code == 507, (path, answer.text)
            error = answer.json()["error"]
            assert error["code"] == "disk_full"
            assert "Free some space" in error["message"]
            assert "\n" not in error["message"]
            assert set(served.home.rglob("*")) == before, path
        with full_disk(served, 9):
            assert served.say("Hello there.", **QUICK).status_code == 200  # nothing of it is written
        assert client.get(f"{prompts}/clone").status_code == 404
        assert client.delete(prompts).status_code == client.delete(files).status_code == 204


def test_a_full_disk_in_a_worker_is_told_as_one():
    error = explained(OSError(errno.ENOSPC, "No space left on device"), "write a card")
    assert as_http(pickle.loads(pickle.dumps(error))).status == 507  # noqa: S301 - of our own


def test_uploads_leave_room_on_the_disk(tmp_path, monkeypatch):
    async def content():
        yield b"x"

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8))
    with pytest.raises(HTTPError, match="100 MB left") as caught:
        asyncio.run(uploads.take(tmp_path, "a.wav", content(), Limits()))
    assert caught.value.status == 507
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_sigterm_lets_an_answer_end(serve, chain):
    with serve(chain.home, "--workers", 1) as server:
        body = {"input": "Hello there. And so on.", "voice": "robot", "response_format": "pcm", "steps": 12}
        with ThreadPoolExecutor(1) as threads, server.client() as client:
            answer = threads.submit(client.post, "/v1/audio/speech", json=body)
            server.eventually(lambda: server.metric("voxgrad_requests_active") == 1)
            server.process.terminate()
            assert answer.result().status_code == 200
            assert len(answer.result().content) > 10_000
        assert server.process.wait(15) == 0
        assert server.process.stderr.read() == ""
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port))


@needs_proc
@pytest.mark.slow
def test_clients_that_leave_cost_their_own_answers_alone(served):
    async def alone() -> dict[str, np.ndarray]:
        answers = await asyncio.gather(*(stay(served, kind) for kind in KINDS))
        return {kind: heard(kind, content) for kind, content in zip(KINDS, answers, strict=True)}

    expected = asyncio.run(alone())
    assert np.array_equal(expected["flac"], expected["wav"])
    lost = served.metric("voxgrad_workers_lost_total")
    logged(served)
    asyncio.run(crowd(served, LEAVING // 3, expected))  # what allocators keep for good grows with the first crowd
    before = held(served.process.pid)
    answers = asyncio.run(crowd(served, LEAVING, expected))
    assert served.process.poll() is None
    served.eventually(lambda: not served.metric("voxgrad_requests_active") + served.metric("voxgrad_queue_passages"))
    served.eventually(lambda: held(served.process.pid)[0] <= before[0])
    after = held(served.process.pid)
    print(f"{LEAVING} of each kind left, {answers} answers were right; files, threads, bytes: {before}, {after}")
    assert logged(served) == b""
    assert served.metric("voxgrad_workers_lost_total") == lost
    assert after[1] <= before[1] + 2 * QUEUE  # those that speak are kept, and have so many at most
    assert after[2] < before[2] + MEMORY
