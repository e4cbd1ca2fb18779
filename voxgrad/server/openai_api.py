"""OpenAI's routes: speech, models, voices (https://platform.openai.com/docs/api-reference/audio/createSpeech)."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from voxgrad.options import given, request_body
from voxgrad.presets import validated
from voxgrad.server.errors import HTTPError
from voxgrad.server.request_body import parsed
from voxgrad.server.settings import ServerSettings
from voxgrad.server.speech_response import AnswerForm, speech_response
from voxgrad.server.speech_service import (
    SPEAKERS,
    SpeechRequest,
    SpeechService,
    UnknownVoiceError,
    log_text,
)
from voxgrad.settings import DeliverySpec, Quality, SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.voice.voice import Voice

MODELS: Final[dict[str, Quality]] = {
    "voxgrad": "default",
    "voxgrad-draft": "draft",
    "voxgrad-best": "best",
    "tts-1": "default",
    "tts-1-hd": "best",
    "gpt-4o-mini-tts": "default",
}
"""The quality by the name of a model; OpenAI's are there because many clients know no other."""

VOICES: Final = frozenset(
    [
        "alloy",
        "ash",
        "ballad",
        "cedar",
        "coral",
        "echo",
        "fable",
        "marin",
        "nova",
        "onyx",
        "sage",
        "shimmer",
        "verse",
    ]
)
"""OpenAI's voices, which many clients ask for unless told otherwise."""


_LOWER: Final = BeforeValidator(lambda given: given.lower() if isinstance(given, str) else given)


class _NamedVoice(BaseModel):
    id: Annotated[str, Field(max_length=200)]


class SpeechBody(BaseModel):
    """The body of ``/v1/audio/speech`` apart from settings. What is not known, such as ``instructions``, is ignored."""

    model_config = ConfigDict(extra="ignore")

    model: str = "voxgrad"
    input: str
    voice: Annotated[str, Field(max_length=200)] | _NamedVoice | None = None
    """A reference such as ``alice``, ``english:kathleen``, or a name of OpenAI's; None: the newest voice."""
    response_format: Annotated[Literal["mp3", "opus", "aac", "flac", "wav", "pcm"], _LOWER] = "mp3"
    stream_format: Annotated[Literal["audio", "sse"], _LOWER] = "audio"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    include: list[Literal["words", "mel"]] = []
    """What events bring beside the audio."""


_SPEECH_BODY = request_body(SpeechBody, SynthesisSpec, DeliverySpec, without={"speaker"})
"""With the settings of `say`; the voice names the speaker."""


async def speech(request: Request) -> Response:
    """POST /v1/audio/speech."""
    service: SpeechService = request.app.state.service
    settings: ServerSettings = request.app.state.settings
    body = await parsed(request, _SPEECH_BODY, settings.limits)
    most = settings.limits.text_characters
    if len(body.input) > most:
        message = f"input has {len(body.input)} characters, and {most} are the most: send it in parts."
        raise HTTPError(400, message, code="string_above_max_length", parameter="input")
    asked = await _asked(service, body, settings.voice_names)
    if settings.log_text:
        log_text(asked)
    form = AnswerForm(
        body.response_format,
        events=body.stream_format == "sse",
        words="words" in body.include,
        mel="mel" in body.include,
    )
    return await speech_response(request, service, asked, form, settings.limits)


async def _asked(service: SpeechService, body: SpeechBody, names: Mapping[str, str]) -> SpeechRequest:
    """What a body asks for; ``names`` are other names of voices.

    Raises:
        HTTPError: it names no model of ours.
        VoxgradError: the voice cannot be found or read.
    """
    if body.model not in MODELS:
        message = f"There is no model {body.model[:80]!r}. There are: {', '.join(MODELS)}."
        raise HTTPError(404, message, code="model_not_found", parameter="model")
    wanted = body.voice.id if isinstance(body.voice, _NamedVoice) else body.voice
    speaker = await asyncio.to_thread(_find, service, wanted, names)
    asked = {"quality": MODELS[body.model], **given(SynthesisSpec, body), "speaker": speaker.speaker}
    return SpeechRequest(
        body.input,
        speaker,
        validated(SynthesisSpec, asked, "the request"),
        validated(DeliverySpec, given(DeliverySpec, body), "the request"),
        body.seed,
    )


def _find(service: SpeechService, wanted: str | None, names: Mapping[str, str]) -> Voice:
    """As `SpeechService.find`; a name that no voice has may be another name of one, or one of OpenAI's."""
    try:
        return service.find(wanted)
    except UnknownVoiceError:
        if wanted is None or (wanted not in names and wanted not in VOICES):
            raise
        return service.find(names.get(wanted))


async def models(request: Request) -> Response:
    """GET /v1/models, and one of them by its name."""
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "voxgrad"} for name in MODELS]
    wanted = request.path_params.get("model")
    if wanted is None:
        return JSONResponse({"object": "list", "data": listed})
    if wanted not in MODELS:
        message = f"There is no model {wanted[:80]!r}. There are: {', '.join(MODELS)}."
        raise HTTPError(404, message, code="model_not_found", parameter="model")
    return JSONResponse(next(one for one in listed if one["id"] == wanted))


async def options(request: Request) -> Response:
    """GET /v1/audio/options: the settings of a request as properties of a JSON Schema."""
    del request
    properties = {
        name: schema
        for spec in (SynthesisSpec, DeliverySpec)
        for name, schema in spec.model_json_schema()["properties"].items()
        if name != "speaker"
    }
    return JSONResponse({"type": "object", "properties": properties})


async def voices(request: Request) -> Response:
    """GET /v1/audio/voices: the newest version of every voice and base."""
    service: SpeechService = request.app.state.service
    newest = await asyncio.to_thread(newest_speakers, service)
    return JSONResponse({"object": "list", "voices": [described(one) for one in newest]})


def newest_speakers(service: SpeechService) -> list[Artifact]:
    """The newest version of every voice, then of every base."""
    found = {(one.kind, one.name): one for kind in SPEAKERS for one in service.store.list(kind)}
    return list(found.values())


def described(one: Artifact) -> dict[str, Any]:
    """A voice as clients see it."""
    manifest = one.manifest
    speakers = manifest.settings.get("acoustic", {}).get("speakers", {})
    return {
        "id": one.name,
        "name": one.name,
        "object": "voice",
        "ref": one.ref,
        "kind": one.kind,
        "created": manifest.created,
        "consent": manifest.consent,
        "licence": manifest.licence,
        "embedded": one.embedded,
        "size": one.size,
        "speakers": list(speakers) if one.kind == "base" else [],
    }


ROUTES = [
    Route("/v1/audio/speech", speech, methods=["POST"]),
    Route("/v1/models", models, methods=["GET"]),
    Route("/v1/models/{model}", models, methods=["GET"]),
    Route("/v1/audio/options", options, methods=["GET"]),
    Route("/v1/audio/voices", voices, methods=["GET"]),
]
