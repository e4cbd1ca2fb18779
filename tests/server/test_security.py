"""Strangers and other sites: hosts, origins, tokens, bodies, and requests that are no requests."""

import asyncio
import random
import socket
import threading
import time
from contextlib import suppress

import httpx
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from voxgrad.errors import BadInputError
from voxgrad.server.app import timed_protocol
from voxgrad.server.http import CONTENT_SECURITY_POLICY, HTTPError, Protection, check_settings, chunks
from voxgrad.server.settings import Limits, ServerSettings
from voxgrad.server.workers import Metrics

TOKEN = "a token of 24 characters"  # noqa: S105 - of nothing
JSON = {"content-type": "application/json"}


def raw(served, content: bytes, seconds: float = 10.0, *, ends: bool = True) -> bytes:
    """What the server answers to bytes.

    Uvicorn takes a client that has nothing more to send for one that has left, and may answer nothing: where a status
    is expected, the connection stays open for both.
    """
    with socket.create_connection(("127.0.0.1", served.port), timeout=seconds) as connection:
        connection.sendall(content)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        parts = []
        try:
            while part := connection.recv(65536):
                parts.append(part)
                if not ends:
                    connection.settimeout(0.2)
        except (TimeoutError, ConnectionResetError):
            pass
    return b"".join(parts)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "localhost.evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:80"}, 403),
        ({"host": ""}, 403),
        ({"host": "localhost"}, 200),
        ({"host": "LOCALHOST.:8020"}, 200),
        ({"host": "192.168.1.7:8020"}, 200),
        ({"host": "[::1]:8020"}, 200),
        ({"host": "localhost:8020", "origin": "http://localhost:8020"}, 200),
        ({"host": "localhost:8020", "origin": "https://localhost:8020"}, 200),
        ({"host": "localhost:8020", "origin": "http://localhost:9999"}, 403),
        ({"host": "localhost:8020", "origin": "http://evil.example"}, 403),
        ({"host": "localhost:8020", "origin": "null"}, 403),
        ({"host": "localhost:8020", "origin": "file://localhost:8020"}, 403),
        ({"host": "localhost:8020", "origin": "http://localhost:8020.evil.example"}, 403),
    ],
)
def test_host_and_origin_are_checked(served, headers, code):
    with served.client() as client:
        answer = client.get("/healthz", headers=headers)
    assert answer.status_code == code
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_of_another_site_can_send_is_refused(served, kind):
    with served.client() as client:
        answer = client.post("/v1/audio/speech", content=b'{"input": "Hi."}', headers={"content-type": kind})
    assert answer.status_code == 415


def test_other_machines_need_a_token():
    for host in ("0.0.0.0", "::", "192.168.1.7", "my-server"):  # noqa: S104 - that is what is refused
        with pytest.raises(BadInputError, match="no token"):
            check_settings(ServerSettings(host=host))
        check_settings(ServerSettings(host=host, token=TOKEN))
    for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8"):
        check_settings(ServerSettings(host=host))


def test_the_command_refuses_too(refused):
    assert "--token" in refused("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104
    assert "16" in refused("serve", "--token", "short")
    for origin in ("*", "null", "chat.example.org", "https://chat.example.org/page", "https://", "https://a b"):
        assert "--allow-origin" in refused("serve", "--allow-origin", origin)
    assert "--voice-name" in refused("serve", "--voice-name", "alloy")
    assert "port" in refused("serve", "--host", "no-such-host.invalid", "--token", TOKEN)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"text"', 400),
        (b"\xff\xfe{}", 400),
        (b'{"input": "\\ud800"}', 400),
        (b'{"input": "Hi.", "voice": "\\udfff"}', 404),
        (b'{"input": "Hi.", "speed": NaN}', 400),
        (b'{"input": "Hi.", "speed": 1e999}', 400),
        (b'{"input": "Hi.", "seed": ' + b"9" * 5000 + b"}", 400),
        (b"[" * 100_000, 400),
        (b'{"input": "' + b"x" * (1 << 20) + b'"}', 413),
    ],
    ids=range(13),
)
def test_a_body_that_is_none(served, content, code):
    with served.client() as client:
        answer = client.post("/v1/audio/speech", content=content, headers=JSON)
    assert answer.status_code == code
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("headers", "sent", "code"),
    [
        ([(b"content-length", b"9" * 40)], [], 413),
        ([(b"content-length", b"11")], [], 413),
        ([], [b"x" * 6, b"x" * 6], 413),
        ([], [b"x" * 6, None], 408),
        ([(b"content-length", b"-1")], [b"x" * 10], 200),
    ],
    ids=["huge", "large", "endless", "stopped", "whole"],
)
def test_a_body_has_limits_of_size_and_time(headers, sent, code):
    pieces = iter(sent)

    async def receive() -> dict[str, object]:
        piece = next(pieces, b"")
        if piece is None:
            await asyncio.sleep(10)
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def read() -> int:
        request = Request({"type": "http", "headers": headers}, receive)
        try:
            return 200 if len(b"".join([piece async for piece in chunks(request, 10, limits)])) == 10 else 0
        except HTTPError as error:
            return error.status

    limits = Limits(idle_seconds=0.05)
    assert asyncio.run(read()) == code


