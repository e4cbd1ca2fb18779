"""The Wyoming protocol, by which Home Assistant and its satellites find voices and speak with them.

It has no authentication: whoever reaches the port can have texts spoken, and nothing else.
"""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
from pydantic import BaseModel, Field
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, Eventable, async_write_event
from wyoming.info import Attribution, Describe, Info, TtsProgram, TtsVoice, TtsVoiceSpeaker
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped

import voxgrad
from voxgrad.audio.io import to_pcm
from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.presets import validated
from voxgrad.server.http import ClientLeftError, HTTPError, as_http, json_object, unless
from voxgrad.server.service import SpeechService, log_text
from voxgrad.server.settings import Limits, ServerSettings
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.text.languages import known_language, locale_of, name_of
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.passages import sentences
from voxgrad.text.ssml import is_ssml
from voxgrad.text.symbols import ENGLISH
from voxgrad.voice.cast import Cast
from voxgrad.voice.voice import SpeechJob, Voice

_LOG = logging.getLogger("voxgrad.server")
_IDLE_SECONDS: Final = 60.0  # between two events of a client
_WIDTH: Final = 2  # bytes of a sample
_PIECE: Final = 4096  # samples of one audio chunk
_ASKED: Final = (Synthesize, SynthesizeStart, SynthesizeChunk, SynthesizeStop)
_IN: Final = "/"
"""Between the name of a voice and the language that it is listed for: Home Assistant sends only the name."""
_BY: Final = Attribution(name="voxgrad", url="https://pypi.org/project/voxgrad/")

_Name = Annotated[str, Field(max_length=200)]
_Length = Annotated[int, Field(ge=0)]


class _VoiceData(BaseModel):
    """A voice that is asked for: one of those that the server has told, or any that speaks a language."""

    name: _Name | None = None
    speaker: _Name | None = None
    language: _Name | None = None

    @property
    def reference(self) -> str | None:
        """As `SpeechService.find` understands it."""
        name = None if self.name is None else self.name.partition(_IN)[0]
        return name if name is None or self.speaker is None else f"{name}:{self.speaker}"

    @property
    def spoken(self) -> str | None:
        """The language's code, if one is asked for: clients send either a name or a language.

        Raises:
            BadInputError: there is no such language.
        """
        asked = "" if self.name is None else self.name.partition(_IN)[2]
        asked = asked or self.language or ""
        return known_language(asked) if asked else None


class _StartData(BaseModel):
    voice: _VoiceData | None = None


class _ChunkData(BaseModel):
    text: str


class _SynthesizeData(_StartData, _ChunkData):
    pass


class _Header(BaseModel):
    type: str
    data: dict[str, Any] = {}
    data_length: _Length = 0
    payload_length: _Length = 0


class _NoEndError(HTTPError):
    """A malformed event of which it cannot be told where the next one begins."""


async def _read_event(reader: asyncio.StreamReader, limits: Limits) -> Event | None:
    """The next event of a client, without its payload, which none of those that are answered has.

    Returns:
        None where the client has left.

    Raises:
        HTTPError: the data are not an event; the next one can be read.
        _NoEndError: nor can the next one.
        TimeoutError: nothing came for too long.
    """
    try:
        async with asyncio.timeout(_IDLE_SECONDS):
            line = await reader.readline()
    except ValueError as error:
        raise _NoEndError(400, "The line that begins an event is too long.", code="too_large") from error
    if not line:
        return None
    content = json_object(line, "The event")
    try:
        header = validated(_Header, content, "the event")
    except BadInputError as error:
        if {"data_length", "payload_length"} & content.keys():
            raise _NoEndError(400, str(error), code="bad_input") from error
        raise
    if header.data_length + header.payload_length > limits.json_bytes:
        message = f"The event is larger than the limit of {limits.json_bytes} bytes."
        raise _NoEndError(400, message, code="too_large")
    async with asyncio.timeout(limits.idle_seconds):
        data = await reader.readexactly(header.data_length)
        await reader.readexactly(header.payload_length)
    more = json_object(data, "The data of the event") if data else {}
    return Event(header.type, {**header.data, **more})


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
class _Text:
    voice: _VoiceData | None = None
    speaker: Voice | None = None  # looked up once, so that one text has one voice
    waiting: str = ""  # what has come and is not spoken yet
    length: int = 0  # characters so far
    parts: int = 0  # of it that were spoken
    tail: int = 0  # samples of silence that the audio so far ends with
    started: bool = False  # there was audio
    failed: bool = False  # what follows is not spoken

    def add(self, text: str, most: int) -> None:
        """Takes another piece; all of them have ``most`` characters at most."""
        self.waiting, self.length = self.waiting + text, self.length + len(text)
        if self.length > most:
            raise HTTPError(400, f"The text has more than {most} characters: send it in parts.")

    def complete(self) -> str:
        """Takes the sentences that another one has begun after: what the last one says is not known yet."""
        language = (None if self.voice is None else self.voice.spoken) or ENGLISH
        whole = [] if is_ssml(self.waiting) else list(sentences(self.waiting, language))
        at = self.waiting.rfind(whole[-1]) if len(whole) > 1 else 0
        done, self.waiting = self.waiting[:at], self.waiting[at:]
        return done


