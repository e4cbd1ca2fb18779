"""Speaks texts passage by passage in the free workers; the passages of all requests are interleaved."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from voxgrad.errors import BadInputError
from voxgrad.events import few, ignore
from voxgrad.server.http import HTTPError
from voxgrad.server.settings import ServerSettings
from voxgrad.server.workers import THREADS, Metrics, WorkerPool, speak
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.store.artifact import Artifact, ArtifactLocation
from voxgrad.store.store import Store
from voxgrad.text.espeak import is_installed
from voxgrad.text.marked_text import Sound
from voxgrad.text.passages import Passage
from voxgrad.text.symbols import ENGLISH
from voxgrad.text.unread_remarks import unread_remarks
from voxgrad.vocoder.choice import choose_vocoder, mel_of
from voxgrad.voice.cast import Cast
from voxgrad.voice.engine import Engine, PassageAudio, Pauses
from voxgrad.voice.load import QUANTIZE, Graphs, find_graphs, find_lexicon, usual_graphs
from voxgrad.voice.metadata import Recipe
from voxgrad.voice.speak import SpokenPassage
from voxgrad.voice.speakers import speakers_of
from voxgrad.voice.voice import SpeechJob, Voice
from voxgrad.weights import acoustic_spec_of, languages_of, spoken_by

_LOG = logging.getLogger("voxgrad.server")
SPEAKERS: Final = ("voice", "base")
_SPEAKER_MARK = ":"
_USUAL_SECONDS = 2.0  # of a request, before any was answered
_KEPT: Final = 0.8  # of the mean that each further request leaves


class UnknownVoiceError(HTTPError):
    """No voice has the requested name; ``there_are`` lists the names, or says what else to do."""

    def __init__(self, message: str, there_are: str) -> None:
        super().__init__(404, f"{message}. {there_are}", code="voice_not_found", parameter="voice")


def log_text(asked: SpeechJob) -> None:
    """Log a text, and what of it is left out.

    Raises:
        BadInputError: it is SSML that cannot be read.
    """
    _LOG.info("%s says: %s", asked.voice.artifact.ref, " ".join(asked.text.split()))
    for remark in unread_remarks(asked.text):
        _LOG.warning("%s", remark)


class SpeechService:
    """Speaks with the voices of a store."""

    def __init__(self, store: Store, pool: WorkerPool, settings: ServerSettings, metrics: Metrics) -> None:
        self.store, self.pool, self.metrics = store, pool, metrics
        self._queue = settings.queue
        # Every request that is in work waits for its passage in one, and reads ahead in another.
        self._threads = ThreadPoolExecutor(2 * settings.queue, thread_name_prefix="speech")
        self._active = 0
        self._usual_seconds = _USUAL_SECONDS

    def find(self, wanted: str | None) -> Voice:
        """The voice or base that is meant; reads the store, so call it in a thread.

        It is a reference such as ``alice`` or ``alice@v2``, or ``english:kathleen`` for a speaker of a base; None is
        the newest voice, else the newest base.

        Raises:
            UnknownVoiceError: there is none.
            VoxgradError: it is damaged, or no vocoder fits.
        """
        voice, speaker = self._artifact(wanted)
        languages = languages_of(voice, self.store)
        speaking = Voice(voice, None, find_lexicon(self.store, voice), _no_engine, None, speaker, languages)
        names = dict(speaking.spec.speakers)  # an error, which the client gets, where the settings are not ours
        for language in languages.values():
            names |= acoustic_spec_of(language).speakers
        if speaker is not None and speaker not in names:
            raise UnknownVoiceError(f"{voice.ref} has no speaker {speaker!r}", f"It has {few(list(names))}.")
        return replace(speaking, vocoder=choose_vocoder(self.store, None, mel_of(voice), ignore))

    def newest_speakers(self) -> list[Artifact]:
        """The newest version of every voice, then of every base."""
        listed = (artifact for kind in SPEAKERS for artifact in self.store.list(kind))
        return list({(artifact.kind, artifact.name): artifact for artifact in listed}.values())

    def languages(self, voice: Artifact) -> dict[str, Artifact]:
        """Who teaches a voice each language beside English, where anything is installed that reads these."""
        return languages_of(voice, self.store) if is_installed() else {}

    def spoken(self, voice: Artifact) -> tuple[str, ...]:
        """The codes of the languages that a voice speaks here, its own first."""
        return spoken_by(voice, self.languages(voice))

    def speakers(self, base: Artifact, code: str) -> list[str]:
        """The names of a base's speakers, with those that were learnt with a language."""
        listed = speakers_of(base, self.languages(base))
        return [speaker.name for speaker in listed if speaker.language in {None, code}]

    def _artifact(self, wanted: str | None) -> tuple[Artifact, str | None]:
        name, mark, speaker = (wanted or "").partition(_SPEAKER_MARK)
        try:
            artifact = self.store.find_of(None if wanted is None else name, SPEAKERS)
        except BadInputError as error:
            if wanted is None:
                raise
            raise UnknownVoiceError(f"there is no voice {wanted[:80]!r}", self._there_are()) from error
        if artifact.kind not in SPEAKERS:
            raise UnknownVoiceError(f"{artifact} cannot speak", self._there_are())
        return artifact, speaker if mark else None

    def _there_are(self) -> str:
        names = list(dict.fromkeys(artifact.name for artifact in self.newest_speakers()))
        return f"There are: {', '.join(names)}." if names else "There is none yet: clone one."

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold a place in the queue while the body runs.

        Raises:
            HTTPError: 429, the queue is full.
        """
        if self._active >= self._queue:
            self.metrics.refused.inc()
            wait = max(1, min(60, round(self._usual_seconds * self._active / self.pool.workers)))
            message = f"The queue is full, try again in {wait} s."
            raise HTTPError(429, message, code="queue_full", headers={"Retry-After": str(wait)})
        self._active += 1
        self.metrics.active.set(self._active)
        began = time.monotonic()
        try:
            yield
        finally:
            self._active -= 1
            self.metrics.active.set(self._active)
            self._usual_seconds = _KEPT * self._usual_seconds + (1 - _KEPT) * (time.monotonic() - began)

    async def stream(self, asked: SpeechJob) -> AsyncGenerator[tuple[SpokenPassage, bool], None]:
        """Speak a text, passage by passage.

        One passage at most is in work or waits, so that no text takes all workers; while the client receives one,
        the next is made.

        Yields:
            A passage, and whether it is the last.

        Raises:
            BadInputError: the text or a setting cannot be used.
            VoxgradError: a worker failed.
        """
        job, engine = self._remote(asked)
        pieces = job.pieces()
        loop = asyncio.get_running_loop()

        def following() -> asyncio.Future[SpokenPassage | None]:
            future = loop.run_in_executor(self._threads, next, pieces, None)
            # A failure after the client has left is not logged: it may quote the text.
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            return future

        pending = following()
        try:
            # What comes after the only passage is silence at most, and comes at once.
            alone = await loop.run_in_executor(self._threads, _is_one_passage, asked)
            spoken = await pending
            while spoken is not None:
                pending = following()
                if alone and (rest := await pending) is not None:
                    spoken = replace(spoken, samples=np.concatenate([spoken.samples, rest.samples]))
                yield spoken, alone
                spoken = None if alone else await pending
        finally:
            engine.leave()

    def _remote(self, asked: SpeechJob) -> tuple[SpeechJob, "RemoteEngine"]:
        voice, graphs = asked.voice, self.graphs(asked.voice, asked.synthesis)
        engine = RemoteEngine(voice, graphs, self.store.home, self.pool, self.metrics, asyncio.get_running_loop())
        speaking = replace(voice, open_engine=lambda _: engine, quantize=None if graphs is None else QUANTIZE)
        return replace(asked, cast=Cast(speaking)), engine

    def graphs(self, voice: Voice, synthesis: SynthesisSpec) -> Graphs | None:
        """The graphs that ONNX Runtime speaks with; None: torch speaks."""
        return usual_graphs(self.store, voice.artifact, voice.vocoder, synthesis)

    async def recipe(self, asked: SpeechJob) -> Recipe:
        """The recipe for the audio's metadata."""
        job, _ = self._remote(asked)
        return await asyncio.to_thread(lambda: job.recipe)


