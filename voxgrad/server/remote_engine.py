"""The engine of a voice whose passages are spoken by worker processes, while all else about a text is done here."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import ClassVar

from voxgrad.server import workers
from voxgrad.server.metrics import Metrics
from voxgrad.server.workers import WorkerPool
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.store.artifact import Artifact, ArtifactLocation
from voxgrad.text.passages import Passage
from voxgrad.voice.engine import PassageAudio, Pauses
from voxgrad.voice.voice import Voice


class LeftError(Exception):
    """Nobody waits for the passage any more."""


@dataclass(eq=False)
class RemoteEngine:
    """An `Engine` without weights: `speak` has a worker do it, and waits; so it is called in a thread.

    Attributes:
        voice: whose passages it speaks.
        pool: of the workers.
        metrics: where audio and work are counted.
        loop: that the pool runs in.
    """

    voice: Voice
    pool: WorkerPool
    metrics: Metrics
    loop: asyncio.AbstractEventLoop
    threads: ClassVar[int] = workers.THREADS
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
        arguments = (*slots(self.voice), passage, synthesis, delivery, seed, tuple(pauses))
        call = self.pool.call(workers.speak, *arguments, later=self._waiting is not None)
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

    def leave(self) -> None:
        """Nobody listens any more: what waits is not begun."""
        self._left = True
        if self._waiting is not None:
            self._waiting.cancel()


def slots(voice: Voice) -> tuple[ArtifactLocation, ArtifactLocation | None]:
    """Where voice and vocoder lie."""
    return slot_of(voice.artifact), None if voice.vocoder is None else slot_of(voice.vocoder)


def slot_of(artifact: Artifact) -> ArtifactLocation:
    """Where an artifact lies, without its manifest, which would travel with every passage."""
    return ArtifactLocation(artifact.kind, artifact.name, artifact.version, artifact.directory, artifact.embedded)