HOSTILE = [
    b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    b"GET /../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /page/../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /page/%2e%2e/%2e%2e/settings.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /page/..%2fapp.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /page/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET //etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /api/recordings/../../store.json HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /api/recordings/%2e%2e/takes/1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /api/cards/..%2f..%2fx HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"DELETE /api/voices/%2e%2e HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00" * 2000,
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    b"GET /" + b"z" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n{}",
    (
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ),
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-99999999999999999999\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_requests_get_a_status_of_their_own(served, request_bytes):
    answer = raw(served, request_bytes, ends=False)
    assert status(answer) in {200, 400, 403, 404, 405, 413, 415, 431}
    assert b"root:" not in answer
    assert b"Traceback" not in answer
    assert b"import" not in answer.partition(b"\r\n\r\n")[2][:200] or status(answer) == 200


def test_two_hundred_mutated_requests_leave_the_server_as_it_was(served, mutated):
    chance = random.Random(5)
    body = b'{"input": "Hello there.", "voice": "robot", "steps": 1, "speed": 4}'
    head = b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    whole = head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
    known = {0, 200, 400, 403, 404, 405, 408, 413, 415, 429, 431, 501}
    for _ in range(200):
        edits = [
            (chance.choice(("set", "insert", "cut", "copy")), chance.randrange(len(whole)), chance.randrange(256))
            for _ in range(chance.randrange(1, 4))
        ]
        assert status(raw(served, mutated(whole, edits), 1.0)) in known
    assert served.say("Hello there.").status_code == 200
    assert served.metric("voxgrad_requests_active") == 0


CHAT = "https://chat.example.org"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
    "access-control-request-private-network": "true",
}


@pytest.mark.parametrize(
    ("method", "headers", "code", "readable"),
    [
        ("OPTIONS", {"origin": CHAT, **PREFLIGHT}, 200, True),
        ("OPTIONS", {"origin": CHAT, **PREFLIGHT, "access-control-request-method": "TRACE"}, 400, True),
        ("OPTIONS", {"origin": "https://evil.example", **PREFLIGHT}, 403, False),
        ("OPTIONS", {"origin": CHAT, "host": "evil.example", **PREFLIGHT}, 403, False),
        ("OPTIONS", {"origin": CHAT}, 401, True),  # not a question about what may be sent
        ("POST", {"origin": CHAT}, 401, True),
        ("POST", {"origin": CHAT, "authorization": f"Bearer {TOKEN}"}, 200, True),
        ("POST", {"origin": f"{CHAT}.evil.example", "authorization": f"Bearer {TOKEN}"}, 403, False),
        ("POST", {"origin": "http://localhost", "authorization": f"Bearer {TOKEN}"}, 200, False),
        ("POST", {"authorization": f"Bearer {TOKEN}"}, 200, False),
    ],
)
def test_pages_of_an_allowed_origin_are_let_in_with_their_token(method, headers, code, readable):
    settings = ServerSettings(token=TOKEN, allowed_origins=(CHAT,))
    app = Protection(PlainTextResponse("in"), settings, Metrics().requests)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, "/v1/audio/speech", headers=headers)

    answer = asyncio.run(ask())
    assert answer.status_code == code
    assert answer.headers.get("access-control-allow-origin") == (CHAT if readable else None)
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    if code == 200 and method == "OPTIONS":
        allowed = answer.headers["access-control-allow-headers"].lower().split(",")
        assert {"authorization", "content-type", "x-stainless-lang"} <= {one.strip() for one in allowed}
        assert answer.headers["access-control-allow-private-network"] == "true"


def test_a_token_opens_everything_but_nothing_else_does():
    settings = ServerSettings(token=TOKEN)
    app = Protection(PlainTextResponse("in"), settings, Metrics().requests)

    async def statuses() -> dict[tuple[str, bytes | None], int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return {
                (path, given): (
                    await client.get(path, headers={} if given is None else {"authorization": given})
                ).status_code
                for path in (*OPEN, *CLOSED)
                for given in (None, *WRONG, f"Bearer {TOKEN}".encode())
            }

    for (path, given), code in asyncio.run(statuses()).items():
        is_open = path in OPEN or given == f"Bearer {TOKEN}".encode()
        assert code == (200 if is_open else 401), (path, given)


OPEN = ("/", "/docs", "/openapi.json", "/healthz", "/page/app.js")
CLOSED = ("/v1/models", "/v1/audio/voices", "/metrics", "/api/recordings", "/nowhere", "/pages", "/page")
WRONG = (b"Bearer", b"Bearer wrong", f"Basic {TOKEN}".encode(), f"bearer {TOKEN}x".encode(), b"Bearer \xff")


def test_headers_that_come_byte_by_byte_are_not_waited_for():
    """Slow loris; and a keep-alive connection that begins another header and stops."""
    limits = Limits(header_seconds=0.5)
    config = uvicorn.Config(PlainTextResponse("in"), http=timed_protocol(limits), lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            connections = [socket.create_connection(listener.getsockname(), timeout=5) for _ in range(20)]
            connections[0].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while not connections[0].recv(1000).endswith(b"in"):
                pass
            for one in connections:
                one.sendall(b"GET / HTTP/1.1\r\nHost: local")
            began = time.monotonic()
            for one in connections:
                with suppress(ConnectionResetError):
                    assert one.recv(1000) == b""
                one.close()
            assert time.monotonic() - began < 3
            with socket.create_connection(listener.getsockname(), timeout=5) as one:
                one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert one.recv(1000).startswith(b"HTTP/1.1 200")
        finally:
            server.should_exit = True
            thread.join(10)
