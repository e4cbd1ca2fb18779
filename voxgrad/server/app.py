"""The application: all routes, what they share, and what happens when it starts and stops."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from voxgrad.errors import VoxgradError
from voxgrad.server import openai_api, recordings_api, voice_management_api, worker
from voxgrad.server.clone_jobs import CloneJobs
from voxgrad.server.errors import HTTPError, as_http, error_response
from voxgrad.server.metrics import CONTENT_TYPE, Metrics
from voxgrad.server.protection import Protection, check_settings
from voxgrad.server.remote_speaker import slots
from voxgrad.server.settings import ServerSettings
from voxgrad.server.speech_response import ClientLeftError
from voxgrad.server.speech_service import QueueFullError, SpeechService
from voxgrad.server.worker_pool import WorkerPool
from voxgrad.server.wyoming_service import start_wyoming
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.store.store import Store
from voxgrad.voice.voice import Cast

_FIRST_WORDS = "This is the first sentence."
_PAGE = Path(__file__).parent / "page"
_CLIENT_LEFT = 499  # nginx's number; nobody is there to read it


def build_app(store: Store, settings: ServerSettings) -> Starlette:
    """The server as an ASGI application.

    Args:
        store: voices, recordings and runs.
        settings: of the server.

    Raises:
        BadInputError: it would be open to other machines without a token.
    """
    check_settings(settings)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            pool = WorkerPool(
                settings.workers, settings.voice_megabytes, settings.limits.passage_seconds, metrics
            )
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
        routes=_routes(),
        middleware=[Middleware(Protection, settings=settings, metrics=metrics)],
        exception_handlers=dict.fromkeys(
            (HTTPError, VoxgradError, QueueFullError, TimeoutError, Exception), _failed
        )
        | {HTTPException: _not_routed, ClientLeftError: _left},
        lifespan=lifespan,
    )
    app.state.settings, app.state.metrics, app.state.failure = settings, metrics, None
    app.state.wyoming_port = None
    return app


def _routes() -> list[BaseRoute]:
    return [
        Route("/", page, methods=["GET"]),
        Mount("/page", StaticFiles(directory=_PAGE), name="page"),
        *openai_api.ROUTES,
        *recordings_api.ROUTES,
        *voice_management_api.ROUTES,
        Route("/healthz", healthz, methods=["GET"]),
        Route("/metrics", metrics_text, methods=["GET"]),
    ]


async def _warm(service: SpeechService) -> None:
    """Start the workers; each says a sentence, so that the first client waits no longer than the second."""
    voice = service.find(None)
    passages = Cast(voice).passages([_FIRST_WORDS])
    await service.pool.start(
        worker.speak, *slots(voice), next(passages), SynthesisSpec(), DeliverySpec(), 0, ()
    )


async def page(request: Request) -> Response:
    """GET /: the page."""
    del request
    return FileResponse(_PAGE / "index.html", headers={"Cache-Control": "no-cache"})


async def healthz(request: Request) -> Response:
    """GET /healthz: the server takes requests."""
    service: SpeechService = request.app.state.service
    return JSONResponse({"status": "ok", "workers": service.pool.workers, "waiting": service.pool.waiting})


async def metrics_text(request: Request) -> Response:
    """GET /metrics, in Prometheus' text format."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})


async def _failed(request: Request, error: Exception) -> Response:
    del request
    return error_response(as_http(error))


async def _not_routed(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: no such route, or method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for no other
    message = f"{request.method} {request.url.path[:200]}: {error.detail}."
    refusal = HTTPError(error.status_code, message, code="not_found")
    refusal.headers = dict(error.headers) if error.headers else None
    return error_response(refusal)


async def _left(request: Request, error: Exception) -> Response:
    del error
    metrics: Metrics = request.app.state.metrics
    metrics.cancelled.inc()
    return Response(status_code=_CLIENT_LEFT)
