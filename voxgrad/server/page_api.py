"""Routes of the page: recording sessions, the voices made of them, and what becomes of these."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from voxgrad.errors import BadInputError
from voxgrad.events import ignore
from voxgrad.files import explain_os_errors
from voxgrad.preparation.recording_session import MOST_PROMPTS, RecordingSession, read_prompts, sessions
from voxgrad.presets import preset_names
from voxgrad.server import uploads, workers
from voxgrad.server.clone import CloneJobs, CloneRequest, own_base
from voxgrad.server.http import HTTPError, chunks, parsed, unless_left
from voxgrad.server.remote_speaker import slot_of
from voxgrad.server.service import SpeechService, UnknownVoiceError
from voxgrad.server.settings import ServerSettings
from voxgrad.server.speech_api import described
from voxgrad.store.archive import LIMIT, SUFFIX, export, import_archive
from voxgrad.store.artifact import Artifact, check_name
from voxgrad.store.lineage import Lineage
from voxgrad.store.maintenance import in_trash, remove, restore
from voxgrad.store.store import Store

T = TypeVar("T")
FOLDER: Final = "recordings"
"""In the store's home: a folder a session."""
_ID: Final = re.compile(r"[0-9a-f]{32}")
_WAVE: Final = (b"RIFF", b"WAVE")


class SessionBody(BaseModel):
    """Who speaks, and that they agree: nobody is recorded without."""

    name: Annotated[str, Field(max_length=64)]
    speaker: Annotated[str, Field(max_length=200)]
    statement: Annotated[str, Field(max_length=2000)]
    agreed: Literal[True]
    kind: Literal["prompts", "files"] = "prompts"
    prompts: (
        Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=MOST_PROMPTS)] | None
    ) = None


class CloneBody(BaseModel):
    """How a voice is made."""

    preset: Annotated[str, Field(max_length=64)] = "fast"
    minutes: Annotated[float, Field(ge=1, le=1440)] | None = None


def folder_of(store: Store) -> Path:
    """Where the sessions of a store lie."""
    return store.home / FOLDER


def _session(request: Request) -> RecordingSession:
    """The session that a path names.

    Raises:
        HTTPError: 404, there is none.
    """
    identifier = request.path_params["session"]
    directory = folder_of(_store(request)) / identifier
    if _ID.fullmatch(identifier) is None or not directory.is_dir():
        raise HTTPError(404, "There is no such recording session.", code="not_found")
    return RecordingSession.open(directory)


def _store(request: Request) -> Store:
    service: SpeechService = request.app.state.service
    return service.store


