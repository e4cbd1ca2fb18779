"""Routes of the page: recording sessions, and the clone jobs that make voices of them."""

import asyncio
import re
import shutil
from contextlib import suppress
from typing import Annotated, Any, Final, Literal
from uuid import uuid4

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.files import explain_os_errors
from voxgrad.preparation.recording_session import MOST_PROMPTS, RecordingSession, read_prompts, sessions
from voxgrad.presets import preset_names
from voxgrad.server import uploads, workers
from voxgrad.server.clone import CloneJobs, CloneRequest
from voxgrad.server.http import HTTPError, chunks, parsed, unless_left
from voxgrad.server.service import SpeechService
from voxgrad.server.settings import ServerSettings
from voxgrad.store.store import Store
from voxgrad.text.languages import known_language, name_of, named
from voxgrad.text.symbols import ENGLISH
from voxgrad.weights import languages_of

_FOLDER: Final = "recordings"
"""In the store's home: a folder a session."""
_ID: Final = re.compile(r"[0-9a-f]{32}")
_WAVE: Final = (b"RIFF", b"WAVE")


class SessionBody(BaseModel):
    """The speaker and their consent, which every session needs."""

    name: Annotated[str, Field(max_length=64)]
    speaker: Annotated[str, Field(max_length=200)]
    statement: Annotated[str, Field(max_length=2000)]
    agreed: Literal[True]
    language: Annotated[str, Field(max_length=16)] = ENGLISH
    kind: Literal["prompts", "files"] = "prompts"
    prompts: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=MOST_PROMPTS)] | None = None


class CloneBody(BaseModel):
    """The preset and time limit of a clone job."""

    preset: Annotated[str, Field(max_length=64)] = "fast"
    minutes: Annotated[float, Field(ge=1, le=1440)] | None = None


def _store(request: Request) -> Store:
    service: SpeechService = request.app.state.service
    return service.store


def _session(request: Request) -> RecordingSession:
    identifier = request.path_params["session"]
    directory = _store(request).home / _FOLDER / identifier
    if _ID.fullmatch(identifier) is None or not directory.is_dir():
        raise HTTPError(404, "There is no such recording session.", code="not_found")
    return RecordingSession.open(directory)


