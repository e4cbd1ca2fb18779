"""Clients that leave, workers that die, more requests than are taken, and the end of the server."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voxgrad.errors import EnvironmentFailureError
from voxgrad.preparation.recording_session import RecordingSession
from voxgrad.server import uploads
from voxgrad.server.http import HTTPError, as_http
from voxgrad.server.settings import Limits

LONG = "The sun is warm today, and birds sing. " * 60


def eventually(condition, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def workers(served) -> list[int]:
    """Process ids of the server's workers."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            content = status.read_text()
            command = status.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if f"PPid:\t{served.process.pid}\n" in content and b"spawn_main" in command:
            found.append(int(status.parent.name))
    return found


def test_a_client_that_leaves_takes_its_work_along(served):
    before = served.metric("voxgrad_audio_seconds_total")
    with (
        served.client() as client,
        client.stream(
            "POST", "/v1/audio/speech", json={"input": LONG, "voice": "robot", "response_format": "pcm"}
        ) as answer,
    ):
        next(answer.iter_bytes())
    eventually(lambda: served.metric("voxgrad_requests_active") == 0)
    after = served.metric("voxgrad_audio_seconds_total")
    time.sleep(1)
    assert served.metric("voxgrad_audio_seconds_total") - after < 15  # one passage may have been in work
    assert after - before < 100


def test_a_client_that_leaves_before_it_hears_anything(served):
    host, port = served.address.removeprefix("http://").split(":")
    body = b'{"input": "Hello there.", "steps": 100, "voice": "robot"}'
    for _ in range(5):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
    eventually(lambda: served.metric("voxgrad_requests_active") == 0)
    assert served.say("Hello there.").status_code == 200


def test_wyomings_clients_that_leave_before_they_hear_anything(served):
    before = served.metric("voxgrad_audio_seconds_total")
    asked = json.dumps({"type": "synthesize", "data": {"text": LONG, "voice": {"name": "robot"}}})
    for _ in range(40):
        with socket.create_connection(("127.0.0.1", served.wyoming)) as connection:
            connection.sendall(f"{asked}\n".encode())
    eventually(lambda: served.metric("voxgrad_requests_active") == 0)
    assert served.metric("voxgrad_audio_seconds_total") - before < 30  # some passages were in work, not forty


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_worker_that_is_killed_is_replaced_and_no_request_lost(served):
    def kill() -> None:
        time.sleep(0.3)
        os.kill(workers(served)[0], signal.SIGKILL)

    expected = [served.say(f"Sentence number {number}.", steps=2).content for number in range(4)]
    lost = served.metric("voxgrad_workers_lost_total")
    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda n: served.say(f"Sentence number {n}.", steps=2), range(4)))
    killer.join()
    assert [answer.content for answer in answers] == expected
    eventually(
        lambda: served.say("Hi.").status_code == 200 and served.metric("voxgrad_workers_lost_total") > lost
    )
    assert len(workers(served)) == 2


def test_a_short_sentence_does_not_wait_for_a_book(served):
    heard = threading.Event()

    def listen() -> None:
        with (
            served.client() as client,
            client.stream(
                "POST", "/v1/audio/speech", json={"input": LONG, "voice": "robot", "response_format": "pcm"}
            ) as answer,
        ):
            for _ in answer.iter_bytes():
                heard.set()
                if done.is_set():
                    return

    done = threading.Event()
    reader = threading.Thread(target=listen)
    reader.start()
    assert heard.wait(20)
    before = served.metric("voxgrad_audio_seconds_total")
    assert all(served.say("Hello there.").status_code == 200 for _ in range(3))
    between = served.metric("voxgrad_audio_seconds_total") - before
    done.set()
    reader.join()
    assert between < 100  # not the whole book


def test_beyond_the_queue_a_client_is_told_to_come_back(served):
    with ThreadPoolExecutor(60) as threads:
        answers = list(threads.map(lambda _: served.say("Hello there.", steps=1, speed=4.0), range(60)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 429}
    assert codes.count(200) >= 40
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert served.say("Hello there.").status_code == 200


def test_a_disk_that_is_full_keeps_what_was_recorded(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this process may not mount a tmpfs")

    async def sound():
        for _ in range(20):
            yield bytes(10_000)

    try:
        session = RecordingSession.create(place / "s", name="ann", speaker="Ann", statement="Yes.")
        for number in range(1, 4):
            incoming = session.incoming()
            try:
                asyncio.run(uploads.store(incoming, sound()))
                session.keep(number, incoming)
            except EnvironmentFailureError as error:
                refused = as_http(error)
                break
            finally:
                incoming.unlink(missing_ok=True)
        else:
            pytest.fail("the disk was never full")
        assert (number, refused.status) == (2, 507)
        assert session.take(1).stat().st_size == 200_000
        assert {one.name for one in session.directory.iterdir()} == {"session.json", "metadata.csv", "wavs"}
        with pytest.raises(HTTPError, match="MB left"):
            asyncio.run(uploads.take(session.directory, "a.wav", sound(), Limits()))
    finally:
        subprocess.run([str(shutil.which("umount")), str(place)], check=True)


@pytest.mark.slow
def test_sigterm_lets_an_answer_end(serve, chain):
    with serve(chain.home, "--workers", 1) as server:
        body = {"input": "Hello there. And so on.", "voice": "robot", "response_format": "pcm", "steps": 12}
        with ThreadPoolExecutor(1) as threads, server.client() as client:
            answer = threads.submit(client.post, "/v1/audio/speech", json=body)
            eventually(lambda: server.metric("voxgrad_requests_active") == 1)
            server.process.terminate()
            assert answer.result().status_code == 200
            assert len(answer.result().content) > 10_000
        assert server.process.wait(15) == 0
        assert server.process.stderr.read() == ""
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2])))
