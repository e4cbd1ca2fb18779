"""Routes of the page's voices: rename, export, delete, bring back, and the card that compares voice and base."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from voxgrad.errors import BadInputError
from voxgrad.events import ignore
from voxgrad.files import explain_os_errors
from voxgrad.server import worker
from voxgrad.server.errors import HTTPError
from voxgrad.server.openai_api import described
from voxgrad.server.remote_speaker import slot_of
from voxgrad.server.request_body import parsed
from voxgrad.server.speech_response import unless_left
from voxgrad.server.speech_service import SpeechService, UnknownVoiceError
from voxgrad.store.archive import LIMIT, SUFFIX, export, import_archive
from voxgrad.store.artifact import Artifact, check_name
from voxgrad.store.lineage import Lineage
from voxgrad.store.maintenance import in_trash, remove, restore
from voxgrad.store.store import Store

_MADE_AGAIN: Final = frozenset({"card", "speech", "evaluation"})
"""What may go along with a voice: it can be made again."""


class NameBody(BaseModel):
    """A new name."""

    name: Annotated[str, Field(max_length=64)]


class RefBody(BaseModel):
    """What to bring back, such as ``alice@v1``."""

    ref: Annotated[str, Field(max_length=200)]


async def _with_voice(request: Request, function: Callable[[Store, Artifact], Any]) -> Any:
    """Do something in a thread with the voice that a path names.

    Raises:
        UnknownVoiceError: there is none.
    """
    store = _store(request)

    def work() -> Any:
        wanted = request.path_params["voice"]
        try:
            voice = store.find(wanted, "voice")
        except BadInputError as error:
            raise UnknownVoiceError(error.message, error.hint) from error
        return function(store, voice)

    return await asyncio.to_thread(work)


def _store(request: Request) -> Store:
    service: SpeechService = request.app.state.service
    return service.store


async def rename(request: Request) -> Response:
    """POST /api/voices/{voice}/rename: the same voice under another name; the old one goes to the trash."""
    body = await parsed(request, NameBody, request.app.state.settings.limits)
    return JSONResponse(
        described(await _with_voice(request, lambda store, one: _renamed(store, one, body.name)))
    )


def _renamed(store: Store, voice: Artifact, name: str) -> Artifact:
    check_name(name)
    if store.layout.locations("voice", name):
        raise BadInputError(f"there is a voice {name} already", "Choose another name.")
    _check_removable(store, voice)
    # An artifact's name is part of its manifest, so that this is a copy.
    with explain_os_errors("rename a voice"), tempfile.TemporaryDirectory(dir=store.home) as scratch:
        archive = Path(scratch) / f"voice{SUFFIX}"
        export([voice], archive, ignore)
        arrival = import_archive(store, archive, name=name, limit=LIMIT, emit=ignore)[0]
    remove(store, voice, cascade=True)
    return arrival.artifact


async def delete(request: Request) -> Response:
    """DELETE /api/voices/{voice}: to the trash, with its cards and speech."""

    def work(store: Store, voice: Artifact) -> list[str]:
        _check_removable(store, voice)
        return [one.ref for one in remove(store, voice, cascade=True)]

    return JSONResponse({"removed": await _with_voice(request, work)})


def _check_removable(store: Store, voice: Artifact) -> None:
    """See that nothing goes along that cannot be made again.

    Raises:
        BadInputError: another voice was made from this one, or it comes with voxgrad.
    """
    needed = [one for one in Lineage.of(store).descendants(voice) if one.kind not in _MADE_AGAIN]
    if needed:
        raise BadInputError(f"{voice} is needed by {needed[0]}", "Delete that first.")


async def trash(request: Request) -> Response:
    """GET /api/trash: the voices that can be brought back, the last removed first."""
    found = await asyncio.to_thread(in_trash, _store(request))
    shown = [
        {
            "ref": one.location.ref,
            "name": one.location.name,
            "removed": one.removed.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for one in found
        if one.location.kind == "voice"
    ]
    return JSONResponse({"voices": shown})


async def bring_back(request: Request) -> Response:
    """POST /api/trash/restore: a voice, and the cards that went with it."""
    body = await parsed(request, RefBody, request.app.state.settings.limits)
    store = _store(request)

    def work() -> list[str]:
        back = restore(store, f"voice/{body.ref}")
        digests = {one.digest for one in back if isinstance(one, Artifact)}
        for lost in in_trash(store):
            found = lost.entry
            if isinstance(found, Artifact) and found.kind == "card" and _voice_of(found) in digests:
                back += restore(store, f"card/{found.ref}")
        return [one.ref for one in back]

    return JSONResponse({"restored": await asyncio.to_thread(work)})


async def download(request: Request) -> Response:
    """GET /api/voices/{voice}/export: the voice as an archive."""

    def work(store: Store, voice: Artifact) -> tuple[str, tempfile.TemporaryDirectory[str]]:
        with explain_os_errors("export a voice"):
            scratch = tempfile.TemporaryDirectory(dir=store.home)
            name = f"{voice.name}-v{voice.version}{SUFFIX}"
            try:
                export([voice], Path(scratch.name) / name, ignore)
            except BaseException:
                scratch.cleanup()
                raise
        return name, scratch

    name, scratch = await _with_voice(request, work)
    return FileResponse(
        Path(scratch.name) / name,
        media_type="application/octet-stream",
        filename=name,
        background=BackgroundTask(scratch.cleanup),
    )


def _voice_of(card: Artifact) -> str | None:
    """The digest of the voice that a card is about."""
    parent = card.manifest.parents.get("voice")
    return None if parent is None else parent.digest


async def card(request: Request) -> Response:
    """GET /api/voices/{voice}/card: the page, as text, for ours to take what it shows from."""

    def work(store: Store, voice: Artifact) -> Path | None:
        cards = [one for one in store.list("card") if _voice_of(one) == voice.digest]
        return cards[-1].path("card.html") if cards else None

    path = await _with_voice(request, work)
    if path is None:
        raise HTTPError(404, "This voice has no card yet.", code="not_found")
    return FileResponse(path, media_type="text/plain; charset=utf-8")


async def make_card(request: Request) -> Response:
    """POST /api/voices/{voice}/card: makes the page where it is missing."""
    service: SpeechService = request.app.state.service
    voice = await _with_voice(request, lambda _, one: one)
    call = service.pool.call(worker.make_card, service.store.home, slot_of(voice))
    return JSONResponse({"card": await unless_left(request, call)}, 201)


_VOICE: Final = "/api/voices/{voice}"
ROUTES = [
    Route(_VOICE, delete, methods=["DELETE"]),
    Route(f"{_VOICE}/rename", rename, methods=["POST"]),
    Route(f"{_VOICE}/export", download, methods=["GET"]),
    Route(f"{_VOICE}/card", card, methods=["GET"]),
    Route(f"{_VOICE}/card", make_card, methods=["POST"]),
    Route("/api/trash", trash, methods=["GET"]),
    Route("/api/trash/restore", bring_back, methods=["POST"]),
]
