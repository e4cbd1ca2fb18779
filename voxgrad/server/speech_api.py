"""OpenAI's routes: speech, models, voices (https://platform.openai.com/docs/api-reference/audio/createSpeech).

Speech is sent while it is made: an audio file in pieces, or server-sent events.
"""

import asyncio
import base64
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from voxgrad.audio.codecs import check_format
from voxgrad.options import given, request_body
from voxgrad.presets import validated
from voxgrad.server.encoders import MEDIA_TYPES, EncoderThread, open_encoder
from voxgrad.server.http import HTTPError, as_http, parsed, unless_left
from voxgrad.server.service import SpeechService, UnknownVoiceError, log_text
from voxgrad.server.settings import Limits, ServerSettings
from voxgrad.server.workers import Metrics
from voxgrad.settings import DeliverySpec, Quality, SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.voice.cast import Cast
from voxgrad.voice.speak import SpokenPassage
from voxgrad.voice.speakers import Speaker, speakers_of
from voxgrad.voice.voice import SpeechJob, Voice

_LOG = logging.getLogger("voxgrad.server")
MODELS: Final[dict[str, Quality]] = {
    "voxgrad": "default",
    "voxgrad-draft": "draft",
    "voxgrad-best": "best",
    "tts-1": "default",
    "tts-1-hd": "best",
    "gpt-4o-mini-tts": "default",
}
"""The quality by the name of a model; OpenAI's are there because many clients know no other."""

VOICES: Final = frozenset((
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse",
))  # fmt: skip
"""OpenAI's voices, which many clients ask for unless told otherwise."""

_BLOCK: Final = 1 << 16  # bytes
_CHARACTERS_A_TOKEN: Final = 4  # of OpenAI's count; here it costs nothing
_LOWER: Final = BeforeValidator(lambda given: given.lower() if isinstance(given, str) else given)


class _Documented(BaseModel):
    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)


class NamedVoice(_Documented):
    """A voice, as some of OpenAI's clients name it."""

    id: Annotated[str, Field(max_length=200)]


class SpeechBody(_Documented):
    """What to speak, and how. Fields that are not known, such as `instructions`, are ignored; null is the default."""

    model: str = "voxgrad"
    """voxgrad, voxgrad-draft (fast) or voxgrad-best (slow), or one of OpenAI's."""
    input: str
    """The text, or SSML."""
    voice: Annotated[str, Field(max_length=200)] | NamedVoice | None = None
    """A reference such as alice or english:kathleen, or a name of OpenAI's (default: the newest voice)."""
    response_format: Annotated[Literal["mp3", "m4a", "opus", "aac", "flac", "wav", "pcm"] | None, _LOWER] = None
    """Format of the audio (default: that of the purpose, or mp3)."""
    stream_format: Annotated[Literal["audio", "sse"], _LOWER] = "audio"
    """The audio file in pieces, or server-sent events."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Another number gives another reading."""
    include: list[Literal["words", "mel"]] = []
    """What events contain beside the audio."""


SpeechRequest = request_body(SpeechBody, SynthesisSpec, DeliverySpec, without={"speaker"})
"""With the settings of `say`; the voice names the speaker."""


class WordTimes(_Documented):
    """When a word is said, in seconds."""

    text: str
    start: float
    stop: float


class PassageTimes(_Documented):
    """When a passage is said, in seconds."""

    start: float
    stop: float
    words: list[WordTimes]


class Mel(_Documented):
    """A mel spectrogram."""

    bands: int
    frames: str
    """Bytes from 0 to 255 in base64, frame by frame."""


class AudioDelta(_Documented):
    """The event of a passage that is spoken."""

    type: Literal["speech.audio.delta"] = "speech.audio.delta"
    audio: str
    """The next bytes of the audio file, in base64."""
    passage: PassageTimes | None = None
    mel: Mel | None = None


class Usage(_Documented):
    """Counts as OpenAI's; they cost nothing here."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class AudioDone(_Documented):
    """The last event."""

    type: Literal["speech.audio.done"] = "speech.audio.done"
    usage: Usage


class ModelInfo(_Documented):
    """A model, which is a quality of speech."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "voxgrad"


class ModelList(_Documented):
    """The models."""

    object: Literal["list"] = "list"
    data: list[ModelInfo]


