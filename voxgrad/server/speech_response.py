"""Answers that carry speech while it is made: an audio file in pieces, or server-sent events."""

import asyncio
import base64
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from voxgrad.server.encoders import MEDIA_TYPES, EncoderThread, open_encoder
from voxgrad.server.errors import as_http, error_content
from voxgrad.server.metrics import Metrics
from voxgrad.server.settings import Limits
from voxgrad.server.speech_service import SpeechRequest, SpeechService
from voxgrad.voice.speak import SpokenPassage

T = TypeVar("T")
_LOG = logging.getLogger("voxgrad.server")
_BLOCK = 1 << 16  # bytes
_CHARACTERS_A_TOKEN = 4  # of OpenAI's count, which nobody pays for here


class ClientLeftError(Exception):
    """Nobody listens any more."""


@dataclass(frozen=True)
class AnswerForm:
    """How a client wants its answer.

    Attributes:
        kind: of the audio, see `MEDIA_TYPES`.
        events: server-sent events instead of a file.
        words: events tell when every word is said.
        mel: events bring the mel.
    """

    kind: str
    events: bool = False
    words: bool = False
    mel: bool = False


async def speech_response(
    request: Request, service: SpeechService, asked: SpeechRequest, form: AnswerForm, limits: Limits
) -> Response:
    """Speak for a client, from its place in the queue to the last byte.

    Raises:
        QueueFullError: there is no place.
        ClientLeftError: it left before there was audio.
        VoxgradError: the text cannot be spoken, or no worker could.
        TimeoutError: there was no audio in time.
    """
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        stack.enter_context(service.admitted())
        pieces = await stack.enter_async_context(aclosing(service.stream(asked)))
        async with asyncio.timeout(limits.start_seconds):
            first, last = await unless_left(request, anext(pieces))
        service.metrics.first_audio.observe(time.monotonic() - began)
        recipe = await service.recipe(asked)
        whole = last and not form.events
        encoder = EncoderThread(open_encoder(form.kind, asked.speaker.rate, recipe.remark, whole=whole))
        stack.callback(encoder.leave)
        if whole:
            content = await encoder.write(first.samples) + await encoder.finish()
            return Response(content, media_type=MEDIA_TYPES[form.kind])

        async def spoken() -> AsyncIterator[SpokenPassage]:
            yield first
            async for piece, _ in pieces:
                yield piece

        body = _events(spoken(), encoder, asked, form) if form.events else _audio(spoken(), encoder)
        media_type = "text/event-stream" if form.events else MEDIA_TYPES[form.kind]
        return _HeldResponse(body, media_type, stack.pop_all(), limits.request_seconds, service.metrics)
    raise AssertionError  # for mypy: the stack swallows nothing


class _HeldResponse(StreamingResponse):
    """A stream that frees what it holds however it ends: read, left, failed or too slow."""

    def __init__(
        self,
        body: AsyncIterator[bytes],
        media_type: str,
        held: AsyncExitStack,
        seconds: float,
        metrics: Metrics,
    ) -> None:
        super().__init__(self._counted(body), media_type=media_type, headers={"Cache-Control": "no-store"})
        self._held, self._seconds, self._metrics = held, seconds, metrics

    async def _counted(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        complete = False
        try:
            async for content in body:
                yield content
            complete = True
        finally:
            if not complete:
                self._metrics.cancelled.inc()

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
    pieces: AsyncIterator[SpokenPassage], encoder: EncoderThread, asked: SpeechRequest, form: AnswerForm
) -> AsyncIterator[bytes]:
    """OpenAI's events: ``speech.audio.delta`` with audio in base64, then ``speech.audio.done`` with counts."""
    seconds = 0.0
    try:
        async for piece in pieces:
            seconds += len(piece.samples) / asked.speaker.rate
            content = await encoder.write(piece.samples)
            yield _event("speech.audio.delta", audio=_base64(content), **_beside(piece, form, asked))
        for block in _blocks(await encoder.finish()):
            yield _event("speech.audio.delta", audio=_base64(block))
    except Exception as error:  # noqa: BLE001 - the status is sent: all that is left is an event
        shown = as_http(error)
        if shown.status >= 500:
            _LOG.exception("speech failed")
        yield _event("error", **error_content(shown.status, shown.message, shown.code, shown.parameter))
        return
    counts = len(asked.text) // _CHARACTERS_A_TOKEN, round(seconds * 20)
    usage = {"input_tokens": counts[0], "output_tokens": counts[1], "total_tokens": sum(counts)}
    yield _event("speech.audio.done", usage=usage)


def _beside(piece: SpokenPassage, form: AnswerForm, asked: SpeechRequest) -> dict[str, Any]:
    """What our own page asks for, beside the audio."""
    found: dict[str, Any] = {}
    if form.words:
        timing = asdict(piece.timing)
        words = [
            {"text": one["written"], "start": round(one["start"], 3), "stop": round(one["stop"], 3)}
            for one in timing["words"]
            if one["written"]
        ]
        found["passage"] = {"start": timing["start"], "stop": timing["stop"], "words": words}
    if form.mel and piece.mel.size:
        low, high = asked.speaker.spec.mel.range
        scaled = np.clip((piece.mel - low) / (high - low), 0, 1) * 255
        frames = scaled.T.astype(np.uint8)
        found["mel"] = {"bands": frames.shape[1], "frames": _base64(frames.tobytes())}
    return found


def _event(kind: str, **content: object) -> bytes:
    return f"data: {json.dumps({'type': kind, **content}, separators=(',', ':'))}\n\n".encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


async def unless_left(request: Request, awaited: Awaitable[T]) -> T:
    """See `unless`; the request's body must have been read."""
    return await unless(_left(request.receive), awaited)


async def unless(left: Coroutine[Any, Any, Any], awaited: Awaitable[T]) -> T:
    """The result of ``awaited``, unless the client leaves before.

    Args:
        left: ends when the client does.
        awaited: cancelled if that is the case.

    Raises:
        ClientLeftError: it did.
    """
    tasks = work, _ = asyncio.ensure_future(awaited), asyncio.create_task(left)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientLeftError
        return work.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _left(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