async def _in_thread(function: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.to_thread(function, *arguments)


async def list_sessions(request: Request) -> Response:
    """GET /api/recordings."""
    jobs: CloneJobs = request.app.state.clones
    found = await _in_thread(sessions, folder_of(_store(request)))
    shown = [await _in_thread(_brief, one, jobs) for one in found]
    return JSONResponse({"sessions": shown, "presets": preset_names()})


def _brief(session: RecordingSession, jobs: CloneJobs) -> dict[str, Any]:
    takes = session.takes()
    return {
        "id": session.directory.name,
        "name": session.record.name,
        "speaker": session.record.speaker,
        "kind": session.record.kind,
        "created": session.record.created,
        "prompts": len(session.record.prompts),
        "takes": len(takes),
        "seconds": round(sum(takes.values()), 1),
        "clone": jobs.shown(session.directory),
    }


def _whole(session: RecordingSession, jobs: CloneJobs) -> dict[str, Any]:
    takes = session.takes()
    return {
        **_brief(session, jobs),
        "statement": session.record.statement,
        "texts": [
            {"number": number, "text": text, "seconds": takes.get(number)}
            for number, text in enumerate(session.record.prompts, 1)
        ],
        "coverage": session.coverage(),
        "files": uploads.listed(session.directory) if session.record.kind == "files" else [],
    }


async def begin_session(request: Request) -> Response:
    """POST /api/recordings."""
    settings: ServerSettings = request.app.state.settings
    body = await parsed(request, SessionBody, settings.limits)
    directory = folder_of(_store(request)) / uploads.fresh_name()
    prompts: tuple[str, ...] | None = None
    if body.kind == "files":
        prompts = ()
    elif body.prompts is not None:
        prompts = read_prompts(body.prompts)
        if not prompts:
            raise BadInputError("there are no prompts", "Give sentences, one a line, or leave them out.")

    def create() -> dict[str, Any]:
        session = RecordingSession.create(
            directory,
            name=body.name,
            speaker=body.speaker,
            statement=body.statement,
            prompts=prompts,
            kind=body.kind,
        )
        return _whole(session, request.app.state.clones)

    return JSONResponse(await _in_thread(create), 201)


async def show_session(request: Request) -> Response:
    """GET /api/recordings/{session}."""
    return JSONResponse(await _in_thread(_whole, _session(request), request.app.state.clones))


async def delete_session(request: Request) -> Response:
    """DELETE /api/recordings/{session}: recordings are gone for good; voices made of them stay."""
    session, jobs = _session(request), request.app.state.clones
    busy = jobs.running
    if busy is not None and busy.session == session.directory.name:
        raise HTTPError(409, "Its voice is in the making: cancel that first.", code="busy")
    with explain_os_errors("delete recordings"):
        await _in_thread(shutil.rmtree, session.directory)
    return Response(status_code=204)


async def put_take(request: Request) -> Response:
    """PUT /api/recordings/{session}/takes/{number}: a WAV, which is checked, and kept where it passes."""
    session, settings = _session(request), request.app.state.settings
    text = session.prompt(request.path_params["number"])
    incoming = session.incoming()
    try:
        await uploads.store(incoming, chunks(request, settings.limits.take_bytes, settings.limits))
        with incoming.open("rb") as file:
            head = file.read(12)
        if (head[:4], head[8:12]) != _WAVE:
            raise HTTPError(415, "A take must be a WAV file.", code="unsupported_media_type")
        service: SpeechService = request.app.state.service
        base = own_base(service.store)
        call = service.pool.call(workers.check, incoming, text, None if base is None else slot_of(base))
        report = await unless_left(request, call)
        unusable = {problem["code"] for problem in report["problems"]} & {"silent", "unreadable"}
        kept = not report["problems"] or (request.query_params.get("keep") == "1" and not unusable)
        if kept:
            await _in_thread(session.keep, request.path_params["number"], incoming)
    finally:
        incoming.unlink(missing_ok=True)
    shown = await _in_thread(_whole, session, request.app.state.clones)
    return JSONResponse({"kept": kept, "report": report, "session": shown}, 201 if kept else 200)


async def get_take(request: Request) -> Response:
    """GET /api/recordings/{session}/takes/{number}."""
    session = _session(request)
    number = request.path_params["number"]
    session.prompt(number)
    if not session.take(number).is_file():
        raise HTTPError(404, "This prompt is not recorded yet.", code="not_found")
    return FileResponse(session.take(number), media_type="audio/wav", headers={"Cache-Control": "no-store"})


async def delete_take(request: Request) -> Response:
    """DELETE /api/recordings/{session}/takes/{number}."""
    session = _session(request)
    session.prompt(request.path_params["number"])
    await _in_thread(session.remove, request.path_params["number"])
    return JSONResponse(await _in_thread(_whole, session, request.app.state.clones))


async def put_file(request: Request) -> Response:
    """PUT /api/recordings/{session}/files?name=NAME: a recording, a text, a list, or a zip of them."""
    session, settings = _session(request), request.app.state.settings
    if session.record.kind != "files":
        raise HTTPError(409, "This session records prompts: begin another for files.", code="wrong_kind")
    content = chunks(request, settings.limits.upload_bytes, settings.limits)
    await uploads.take(session.directory, request.query_params.get("name", ""), content, settings.limits)
    return JSONResponse(await _in_thread(_whole, session, request.app.state.clones), 201)


async def start_clone(request: Request) -> Response:
    """POST /api/recordings/{session}/clone: begins, or goes on where it stopped."""
    session, settings = _session(request), request.app.state.settings
    body = await parsed(request, CloneBody, settings.limits)
    if body.preset not in preset_names():
        message = f"There is no preset {body.preset!r}. There are: {', '.join(preset_names())}."
        raise HTTPError(400, message, code="invalid_value", parameter="preset")
    jobs: CloneJobs = request.app.state.clones
    if jobs.running is not None:
        message = f"The voice {jobs.running.request.name} is in the making: wait, or cancel it."
        raise HTTPError(409, message, code="busy")
    if session.record.kind == "prompts":
        if not session.takes():
            raise BadInputError("nothing is recorded yet", "Record some prompts first.")
        await _in_thread(session.write_list)  # a full disk may have kept a take from being listed
    asked = CloneRequest(
        home=str(_store(request).home),
        folder=str(session.directory),
        name=session.record.name,
        speaker=session.record.speaker,
        consent=session.record.consent,
        preset=body.preset,
        minutes=body.minutes,
        overrides=settings.training_overrides,
    )
    job = await jobs.start(session.directory, asked)
    return JSONResponse(job.shown(), 202)


async def show_clone(request: Request) -> Response:
    """GET /api/recordings/{session}/clone."""
    jobs: CloneJobs = request.app.state.clones
    found = jobs.shown(_session(request).directory)
    if found is None:
        raise HTTPError(404, "No voice of this session was begun.", code="not_found")
    return JSONResponse(found)


async def stop_clone(request: Request) -> Response:
    """DELETE /api/recordings/{session}/clone: stops it; what is done is saved."""
    jobs: CloneJobs = request.app.state.clones
    session = _session(request)
    await jobs.stop(session.directory.name)
    return JSONResponse(jobs.shown(session.directory), 202)


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
    call = service.pool.call(workers.make_card, service.store.home, slot_of(voice))
    return JSONResponse({"card": await unless_left(request, call)}, 201)


_SESSION: Final = "/api/recordings/{session}"
_TAKE: Final = f"{_SESSION}/takes/{{number:int}}"
_VOICE: Final = "/api/voices/{voice}"
ROUTES = [
    Route("/api/recordings", list_sessions, methods=["GET"]),
    Route("/api/recordings", begin_session, methods=["POST"]),
    Route(_SESSION, show_session, methods=["GET"]),
    Route(_SESSION, delete_session, methods=["DELETE"]),
    Route(_TAKE, put_take, methods=["PUT"]),
    Route(_TAKE, get_take, methods=["GET"]),
    Route(_TAKE, delete_take, methods=["DELETE"]),
    Route(f"{_SESSION}/files", put_file, methods=["PUT"]),
    Route(f"{_SESSION}/clone", start_clone, methods=["POST"]),
    Route(f"{_SESSION}/clone", show_clone, methods=["GET"]),
    Route(f"{_SESSION}/clone", stop_clone, methods=["DELETE"]),
    Route(_VOICE, delete, methods=["DELETE"]),
    Route(f"{_VOICE}/rename", rename, methods=["POST"]),
    Route(f"{_VOICE}/export", download, methods=["GET"]),
    Route(f"{_VOICE}/card", card, methods=["GET"]),
    Route(f"{_VOICE}/card", make_card, methods=["POST"]),
    Route("/api/trash", trash, methods=["GET"]),
    Route("/api/trash/restore", bring_back, methods=["POST"]),
]
