"""The server: application, sockets, timeouts of connections, and shutdown."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import h11
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from uvicorn.protocols.http.h11_impl import H11Protocol

from voxgrad.errors import BadInputError, EnvironmentFailureError, VoxgradError
from voxgrad.server import recordings_api, speech_api, voices_api, workers
from voxgrad.server.clone import CloneJobs
from voxgrad.server.http import ClientLeftError, HTTPError, Protection, as_http, check_settings, error_response
from voxgrad.server.openapi import Health, document
from voxgrad.server.service import SpeechService, locations
from voxgrad.server.settings import Limits, ServerSettings
from voxgrad.server.workers import Metrics, WorkerPool
from voxgrad.server.wyoming import start_wyoming
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.store.store import Store
from voxgrad.text.symbols import ENGLISH
from voxgrad.voice.cast import Cast

_FIRST_WORDS: Final = "This is the first sentence."
_PAGE: Final = Path(__file__).parent / "page"
_CLIENT_LEFT: Final = 499  # nginx's number, for logs: the client does not read it
_MOST_HEADER: Final = 32 * 1024  # bytes
_BACKLOG: Final = 256


def build_app(store: Store, settings: ServerSettings) -> Starlette:
    """The server as an ASGI application.

    Raises:
        BadInputError: other machines could use it without a token.
    """
    check_settings(settings)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            pool = WorkerPool(settings.workers, settings.voice_megabytes, settings.limits.passage_seconds, metrics)
            service = SpeechService(store, pool, settings, metrics)
            try:
                await _warm(service)
            except VoxgradError as error:
                app.state.failure = error  # uvicorn would only log it
                raise
            stack.push_async_callback(pool.close)
            app.state.service, app.state.clones = service, CloneJobs()
            stack.push_async_callback(app.state.clones.close)
            if settings.wyoming is not None:
                wyoming = await start_wyoming(service, settings)
                stack.callback(wyoming.close)
                app.state.wyoming_port = wyoming.sockets[0].getsockname()[1]
            yield

    app = Starlette(
        routes=[
            Route("/", page, methods=["GET"]),
            Mount("/page", StaticFiles(directory=_PAGE), name="page"),
            *speech_api.ROUTES,
            *recordings_api.ROUTES,
            *voices_api.ROUTES,
            Route("/docs", RedirectResponse("/#/docs"), methods=["GET"]),
            Route("/openapi.json", openapi, methods=["GET"]),
            Route("/healthz", healthz, methods=["GET"]),
            Route("/metrics", metrics_text, methods=["GET"]),
        ],
        middleware=[Middleware(Protection, settings=settings, answered=metrics.requests)],
        exception_handlers=dict.fromkeys((HTTPError, VoxgradError, TimeoutError, Exception), _failed)
        | {HTTPException: _not_routed, ClientLeftError: _left},
        lifespan=lifespan,
    )
    app.state.settings, app.state.metrics, app.state.failure = settings, metrics, None
    app.state.wyoming_port = None
    return app


async def _warm(service: SpeechService) -> None:
    """Start the workers; each says a sentence, so that the first client waits no longer than the second."""
    voice = service.find(None)
    passage = next(Cast(voice).passages([_FIRST_WORDS], ENGLISH))
    synthesis = SynthesisSpec()
    located = (*locations(voice), service.graphs(voice, synthesis), None)
    await service.pool.start(workers.speak, *located, passage, synthesis, DeliverySpec(), 0, ())


async def page(_: Request) -> Response:
    """GET /: the page."""
    return FileResponse(_PAGE / "index.html", headers={"Cache-Control": "no-cache"})


async def healthz(request: Request) -> Response:
    """GET /healthz: the server takes requests."""
    pool: WorkerPool = request.app.state.service.pool
    return JSONResponse(Health(workers=pool.workers, waiting=pool.waiting).model_dump())


async def openapi(_: Request) -> Response:
    """GET /openapi.json: the speech routes, described."""
    return JSONResponse(document())


async def metrics_text(request: Request) -> Response:
    """GET /metrics, in Prometheus' text format."""
    content = generate_latest(request.app.state.metrics.registry)
    return Response(content, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _failed(_: Request, error: Exception) -> Response:
    return error_response(as_http(error))


async def _not_routed(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: no such route, or method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for no other
    message = f"{request.method} {request.url.path[:200]}: {error.detail}."
    headers = dict(error.headers) if error.headers else None
    return error_response(HTTPError(error.status_code, message, code="not_found", headers=headers))


async def _left(request: Request, _: Exception) -> Response:
    request.app.state.metrics.cancelled.inc()
    return Response(status_code=_CLIENT_LEFT)


def serve(store: Store, settings: ServerSettings, ready: Callable[[str, int | None], None]) -> None:
    """Serve until SIGINT or SIGTERM, then end the answers in progress.

    ``ready`` is called with the address, and the port of Wyoming, once requests are taken.

    Raises:
        BadInputError: the address cannot be listened to, or other machines would need no token.
        VoxgradError: there is no voice or base, or it cannot speak.
    """
    app = build_app(store, settings)
    with _listener(settings.host, settings.port) as listener:
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
    if app.state.failure is not None:
        raise app.state.failure


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
        message = f"{host} port {port} is not available ({error.strerror})"
        kind = BadInputError if isinstance(error, socket.gaierror) else EnvironmentFailureError
        raise kind(message, "Choose another with --host and --port.") from error
    return listener


def timed_protocol(limits: Limits) -> type[asyncio.Protocol]:
    """Uvicorn's HTTP, with a limit on the time that a client takes to send a header, or to take an answer."""

    class TimedProtocol(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._timers: dict[str, asyncio.TimerHandle] = {}
            self._start("header", limits.header_seconds)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is h11.IDLE:
                self._start("header", limits.header_seconds)
            else:
                self._stop("header")

        def pause_writing(self) -> None:
            super().pause_writing()
            self._start("write", limits.idle_seconds)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._stop("write")

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop("header", "write")
            super().connection_lost(exc)

        def _start(self, name: str, seconds: float) -> None:
            if name not in self._timers:
                self._timers[name] = self.loop.call_later(seconds, self.transport.abort)

        def _stop(self, *names: str) -> None:
            for name in names:
                if name in self._timers:
                    self._timers.pop(name).cancel()

    return TimedProtocol
