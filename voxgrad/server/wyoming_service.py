"""The Wyoming protocol, by which Home Assistant and its satellites find voices and speak with them.

It has no authentication: whoever reaches the port can have texts spoken, and nothing else.
"""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import numpy as np
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Attribution, Describe, Info, TtsProgram, TtsVoice, TtsVoiceSpeaker
from wyoming.server import AsyncEventHandler
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
)

import voxgrad
from voxgrad.audio.io import to_pcm
from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.presets import validated
from voxgrad.server.errors import HTTPError, as_http
from voxgrad.server.openai_api import newest_speakers
from voxgrad.server.settings import ServerSettings
from voxgrad.server.speech_response import ClientLeftError, unless
from voxgrad.server.speech_service import SpeechRequest, SpeechService, log_text
from voxgrad.server.wyoming_events import (
    ChunkData,
    NoEndError,
    StartData,
    SynthesizeData,
    VoiceData,
    read_event,
)
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.passages import sentences
from voxgrad.text.ssml import is_ssml
from voxgrad.voice.voice import Voice

_LOG = logging.getLogger("voxgrad.server")
_WIDTH: Final = 2  # bytes of a sample
_PIECE: Final = 4096  # samples of one audio chunk
_ASKED: Final = (Synthesize, SynthesizeStart, SynthesizeChunk, SynthesizeStop)
_BY: Final = Attribution(name="voxgrad", url="https://pypi.org/project/voxgrad/")