class _Connection:
    def __init__(
        self, reader: _Reader, writer: asyncio.StreamWriter, service: SpeechService, settings: ServerSettings
    ) -> None:
        self._reader, self._writer, self._service, self._settings = reader, writer, service, settings
        self._streamed: _Text | None = None

    async def run(self) -> None:
        """Answer events until the client leaves, or it cannot be told where its next one begins."""
        try:
            goes_on = True
            while goes_on:
                try:
                    event = await _read_event(self._reader, self._settings.limits)
                    goes_on = event is not None
                    if event is not None:
                        await self._handle(event)
                except (HTTPError, BadInputError) as error:
                    await self._tell(error)
                    goes_on = not isinstance(error, _NoEndError)
                await asyncio.sleep(0)  # a client that sends many at once does not block others
            await self._hang_up()
        except (OSError, EOFError, ClientLeftError, asyncio.CancelledError):
            self._service.metrics.cancelled.inc()
            self._writer.transport.abort()

    async def _handle(self, event: Event) -> None:
        """Answer one event; what is not asked of a speaker is ignored."""
        try:
            if Describe.is_type(event.type):
                await self._send(await asyncio.to_thread(_info, self._service))
            elif any(kind.is_type(event.type) for kind in _ASKED):
                async with asyncio.timeout(self._settings.limits.request_seconds):
                    await unless(self._reader.left.wait(), self._answer(event))
        except (OSError, ClientLeftError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - told to the client, whatever it is
            if self._streamed is not None:
                self._streamed.failed = True
            await self._tell(error)
        if SynthesizeStop.is_type(event.type) and self._streamed is not None:
            if self._streamed.started:
                await self._send(AudioStop())
            await self._send(SynthesizeStopped())
            self._streamed = None

    async def _tell(self, error: Exception) -> None:
        shown = as_http(error)
        if shown.status >= 500:
            _LOG.error("a Wyoming client could not be answered", exc_info=error)
        await self._send(Error(text=shown.message, code=shown.code))

    async def _hang_up(self) -> None:
        """Close the connection after the client has taken all: what it still sends would have that thrown away."""
        async with asyncio.timeout(self._settings.limits.idle_seconds):
            self._writer.write_eof()
            while await self._reader.read(_PIECE):
                pass
            self._writer.close()
            await self._writer.wait_closed()

    async def _answer(self, event: Event) -> None:
        streamed, most = self._streamed, self._settings.limits.text_characters
        if SynthesizeStart.is_type(event.type):
            self._streamed = _Text()
            self._streamed.voice = validated(_StartData, event.data, event.type).voice
        elif streamed is None:
            if Synthesize.is_type(event.type):
                asked = validated(_SynthesizeData, event.data, event.type)
                whole = _Text(asked.voice)
                whole.add(asked.text, most)
                await self._speak(whole, whole.waiting)
                await self._send(AudioStop())
        elif SynthesizeChunk.is_type(event.type) and not streamed.failed:
            streamed.add(validated(_ChunkData, event.data, event.type).text, most)
            if done := streamed.complete():
                await self._speak_part(streamed, done)
        elif SynthesizeStop.is_type(event.type) and not streamed.failed:
            await self._speak_part(streamed, streamed.waiting, last=True)
        # In a streamed text, Home Assistant sends the whole once more, for services that cannot wait for pieces.

    async def _speak_part(self, streamed: _Text, text: str, *, last: bool = False) -> None:
        """Speak some sentences of a text; that some hold no words is an error only where none does."""
        try:
            await self._speak(streamed, text)
        except NothingToSayError:
            if last and not streamed.started:
                raise

    async def _speak(self, streamed: _Text, text: str) -> None:
        if streamed.speaker is None:
            streamed.speaker = await asyncio.to_thread(self._find, streamed.voice or _VoiceData())
        speaker, delivery = streamed.speaker, DeliverySpec()
        language = None if streamed.voice is None else streamed.voice.spoken
        synthesis = SynthesisSpec(speaker=speaker.speaker, language=language)
        request = SpeechJob(text, Cast(speaker), synthesis, delivery, seed=streamed.parts)
        if self._settings.log_text:
            log_text(request)
        form = {"rate": speaker.rate, "width": _WIDTH, "channels": 1}
        with self._service.admitted():
            async with aclosing(self._service.stream(request)) as pieces:
                between = max(round(delivery.sentence_silence * speaker.rate) - streamed.tail, 0)
                silence = between if streamed.started else 0
                async for piece, _ in pieces:
                    if not streamed.started:
                        await self._send(AudioStart(**form))
                        streamed.started = True
                    pcm = to_pcm(np.pad(piece.samples, (silence, 0))).astype("<i2")
                    silence, streamed.tail = 0, piece.tail
                    for place in range(0, len(pcm), _PIECE):
                        await self._send(AudioChunk(audio=pcm[place : place + _PIECE].tobytes(), **form))
        streamed.parts += 1

    def _find(self, asked: _VoiceData) -> Voice:
        """The voice that is asked for; where only a language is, the newest that speaks it."""
        wanted, language = asked.reference, asked.spoken
        if wanted is None and language is not None:
            able = (voice for voice in self._service.newest_speakers() if language in self._service.spoken(voice))
            wanted = next((voice.name for voice in able), None)
        return self._service.find(wanted)

    async def _send(self, what: Eventable) -> None:
        async with asyncio.timeout(self._settings.limits.idle_seconds):
            await async_write_event(what.event(), self._writer)


async def start_wyoming(service: SpeechService, settings: ServerSettings) -> asyncio.Server:
    """Listen to Wyoming's clients.

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
            await _Connection(reader, writer, service, settings).run()
        finally:
            connections -= 1

    def protocol() -> asyncio.Protocol:
        return asyncio.StreamReaderProtocol(_Reader(), connected)

    host, port = settings.wyoming_address
    try:
        return await asyncio.get_running_loop().create_server(protocol, host, port)
    except OSError as error:
        raise EnvironmentFailureError(
            f"{host} port {port} is not available ({error.strerror})", "Choose another with --wyoming."
        ) from error


def _info(service: SpeechService) -> Info:
    """Every voice in each of its languages, a base with its speakers."""
    by: dict[str, Any] = {"attribution": _BY, "installed": True}
    listed = [
        TtsVoice(
            name=voice.name if number == 0 else f"{voice.name}{_IN}{code}",
            description=f"{voice.kind} {voice.ref}" if number == 0 else f"{voice.kind} {voice.ref} in {name_of(code)}",
            version=str(voice.version),
            languages=[locale_of(code)],
            speakers=[TtsVoiceSpeaker(name) for name in service.speakers(voice, code)]
            if voice.kind == "base"
            else None,
            **by,
        )
        for voice in service.newest_speakers()
        for number, code in enumerate(service.spoken(voice))
    ]
    program = TtsProgram(
        name="voxgrad",
        description="Voices cloned on this machine",
        version=voxgrad.__version__,
        voices=listed,
        supports_synthesize_streaming=True,
        **by,
    )
    return Info(tts=[program])
