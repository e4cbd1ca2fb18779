"""Routes of the page: voices, their cards and the trash."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from voxgrad.errors import BadInputError
from voxgrad.evaluation.verdicts import verdicts
from voxgrad.events import ignore
from voxgrad.files import explain_os_errors
from voxgrad.server import workers
from voxgrad.server.http import HTTPError, parsed, unless_left
from voxgrad.server.service import SpeechService, UnknownVoiceError
from voxgrad.server.speech_api import VoiceInfo, described
from voxgrad.store.archive import LIMIT, SUFFIX, export, import_archive
from voxgrad.store.artifact import Artifact, check_name
from voxgrad.store.maintenance import in_trash, remove, restore
from voxgrad.store.store import Lineage, Store

T = TypeVar("T")
_MADE_AGAIN: Final = frozenset({"card", "speech", "evaluation"})
"""Kinds that may be removed with a voice, because they can be made again."""


class NameBody(BaseModel):
    """A new name."""

    name: Annotated[str, Field(max_length=64)]


class RefBody(BaseModel):
    """What to bring back, such as ``alice@v1``."""

    ref: Annotated[str, Field(max_length=200)]


async def _with_voice(request: Request, function: Callable[[Store, Artifact], T]) -> T:
    """Do something in a thread with the voice that a path names."""
    store: Store = request.app.state.service.store

    def work() -> T:
        try:
            voice = store.find(request.path_params["voice"], "voice")
        except BadInputError as error:
            raise UnknownVoiceError(error.message, error.hint) from error
        return function(store, voice)

    return await asyncio.to_thread(work)


async def rename(request: Request) -> Response:
    """POST /api/voices/{voice}/rename: the same voice under another name; the old one goes to the trash."""
    body = await parsed(request, NameBody)
    service: SpeechService = request.app.state.service

    def work(store: Store, voice: Artifact) -> VoiceInfo:
        return described(_renamed(store, voice, body.name), service)

    return JSONResponse((await _with_voice(request, work)).model_dump())


def _renamed(store: Store, voice: Artifact, name: str) -> Artifact:
    check_name(name)
    if store.layout.locations("voice", name):
        raise BadInputError(f"a voice {name} already exists", "Choose another name.")
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
        return [removed.ref for removed in remove(store, voice, cascade=True)]

    return JSONResponse({"removed": await _with_voice(request, work)})


def _check_removable(store: Store, voice: Artifact) -> None:
    """Check that nothing is removed with it that cannot be made again, such as another voice."""
    needed = [child for child in Lineage(store).descendants(voice) if child.kind not in _MADE_AGAIN]
    if needed:
        raise BadInputError(f"{voice} is needed by {needed[0]}", "Delete that first.")


async def trash(request: Request) -> Response:
    """GET /api/trash: the voices that can be brought back, the last removed first."""
    store: Store = request.app.state.service.store
    shown = [
        {"ref": lost.location.ref, "name": lost.location.name, "removed": lost.removed.strftime("%Y-%m-%dT%H:%M:%SZ")}
        for lost in await asyncio.to_thread(in_trash, store)
        if lost.location.kind == "voice"
    ]
    return JSONResponse({"voices": shown})


async def bring_back(request: Request) -> Response:
    """POST /api/trash/restore: a voice, and the cards that went with it."""
    body = await parsed(request, RefBody)
    store: Store = request.app.state.service.store

    def work() -> list[str]:
        back = restore(store, f"voice/{body.ref}")
        digests = {entry.digest for entry in back if isinstance(entry, Artifact)}
        for lost in in_trash(store):
            page = lost.entry
            if isinstance(page, Artifact) and page.kind == "card" and _voice_of(page) in digests:
                back += restore(store, f"card/{page.ref}")
        return [entry.ref for entry in back]

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
    """GET /api/voices/{voice}/card: the verdicts, which call the speaker "you", and the card's HTML."""

    def work(store: Store, voice: Artifact) -> dict[str, Any] | None:
        cards = [page for page in store.list("card") if _voice_of(page) == voice.digest]
        if not cards:
            return None
        page = cards[-1].path("card.html").read_text(encoding="utf-8")
        return {"verdicts": verdicts(cards[-1].manifest.metrics, to_speaker=True, on_page=True), "page": page}

    found = await _with_voice(request, work)
    if found is None:
        raise HTTPError(404, "This voice has no card yet.", code="not_found")
    return JSONResponse(found)


async def make_card(request: Request) -> Response:
    """POST /api/voices/{voice}/card: makes the page where it is missing."""
    service: SpeechService = request.app.state.service
    slot = await _with_voice(request, lambda _, voice: voice.location)
    call = service.pool.call(workers.make_card, service.store.home, slot)
    return JSONResponse({"card": await unless_left(request, call)}, 201)


_VOICE: Final = "/api/voices/{voice}"
ROUTES = [
    Route(path, endpoint, methods=[method])
    for method, path, endpoint in (
        ("DELETE", _VOICE, delete),
        ("POST", f"{_VOICE}/rename", rename),
        ("GET", f"{_VOICE}/export", download),
        ("GET", f"{_VOICE}/card", card),
        ("POST", f"{_VOICE}/card", make_card),
        ("GET", "/api/trash", trash),
        ("POST", "/api/trash/restore", bring_back),
    )
]