class VoiceInfo(_Documented):
    """A voice or base."""

    id: str
    """What a request calls it."""
    name: str
    object: Literal["voice"] = "voice"
    ref: str
    """With its version."""
    kind: str
    created: str
    consent: str | None
    """Statement of the person whose voice it is."""
    licence: str | None
    embedded: bool
    """It comes with voxgrad."""
    size: int
    """In bytes."""
    speakers: list[str]
    """Of a base; a request names one as base:speaker."""
    speaker_details: list[Speaker]
    """What is known of them, or of the one speaker of a voice."""
    languages: list[str]
    """Codes for `language` that it speaks, its own first."""


class VoiceList(_Documented):
    """The newest version of every voice and base."""

    object: Literal["list"] = "list"
    voices: list[VoiceInfo]


async def speech(request: Request) -> Response:
    """POST /v1/audio/speech."""
    service: SpeechService = request.app.state.service
    settings: ServerSettings = request.app.state.settings
    body = await parsed(request, SpeechRequest)
    most = settings.limits.text_characters
    if len(body.input) > most:
        message = f"input has {len(body.input)} characters, but at most {most} are allowed: send it in parts."
        raise HTTPError(400, message, code="string_above_max_length", parameter="input")
    _require_model(body.model)
    wanted = body.voice.id if isinstance(body.voice, NamedVoice) else body.voice
    voice = await asyncio.to_thread(_find, service, wanted, settings.voice_names)
    synthesis = {"quality": MODELS[body.model], **given(SynthesisSpec, body), "speaker": voice.speaker}
    asked = SpeechJob(
        body.input,
        Cast(voice),
        validated(SynthesisSpec, synthesis, "the request"),
        validated(DeliverySpec, given(DeliverySpec, body), "the request"),
        body.seed,
    )
    if settings.log_text:
        log_text(asked)
    return await _speak(request, service, asked, body, settings.limits)


def _require_model(name: str) -> None:
    if name not in MODELS:
        message = f"There is no model {name[:80]!r}. There are: {', '.join(MODELS)}."
        raise HTTPError(404, message, code="model_not_found", parameter="model")


def _find(service: SpeechService, wanted: str | None, names: Mapping[str, str]) -> Voice:
    """As `SpeechService.find`; a name that no voice has may be another name of one, or one of OpenAI's."""
    try:
        return service.find(wanted)
    except UnknownVoiceError:
        if wanted is None or (wanted not in names and wanted not in VOICES):
            raise
        return service.find(names.get(wanted))


async def _speak(
    request: Request, service: SpeechService, asked: SpeechJob, body: SpeechBody, limits: Limits
) -> Response:
    """Speak for a client, from its place in the queue to the last byte."""
    began = time.monotonic()
    kind = body.response_format or asked.delivery.format or "mp3"
    check_format(kind, asked.delivery)
    events = body.stream_format == "sse"
    async with AsyncExitStack() as stack:
        stack.enter_context(service.admitted())
        pieces = await stack.enter_async_context(aclosing(service.stream(asked)))
        async with asyncio.timeout(limits.start_seconds):
            first, last = await unless_left(request, anext(pieces))
        service.metrics.first_audio.observe(time.monotonic() - began)
        recipe = await service.recipe(asked)
        whole = last and not events
        encoder = EncoderThread(open_encoder(kind, asked.rate, recipe.remark, asked.delivery, whole=whole))
        stack.callback(encoder.leave)
        if whole:
            file = await encoder.write(first.samples) + await encoder.finish()
            return Response(file, media_type=MEDIA_TYPES[kind])

        async def spoken() -> AsyncIterator[SpokenPassage]:
            yield first
            async for piece, _ in pieces:
                yield piece

        content = _events(spoken(), encoder, asked, body.include) if events else _audio(spoken(), encoder)
        media_type = "text/event-stream" if events else MEDIA_TYPES[kind]
        return _HeldResponse(content, media_type, stack.pop_all(), limits.request_seconds, service.metrics)
    raise AssertionError  # for mypy: the stack swallows nothing