def _brief(session: RecordingSession, jobs: CloneJobs) -> dict[str, Any]:
    record, takes = session.record, session.takes()
    return {
        "id": session.directory.name,
        **{name: getattr(record, name) for name in ("name", "speaker", "language", "kind", "created")},
        "prompts": len(record.prompts),
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


async def _shown(request: Request, session: RecordingSession, status: int = 200) -> Response:
    return JSONResponse(await asyncio.to_thread(_whole, session, request.app.state.clones), status)


async def list_sessions(request: Request) -> Response:
    """GET /api/recordings."""
    folder, jobs = _store(request).home / _FOLDER, request.app.state.clones

    def listed() -> dict[str, Any]:
        return {
            "sessions": [_brief(session, jobs) for session in sessions(folder)],
            "languages": _languages(_store(request)),
        }

    return JSONResponse({**await asyncio.to_thread(listed), "presets": preset_names()})


def _languages(store: Store) -> dict[str, str]:
    """The languages that a voice can be made in, by code, with their English names."""
    codes = [ENGLISH]
    with suppress(VoxgradError):  # without a base, recordings are listed all the same
        codes += languages_of(store.find(None, "base"), store)
    return {code: name_of(code) for code in codes}


async def begin_session(request: Request) -> Response:
    """POST /api/recordings."""
    body = await parsed(request, SessionBody)
    prompts: tuple[str, ...] | None = None
    if body.kind == "files":
        prompts = ()
    elif body.prompts is not None:
        prompts = read_prompts(body.prompts)
        if not prompts:
            raise BadInputError("there are no prompts", "Give sentences, one a line, or leave them out.")
    language, store = known_language(body.language), _store(request)
    spoken = await asyncio.to_thread(_languages, store)
    if language not in spoken:
        raise BadInputError(f"no voice can be made in {name_of(language)}", f"There are {named(spoken)}.")
    session = await asyncio.to_thread(
        RecordingSession.create,
        store.home / _FOLDER / uuid4().hex,
        name=body.name,
        speaker=body.speaker,
        statement=body.statement,
        language=language,
        prompts=prompts,
        kind=body.kind,
    )
    return await _shown(request, session, 201)


async def show_session(request: Request) -> Response:
    """GET /api/recordings/{session}."""
    return await _shown(request, _session(request))


async def delete_session(request: Request) -> Response:
    """DELETE /api/recordings/{session}: recordings are gone for good; voices made of them stay."""
    session, busy = _session(request), request.app.state.clones.running
    if busy is not None and busy.directory == session.directory:
        raise HTTPError(409, "A voice is being made from it: stop that first.", code="busy")
    with explain_os_errors("delete recordings"):
        await asyncio.to_thread(shutil.rmtree, session.directory)
    return Response(status_code=204)


async def put_take(request: Request) -> Response:
    """PUT /api/recordings/{session}/takes/{number}: a WAV, which is checked, and kept where it passes."""
    session, limits, jobs = _session(request), request.app.state.settings.limits, request.app.state.clones
    number: int = request.path_params["number"]
    text = session.prompt(number)
    incoming = session.incoming()
    try:
        await uploads.store(incoming, chunks(request, limits.take_bytes, limits))
        with incoming.open("rb") as file:
            head = file.read(12)
        if (head[:4], head[8:12]) != _WAVE:
            raise HTTPError(415, "A take must be a WAV file.", code="unsupported_media_type")
        service: SpeechService = request.app.state.service
        others = session.confusable(number)
        call = service.pool.call(workers.check, incoming, text, others, session.record.language)
        report = await unless_left(request, call)
        unusable = {problem["code"] for problem in report["problems"]} & {"silent", "unreadable"}
        kept = not report["problems"] or (request.query_params.get("keep") == "1" and not unusable)
        if kept:
            await asyncio.to_thread(session.keep, number, incoming)
    finally:
        incoming.unlink(missing_ok=True)
    shown = await asyncio.to_thread(_whole, session, jobs)
    return JSONResponse({"kept": kept, "report": report, "session": shown}, 201 if kept else 200)


async def get_take(request: Request) -> Response:
    """GET /api/recordings/{session}/takes/{number}."""
    session, number = _session(request), request.path_params["number"]
    session.prompt(number)
    if not session.take(number).is_file():
        raise HTTPError(404, "This prompt is not recorded yet.", code="not_found")
    return FileResponse(session.take(number), media_type="audio/wav", headers={"Cache-Control": "no-store"})


async def delete_take(request: Request) -> Response:
    """DELETE /api/recordings/{session}/takes/{number}."""
    session, number = _session(request), request.path_params["number"]
    session.prompt(number)
    await asyncio.to_thread(session.remove, number)
    return await _shown(request, session)


async def put_file(request: Request) -> Response:
    """PUT /api/recordings/{session}/files?name=NAME: a recording, a text, a list, or a zip of them."""
    session, limits = _session(request), request.app.state.settings.limits
    if session.record.kind != "files":
        raise HTTPError(409, "This session records prompts: start another one for files.", code="wrong_kind")
    content = chunks(request, limits.upload_bytes, limits)
    await uploads.take(session.directory, request.query_params.get("name", ""), content, limits)
    return await _shown(request, session, 201)


async def start_clone(request: Request) -> Response:
    """POST /api/recordings/{session}/clone: begins, or goes on where it stopped."""
    session, jobs = _session(request), request.app.state.clones
    settings: ServerSettings = request.app.state.settings
    body = await parsed(request, CloneBody)
    if body.preset not in preset_names():
        message = f"There is no preset {body.preset!r}. There are: {', '.join(preset_names())}."
        raise HTTPError(400, message, code="invalid_value", parameter="preset")
    jobs.require_idle()
    if session.record.kind == "prompts":
        if not session.takes():
            raise BadInputError("nothing is recorded yet", "Record some prompts first.")
        await asyncio.to_thread(session.write_list)  # a full disk may have kept a take from being listed
    asked = CloneRequest(
        home=str(_store(request).home),
        folder=str(session.directory),
        name=session.record.name,
        speaker=session.record.speaker,
        consent=session.record.consent,
        language=session.record.language,
        preset=body.preset,
        minutes=body.minutes,
        overrides=settings.training_overrides,
    )
    job = await jobs.start(session.directory, asked)
    return JSONResponse(job.shown(), 202)


async def show_clone(request: Request) -> Response:
    """GET /api/recordings/{session}/clone."""
    shown = request.app.state.clones.shown(_session(request).directory)
    if shown is None:
        raise HTTPError(404, "No voice was started from this session.", code="not_found")
    return JSONResponse(shown)


async def stop_clone(request: Request) -> Response:
    """DELETE /api/recordings/{session}/clone: stops it; what is done is saved."""
    session, jobs = _session(request), request.app.state.clones
    jobs.stop(session.directory.name)
    return JSONResponse(jobs.shown(session.directory), 202)


_SESSION: Final = "/api/recordings/{session}"
_TAKE: Final = f"{_SESSION}/takes/{{number:int}}"
ROUTES = [
    Route(path, endpoint, methods=[method])
    for method, path, endpoint in (
        ("GET", "/api/recordings", list_sessions),
        ("POST", "/api/recordings", begin_session),
        ("GET", _SESSION, show_session),
        ("DELETE", _SESSION, delete_session),
        ("PUT", _TAKE, put_take),
        ("GET", _TAKE, get_take),
        ("DELETE", _TAKE, delete_take),
        ("PUT", f"{_SESSION}/files", put_file),
        ("POST", f"{_SESSION}/clone", start_clone),
        ("GET", f"{_SESSION}/clone", show_clone),
        ("DELETE", f"{_SESSION}/clone", stop_clone),
    )
]
