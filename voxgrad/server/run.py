"""The server as a process: sockets, timeouts of connections, and an orderly end."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.server.app import build_app
from voxgrad.server.settings import Limits, ServerSettings
from voxgrad.store.store import Store

_MOST_HEADER = 32 * 1024  # bytes
_BACKLOG = 256


def serve(store: Store, settings: ServerSettings, ready: Callable[[str, int | None], None]) -> None:
    """Serve until SIGINT or SIGTERM, then end the answers in progress.

    Args:
        store: voices, recordings and runs.
        settings: of the server.
        ready: called with the address, and the port of Wyoming, once requests are taken.

    Raises:
        BadInputError: the address cannot be listened to, or other machines would need no token.
        VoxgradError: there is no voice or base, or it cannot speak.
    """
    app = build_app(store, settings)
    listener = _listener(settings.host, settings.port)
    with listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        config = uvicorn.Config(
            app,
            http=timed_protocol(settings.limits),
            ws="none",
            lifespan="on",
            limit_concurrency=settings.limits.connections,
            timeout_keep_alive=int(settings.limits.idle_seconds),
            timeout_graceful_shutdown=settings.limits.drain_seconds,
            h11_max_incomplete_event_size=_MOST_HEADER,
            proxy_headers=False,
            server_header=False,
            log_config=None,
            access_log=logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO),
        )
        server = _Server(config, lambda: ready(f"http://{shown}:{port}", app.state.wyoming_port))
        with _signals_ignored_at_the_end():
            server.run(sockets=[listener])
    failure = app.state.failure
    if failure is not None:
        raise failure


class _Server(uvicorn.Server):
    """uvicorn's, which tells when it takes requests."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


@contextmanager
def _signals_ignored_at_the_end() -> Iterator[None]:
    """Uvicorn raises the signal that ended it once more; it has done its work by then."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        message = f"{host} port {port} cannot be listened to ({error.strerror})"
        kind = BadInputError if isinstance(error, socket.gaierror) else EnvironmentFailureError
        raise kind(message, "Choose another with --host and --port.") from error
    return listener


def timed_protocol(limits: Limits) -> type[asyncio.Protocol]:
    """Uvicorn's HTTP, with a limit on the time that a client takes to send a header, or to take an answer."""

    class TimedProtocol(H11Protocol):
        _header_timer: asyncio.TimerHandle | None = None
        _write_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._header_timer = self.loop.call_later(limits.header_seconds, transport.abort)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop_timers(header=True)
            elif self._header_timer is None:
                self._header_timer = self.loop.call_later(limits.header_seconds, self.transport.abort)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._write_timer = self.loop.call_later(limits.idle_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._stop_timers(write=True)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timers(header=True, write=True)
            super().connection_lost(exc)

        def _stop_timers(self, *, header: bool = False, write: bool = False) -> None:
            if header and self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None
            if write and self._write_timer is not None:
                self._write_timer.cancel()
                self._write_timer = None

    return TimedProtocol
