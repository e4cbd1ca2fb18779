"""A voice whose passages are spoken by worker processes, while all else about a text is done here."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Any, ClassVar

from voxgrad.server import workers
from voxgrad.server.metrics import Metrics
from voxgrad.server.workers import WorkerPool
from voxgrad.settings import AcousticSpec, DeliverySpec, SynthesisSpec
from voxgrad.speech.results import Spoken
from voxgrad.speech.speaker import Speaker
from voxgrad.store.artifact import Artifact, ArtifactLocation
from voxgrad.text.passages import Passage


class LeftError(Exception):
    """Nobody waits for the passage any more."""


@dataclass(frozen=True, eq=False)
class RemoteSpeaker(Speaker):
    """A voice without weights: `speak` has a worker do it, and waits; so it is called in a thread.

    Attributes:
        acoustic: settings of the voice.
        pool: of the workers.
        metrics: where audio and work are counted.
        loop: that the pool runs in.
    """

    acoustic: AcousticSpec
    pool: WorkerPool
    metrics: Metrics
    loop: asyncio.AbstractEventLoop
    threads = workers.THREADS
    tools: ClassVar[dict[str, str]] = {}
    made_by: ClassVar[dict[str, Any]] = {}
    _state: dict[str, Any] = field(default_factory=lambda: {"begun": False, "left": False}, init=False)

    @property
    def spec(self) -> AcousticSpec:
        """What the voice carries."""
        return self.acoustic

    def speak(
        self,
        passage: Passage,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        seed: int,
        pauses: Sequence[tuple[int, float]] = (),
    ) -> Spoken:
        """As `Speaker.speak`.

        Raises:
            LeftError: `leave` was called.
            VoxgradError: as the worker raises it.
        """
        if self._state["left"]:
            raise LeftError
        arguments = (*slots(self), passage, synthesis, delivery, seed, tuple(pauses))
        call = self.pool.call(workers.speak, *arguments, later=self._state["begun"])
        waiting: Future[tuple[Spoken, float]] = asyncio.run_coroutine_threadsafe(call, self.loop)
        self._state.update(begun=True, waiting=waiting)
        if self._state["left"]:  # in the meantime
            waiting.cancel()
        try:
            spoken, seconds = waiting.result()
        except CancelledError as error:
            raise LeftError from error
        length = len(spoken.samples) / self.rate
        self.metrics.audio_seconds.inc(length)
        self.metrics.work_seconds.inc(seconds)
        self.metrics.real_time_factor.set(seconds / max(length, 1e-6))
        return spoken

    def leave(self) -> None:
        """Nobody listens any more: what waits is not begun."""
        self._state["left"] = True
        if (waiting := self._state.get("waiting")) is not None:
            waiting.cancel()


def slots(speaker: Speaker) -> tuple[ArtifactLocation, ArtifactLocation | None]:
    """Where voice and vocoder lie."""
    vocoder = speaker.vocoder
    return slot_of(speaker.voice), None if vocoder is None else slot_of(vocoder)


def slot_of(artifact: Artifact) -> ArtifactLocation:
    """Where an artifact lies, without its manifest, which would travel with every passage."""
    return ArtifactLocation(
        artifact.kind, artifact.name, artifact.version, artifact.directory, artifact.embedded
    )
