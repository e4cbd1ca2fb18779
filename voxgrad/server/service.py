"""Texts become speech passage by passage, in whatever worker is free, beside all other texts."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np

from voxgrad.errors import BadInputError
from voxgrad.events import ignore
from voxgrad.presets import validated
from voxgrad.server.http import HTTPError
from voxgrad.server.metrics import Metrics
from voxgrad.server.remote_speaker import RemoteSpeaker
from voxgrad.server.settings import ServerSettings
from voxgrad.server.workers import WorkerPool
from voxgrad.settings import AcousticSpec, DeliverySpec, SynthesisSpec
from voxgrad.speech.cast import Cast
from voxgrad.speech.provenance import Recipe
from voxgrad.speech.results import SpokenPassage
from voxgrad.speech.speaker import carried_lexicon
from voxgrad.speech.stream import cut, readable
from voxgrad.store.artifact import Artifact, Reference
from voxgrad.store.store import Store
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.marked_text import Sound
from voxgrad.text.unread import unread_remarks
from voxgrad.vocoder.choice import choose_vocoder, mel_of

_LOG = logging.getLogger("voxgrad.server")
SPEAKERS: Final = ("voice", "base")
_SPEAKER_MARK = ":"
_USUAL_SECONDS = 2.0  # of a request, before any was answered
_KEPT: Final = 0.8  # of the mean that each further request leaves


class UnknownVoiceError(HTTPError):
    """No voice answers to a name; ``there_are`` lists those that do, or tells what else to ask for."""

    def __init__(self, message: str, there_are: str) -> None:
        super().__init__(404, f"{message}. {there_are}", code="voice_not_found", parameter="voice")


@dataclass(frozen=True)
class Speaker:
    """A voice that can be asked to speak, not loaded.

    Attributes:
        voice: a voice or a base.
        vocoder: None for Griffin-Lim.
        spec: of the voice.
        lexicon: pronunciations: the voice's, before the store's.
        name: one of the speakers of a base; None: its default.
    """

    voice: Artifact
    vocoder: Artifact | None
    spec: AcousticSpec
    lexicon: Lexicon
    name: str | None

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.spec.mel.sample_rate


@dataclass(frozen=True)
class SpeechRequest:
    """What shall be said, and how."""

    text: str
    speaker: Speaker
    synthesis: SynthesisSpec
    delivery: DeliverySpec
    seed: int


def log_text(asked: SpeechRequest) -> None:
    """Log what is said, and what of it is left out.

    Raises:
        BadInputError: it is SSML that cannot be read.
    """
    _LOG.info("%s says: %s", asked.speaker.voice.ref, " ".join(asked.text.split()))
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

    def find(self, wanted: str | None) -> Speaker:
        """The voice or base that is meant; reads the store, so call it in a thread.

        Args:
            wanted: a reference such as ``alice`` or ``alice@v2``, or ``english:kathleen`` for a speaker of a base;
                None: the newest voice, else the newest base.

        Raises:
            UnknownVoiceError: there is none.
            VoxgradError: it is damaged, or no vocoder fits.
        """
        voice, speaker = self._artifact(wanted)
        # What was published with other settings than these cannot speak; whoever asks is told.
        spec = validated(AcousticSpec, voice.manifest.settings.get("acoustic", {}), voice.ref)
        if speaker is not None and speaker not in spec.speakers:
            names = list(spec.speakers)
            raise UnknownVoiceError(
                f"{voice.ref} has no speaker {speaker!r}",
                f"It has {', '.join(names[:20])}{' …' * (len(names) > 20)}.",
            )
        vocoder = choose_vocoder(self.store, None, mel_of(voice), ignore)
        lexicon = Lexicon.gather(self.store.home, carried_lexicon(voice), None)
        return Speaker(voice, vocoder, spec, lexicon, speaker)

    def newest_speakers(self) -> list[Artifact]:
        """The newest version of every voice, then of every base."""
        listed = (artifact for kind in SPEAKERS for artifact in self.store.list(kind))
        return list({(artifact.kind, artifact.name): artifact for artifact in listed}.values())

    def _artifact(self, wanted: str | None) -> tuple[Artifact, str | None]:
        if wanted is None:
            return self.store.find(None, "voice" if self.store.list("voice") else "base"), None
        name, mark, speaker = wanted.partition(_SPEAKER_MARK)
        try:
            reference = Reference.parse(name)
            kind = reference.kind
            if kind is None and reference.digest is None:
                # A voice has the name of its dataset by default, and so is its speech.
                layout = self.store.layout
                kind = next((one for one in SPEAKERS if layout.locations(one, str(reference.name))), "voice")
            found = self.store.find(name, kind)
        except BadInputError as error:
            raise UnknownVoiceError(f"there is no voice {wanted[:80]!r}", self._there_are()) from error
        if found.kind not in SPEAKERS:
            raise UnknownVoiceError(f"{found} cannot speak", self._there_are())
        return found, speaker if mark else None

    def _there_are(self) -> str:
        names = list(dict.fromkeys(artifact.name for artifact in self.newest_speakers()))
        return f"There are: {', '.join(names)}." if names else "There is none yet: clone one."

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place in the queue, for as long as the body takes.

        Raises:
            HTTPError: 429, all are taken.
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

    async def stream(self, asked: SpeechRequest) -> AsyncGenerator[tuple[SpokenPassage, bool], None]:
        """Speak a text, passage by passage.

        One passage at most is in work or waits, so that no text takes all workers; while whoever listens takes one,
        the next is made.

        Yields:
            A passage, and whether it is the last.

        Raises:
            BadInputError: the text or a setting cannot be used.
            VoxgradError: a worker failed.
        """
        remote = self.remote(asked.speaker)
        pieces = remote.stream([asked.text], asked.synthesis, asked.delivery, asked.seed)
        loop = asyncio.get_running_loop()

        def following() -> asyncio.Future[SpokenPassage | None]:
            future = loop.run_in_executor(self._threads, next, pieces, None)
            # A failure that nobody waits for any more is not logged: it may quote the text.
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            return future

        pending = following()
        try:
            # What comes after the only passage is silence at most, and comes at once.
            alone = await loop.run_in_executor(self._threads, _is_one_passage, remote, asked.text)
            spoken = await pending
            while spoken is not None:
                pending = following()
                if alone and (rest := await pending) is not None:
                    spoken = replace(spoken, samples=np.concatenate([spoken.samples, rest.samples]))
                yield spoken, alone
                spoken = None if alone else await pending
        finally:
            remote.leave()

    def remote(self, speaker: Speaker) -> RemoteSpeaker:
        """A voice that the workers speak with."""
        loop = asyncio.get_running_loop()
        return RemoteSpeaker(
            speaker.voice, speaker.vocoder, speaker.lexicon, speaker.spec, self.pool, self.metrics, loop
        )

    async def recipe(self, asked: SpeechRequest) -> Recipe:
        """What the audio says of itself."""
        tell = self.remote(asked.speaker).recipe
        return await asyncio.to_thread(tell, asked.text, asked.synthesis, asked.delivery, asked.seed)


def _is_one_passage(speaker: RemoteSpeaker, text: str) -> bool:
    items = cut(readable(text), Cast(speaker))
    return len(list(islice((one for one in items if isinstance(one, Sound) or one.encoded.words), 2))) == 1