def _no_engine(_language: str) -> Engine:
    raise AssertionError("a worker speaks")


def _is_one_passage(asked: SpeechJob) -> bool:
    items = asked.cast.passages([asked.text], asked.synthesis.language)
    return len(list(islice((item for item in items if isinstance(item, Sound) or item.encoded.words), 2))) == 1


class LeftError(Exception):
    """The request was cancelled while its passage waited."""


@dataclass(eq=False)
class RemoteEngine:
    """An `Engine` without weights: `speak` has a worker do it, and waits; so it is called in a thread.

    ``loop`` is the one that the pool runs in.
    """

    voice: Voice
    graphs: Graphs | None
    """None: torch speaks."""
    home: Path
    """Of the store."""
    pool: WorkerPool
    metrics: Metrics
    loop: asyncio.AbstractEventLoop
    threads: ClassVar[int] = THREADS
    tools: ClassVar[Mapping[str, str]] = {}
    _left: bool = False
    _waiting: "Future[tuple[PassageAudio, float]] | None" = None

    def speak(
        self, passage: Passage, synthesis: SynthesisSpec, delivery: DeliverySpec, seed: int, pauses: Pauses = ()
    ) -> PassageAudio:
        """See `Engine.speak`.

        Raises:
            LeftError: `leave` was called.
            VoxgradError: as the worker raises it.
        """
        if self._left:
            raise LeftError
        language, graphs = self._in_language(passage.encoded.language)
        arguments = (*locations(self.voice), graphs, language, passage, synthesis, delivery, seed, tuple(pauses))
        call = self.pool.call(speak, *arguments, later=self._waiting is not None)
        self._waiting = waiting = asyncio.run_coroutine_threadsafe(call, self.loop)
        if self._left:  # in the meantime
            waiting.cancel()
        try:
            spoken, seconds = waiting.result()
        except CancelledError as error:
            raise LeftError from error
        length = len(spoken.samples) / self.voice.rate
        self.metrics.audio_seconds.inc(length)
        self.metrics.work_seconds.inc(seconds)
        self.metrics.real_time_factor.set(seconds / max(length, 1e-6))
        return spoken

    def _in_language(self, code: str) -> tuple[tuple[ArtifactLocation, str] | None, Graphs | None]:
        """What a worker needs to speak a language, and the graphs."""
        if code == ENGLISH:
            return None, self.graphs
        language = self.voice.languages[code]
        voice, vocoder = self.voice.artifact, self.voice.vocoder
        graphs = None if self.graphs is None else find_graphs(self.home, voice, vocoder, (language, code))
        return (language.location, code), graphs

    def leave(self) -> None:
        """Cancel: passages that wait are not started."""
        self._left = True
        if self._waiting is not None:
            self._waiting.cancel()


def locations(voice: Voice) -> tuple[ArtifactLocation, ArtifactLocation | None]:
    """The locations of voice and vocoder."""
    return voice.artifact.location, None if voice.vocoder is None else voice.vocoder.location