class _Reader(asyncio.StreamReader):
    """A client's stream that tells that the client has left before all is read that it sent.

    As in HTTP, who has nothing more to send is taken for one who has left: TCP does not tell the two apart.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.left.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.left.set()


@dataclass
class _StreamedText:
    """A text that comes in pieces.

    Attributes:
        voice: that was asked for.
        speaker: what that is in the store; looked up once, so that one text has one voice.
        waiting: what has come and is not spoken yet.
        length: characters so far.
        parts: of it that were spoken.
        tail: samples of silence that the audio so far ends with.
        started: there was audio.
        failed: what follows is not spoken.
    """

    voice: VoiceData | None = None
    speaker: Voice | None = None
    waiting: str = ""
    length: int = 0
    parts: int = 0
    tail: int = 0
    started: bool = False
    failed: bool = False

    def add(self, text: str, most: int) -> None:
        """Takes another piece; all of them have ``most`` characters at most."""
        self.waiting, self.length = self.waiting + text, self.length + len(text)
        if self.length > most:
            raise HTTPError(400, f"The text has more than {most} characters: send it in parts.")

    def complete(self) -> str:
        """Takes the sentences that another one has begun after: what the last one says is not known yet."""
        found = [] if is_ssml(self.waiting) else list(sentences(self.waiting))
        at = self.waiting.rfind(found[-1]) if len(found) > 1 else 0
        done, self.waiting = self.waiting[:at], self.waiting[at:]
        return done


class WyomingHandler(AsyncEventHandler):
    """One connection.

    Args:
        reader: of the client.
        writer: to it.
        service: that speaks.
        settings: limits, and whether texts are logged.
    """

    def __init__(
        self,
        reader: _Reader,
        writer: asyncio.StreamWriter,
        service: SpeechService,
        settings: ServerSettings,
    ) -> None:
        super().__init__(reader, writer)
        self._service, self._settings, self._left = service, settings, reader.left
        self._streamed: _StreamedText | None = None

    async def run(self) -> None:
        """Answer events until the client leaves, or it cannot be told where its next one begins."""
        try:
            goes_on = True
            while goes_on:
                try:
                    event = await read_event(self.reader, self._settings.limits)
                    goes_on = event is not None and await self.handle_event(event)
                except (HTTPError, BadInputError) as error:
                    await self._tell(error)
                    goes_on = not isinstance(error, NoEndError)
                await asyncio.sleep(0)  # whoever sends many at once keeps nobody else waiting
            await self._hang_up()
        except (OSError, EOFError, ClientLeftError, asyncio.CancelledError):
            self._service.metrics.cancelled.inc()
            self.writer.transport.abort()

    async def handle_event(self, event: Event) -> bool:
        """Answer one event; what is not asked of a speaker is ignored."""
        try:
            if Describe.is_type(event.type):
                found = await asyncio.to_thread(newest_speakers, self._service)
                await self._send(_info(found).event())
            elif any(kind.is_type(event.type) for kind in _ASKED):
                async with asyncio.timeout(self._settings.limits.request_seconds):
                    await unless(self._left.wait(), self._answer(event))
        except (OSError, ClientLeftError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - told to the client, whatever it is
            if self._streamed is not None:
                self._streamed.failed = True
            await self._tell(error)
        if SynthesizeStop.is_type(event.type) and self._streamed is not None:
            if self._streamed.started:
                await self._send(AudioStop().event())
            await self._send(SynthesizeStopped().event())
            self._streamed = None
        return True

    async def _tell(self, error: Exception) -> None:
        shown = as_http(error)
        if shown.status >= 500:
            _LOG.error("a Wyoming client could not be answered", exc_info=error)
        await self._send(Error(text=shown.message, code=shown.code).event())

    async def _hang_up(self) -> None:
        """Close the connection after the client has taken all: what it still sends would have that thrown away."""
        async with asyncio.timeout(self._settings.limits.idle_seconds):
            self.writer.write_eof()
            while await self.reader.read(_PIECE):
                pass
            self.writer.close()
            await self.writer.wait_closed()

    async def _answer(self, event: Event) -> None:
        streamed = self._streamed
        if SynthesizeStart.is_type(event.type):
            self._streamed = _StreamedText()
            self._streamed.voice = validated(StartData, event.data, event.type).voice
        elif streamed is None:
            if Synthesize.is_type(event.type):
                asked = validated(SynthesizeData, event.data, event.type)
                whole = _StreamedText(asked.voice)
                whole.add(asked.text, self._settings.limits.text_characters)
                await self._speak(whole, whole.waiting)
                await self._send(AudioStop().event())
        elif SynthesizeChunk.is_type(event.type) and not streamed.failed:
            more = validated(ChunkData, event.data, event.type)
            streamed.add(more.text, self._settings.limits.text_characters)
            if done := streamed.complete():
                await self._speak_part(streamed, done)
        elif SynthesizeStop.is_type(event.type) and not streamed.failed:
            await self._speak_part(streamed, streamed.waiting, last=True)
        # In a streamed text, Home Assistant sends the whole once more, for services that cannot wait for pieces.

    async def _speak_part(self, streamed: _StreamedText, text: str, *, last: bool = False) -> None:
        """Speak some sentences of a text; that some hold no words is an error only where none does."""
        try:
            await self._speak(streamed, text)
        except NothingToSayError:
            if last and not streamed.started:
                raise

    async def _speak(self, streamed: _StreamedText, text: str) -> None:
        if streamed.speaker is None:
            streamed.speaker = await asyncio.to_thread(self._service.find, _name(streamed.voice))
        speaker, delivery = streamed.speaker, DeliverySpec()
        request = SpeechRequest(
            text, speaker, SynthesisSpec(speaker=speaker.speaker), delivery, seed=streamed.parts
        )
        if self._settings.log_text:
            log_text(request)
        form = {"rate": speaker.rate, "width": _WIDTH, "channels": 1}
        with self._service.admitted():
            async with aclosing(self._service.stream(request)) as pieces:
                between = max(round(delivery.sentence_silence * speaker.rate) - streamed.tail, 0)
                silence = between if streamed.started else 0
                async for piece, _ in pieces:
                    if not streamed.started:
                        await self._send(AudioStart(**form).event())
                        streamed.started = True
                    pcm = to_pcm(np.pad(piece.samples, (silence, 0))).astype("<i2")
                    silence, streamed.tail = 0, piece.tail
                    for place in range(0, len(pcm), _PIECE):
                        audio = pcm[place : place + _PIECE].tobytes()
                        await self._send(AudioChunk(audio=audio, **form).event())
        streamed.parts += 1

    async def _send(self, event: Event) -> None:
        async with asyncio.timeout(self._settings.limits.idle_seconds):
            await self.write_event(event)


async def start_wyoming(service: SpeechService, settings: ServerSettings) -> asyncio.Server:
    """Listen to Wyoming's clients.

    Args:
        service: that speaks.
        settings: address, and limits.

    Raises:
        EnvironmentFailureError: the address cannot be listened to.
    """
    connections = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        if connections >= settings.limits.connections:
            writer.close()
            return
        connections += 1
        try:
            assert isinstance(reader, _Reader)  # noqa: S101 - it is made below
            await WyomingHandler(reader, writer, service, settings).run()
        finally:
            connections -= 1

    def protocol() -> asyncio.Protocol:
        return asyncio.StreamReaderProtocol(_Reader(), connected)

    host, port = settings.wyoming_address
    try:
        return await asyncio.get_running_loop().create_server(protocol, host, port)
    except OSError as error:
        raise EnvironmentFailureError(
            f"{host} port {port} cannot be listened to ({error.strerror})", "Choose another with --wyoming."
        ) from error


def _name(voice: VoiceData | None) -> str | None:
    """As `SpeechService.find` understands it."""
    if voice is None or voice.name is None or voice.speaker is None:
        return None if voice is None else voice.name
    return f"{voice.name}:{voice.speaker}"


def _info(voices: list[Artifact]) -> Info:
    listed = [
        TtsVoice(
            name=one.name,
            attribution=_BY,
            installed=True,
            description=f"{one.kind} {one.ref}",
            version=str(one.version),
            languages=["en_US"],
            speakers=[TtsVoiceSpeaker(name) for name in one.manifest.settings["acoustic"]["speakers"]]
            if one.kind == "base"
            else None,
        )
        for one in voices
    ]
    return Info(
        tts=[
            TtsProgram(
                name="voxgrad",
                attribution=_BY,
                installed=True,
                description="Voices cloned on this machine",
                version=voxgrad.__version__,
                voices=listed,
                supports_synthesize_streaming=True,
            )
        ]
    )