class _HeldResponse(StreamingResponse):
    """A stream that frees what it holds however it ends: read, left, failed or too slow."""

    def __init__(
        self, body: AsyncIterator[bytes], media_type: str, held: AsyncExitStack, seconds: float, metrics: Metrics
    ) -> None:
        super().__init__(self._counted(body), media_type=media_type, headers={"Cache-Control": "no-store"})
        self._held, self._seconds, self._metrics = held, seconds, metrics

    async def _counted(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for content in body:
                yield content
        except BaseException:
            self._metrics.cancelled.inc()
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held, asyncio.timeout(self._seconds):
            await super().__call__(scope, receive, send)


async def _audio(pieces: AsyncIterator[SpokenPassage], encoder: EncoderThread) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if content := await encoder.write(piece.samples):
            yield content
    for block in _blocks(await encoder.finish()):
        yield block


def _blocks(content: bytes) -> Iterator[bytes]:
    """What is large in parts: a client is given time for each of them, not for all."""
    return (content[start : start + _BLOCK] for start in range(0, len(content), _BLOCK))


async def _events(
    pieces: AsyncIterator[SpokenPassage], encoder: EncoderThread, asked: SpeechJob, include: list[Any]
) -> AsyncIterator[bytes]:
    """OpenAI's events: ``speech.audio.delta`` with audio in base64, then ``speech.audio.done`` with counts."""
    seconds = 0.0
    try:
        async for piece in pieces:
            seconds += len(piece.samples) / asked.rate
            audio = _base64(await encoder.write(piece.samples))
            times = _timing(piece) if "words" in include else None
            mel = _mel(piece, asked) if "mel" in include and piece.mel.size else None
            yield _event(AudioDelta(audio=audio, passage=times, mel=mel).model_dump(exclude_none=True))
        for block in _blocks(await encoder.finish()):
            yield _event(AudioDelta(audio=_base64(block)).model_dump(exclude_none=True))
    except Exception as error:  # noqa: BLE001 - the status is sent: all that is left is an event
        shown = as_http(error)
        if shown.status >= 500:
            _LOG.exception("speech failed")
        yield _event({"type": "error", **shown.content})
        return
    counts = len(asked.text) // _CHARACTERS_A_TOKEN, round(seconds * 20)
    usage = Usage(input_tokens=counts[0], output_tokens=counts[1], total_tokens=sum(counts))
    yield _event(AudioDone(usage=usage).model_dump())


def _timing(piece: SpokenPassage) -> PassageTimes:
    words = [
        WordTimes(text=word.written, start=round(word.start, 3), stop=round(word.stop, 3))
        for word in piece.timing.words
        if word.written
    ]
    return PassageTimes(start=piece.timing.start, stop=piece.timing.stop, words=words)


def _mel(piece: SpokenPassage, asked: SpeechJob) -> Mel:
    low, high = asked.voice.spec.mel.range
    frames = (np.clip((piece.mel - low) / (high - low), 0, 1) * 255).T.astype(np.uint8)
    return Mel(bands=frames.shape[1], frames=_base64(frames.tobytes()))


def _event(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content, separators=(',', ':'))}\n\n".encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


async def models(request: Request) -> Response:
    """GET /v1/models, and one of them by its name."""
    wanted = request.path_params.get("model")
    if wanted is None:
        return JSONResponse(ModelList(data=[ModelInfo(id=name) for name in MODELS]).model_dump())
    _require_model(wanted)
    return JSONResponse(ModelInfo(id=wanted).model_dump())


async def options(_: Request) -> Response:
    """GET /v1/audio/options: the settings of a request as properties of a JSON Schema."""
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

    def listed() -> VoiceList:
        return VoiceList(voices=[described(voice, service) for voice in service.newest_speakers()])

    return JSONResponse((await asyncio.to_thread(listed)).model_dump())


def described(voice: Artifact, service: SpeechService) -> VoiceInfo:
    """A voice for clients."""
    manifest, speakers = voice.manifest, speakers_of(voice, service.languages(voice))
    return VoiceInfo(
        id=voice.name,
        name=voice.name,
        ref=voice.ref,
        kind=voice.kind,
        created=manifest.created,
        consent=manifest.consent,
        licence=manifest.licence,
        embedded=voice.embedded,
        size=voice.size,
        speakers=[speaker.name for speaker in speakers] if voice.kind == "base" else [],
        speaker_details=list(speakers),
        languages=list(service.spoken(voice)),
    )


ROUTES = [
    Route("/v1/audio/speech", speech, methods=["POST"]),
    Route("/v1/models", models, methods=["GET"]),
    Route("/v1/models/{model}", models, methods=["GET"]),
    Route("/v1/audio/options", options, methods=["GET"]),
    Route("/v1/audio/voices", voices, methods=["GET"]),
]
