"""What computes a voice's audio, and what is done to it whichever does. It needs no torch."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Protocol

import numpy as np

from voxgrad.audio.io import Samples, Waveform
from voxgrad.errors import BadInputError
from voxgrad.onnx.runtime import NetworkOutput
from voxgrad.settings import AcousticSpec, DeliverySpec, SynthesisSpec
from voxgrad.text.intonation import question_rises
from voxgrad.text.passages import Passage
from voxgrad.voice.pauses import Cuts, cuts_for
from voxgrad.voice.prosody import TokenChanges, changes_pitch, gains, is_plain, pitch_curve, token_prosody

_PEAK: Final = 0.99
_SHORTEST_TO_SHIFT: Final = 0.1  # seconds

Pauses = Sequence[tuple[int, float]]
"""Numbers of words, each with the seconds of silence before it."""


@dataclass(frozen=True, eq=False)
class PassageAudio:
    """A passage alone, without the silence around it.

    Attributes:
        samples: (n,) float32.
        mel: (n_mels, frames) float32.
        durations: frames of every token.
        borders: seconds at which every token begins, and the last one ends.
        lead: seconds of silence before the first sound.
        tail: seconds of silence after the last.
    """

    samples: Samples
    mel: Samples
    durations: tuple[int, ...]
    borders: tuple[float, ...]
    lead: float = 0.0
    tail: float = 0.0


class Engine(Protocol):
    """What speaks the passages of one voice."""

    @property
    def threads(self) -> int:
        """Of the processor: sums of other numbers of threads round otherwise."""

    @property
    def tools(self) -> Mapping[str, str]:
        """Versions of what computes."""

    def speak(
        self,
        passage: Passage,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        seed: int,
        pauses: Pauses = (),
    ) -> PassageAudio:
        """Speak one passage.

        Raises:
            BadInputError: a setting cannot be used.
        """


class LocalEngine(ABC):
    """An `Engine` whose network is loaded in this process."""

    @property
    @abstractmethod
    def spec(self) -> AcousticSpec:
        """What the voice carries."""

    @abstractmethod
    def run(
        self, tokens: Sequence[int], synthesis: SynthesisSpec, seed: int, prosody: TokenChanges | None
    ) -> NetworkOutput:
        """Have the network say one utterance."""

    @abstractmethod
    def mean_pitch(self, row: int) -> float | None:
        """Of a speaker, in Hz, where the model predicts pitch; else None."""

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.spec.mel.sample_rate

    def speak(
        self,
        passage: Passage,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        seed: int,
        pauses: Pauses = (),
    ) -> PassageAudio:
        """See `Engine.speak`."""
        hop, words = self.spec.mel.hop_length, passage.encoded.words
        mean_pitch = self.mean_pitch(self.spec.row_of(synthesis.speaker))
        rise = None if mean_pitch is None else self._rise(passage, synthesis)
        prosody = None if rise is None and is_plain(passage) else token_prosody(passage, mean_pitch, rise)
        said = self.run(passage.encoded.tokens, synthesis, seed, prosody)
        samples, durations = finite(said.samples), said.durations
        if prosody is not None and mean_pitch is None and changes_pitch(passage):
            samples = self._bend(samples, passage, durations)
        edges = [frame * hop for frame in accumulate(durations, initial=0)]
        asked = () if delivery.edge_silence is None else tuple(pause for pause in pauses if pause[1] > 0)
        gaps = [(words[at - 1].stop, words[at].start) for at, _ in asked]
        places = [
            (edges[before] / self.rate, edges[after] / self.rate, seconds)
            for (before, after), (_, seconds) in zip(gaps, asked, strict=True)
        ]
        cuts = Cuts() if delivery.edge_silence is None else cuts_for(samples, self.rate, places)
        factors = None if prosody is None else gains(passage, durations, hop, len(samples), self.rate)
        samples = self.deliver(samples if factors is None else samples * factors, delivery)
        return PassageAudio(
            cuts.apply(samples, self.rate),
            said.mel,
            durations,
            tuple(sample / self.rate for sample in cuts.borders(edges, gaps)),
            cuts.lead / self.rate,
            cuts.tail / self.rate,
        )

    def deliver(self, samples: Samples, delivery: DeliverySpec) -> Samples:
        """Samples (n,) at the pitch and volume that are asked for."""
        if delivery.pitch and len(samples) > _SHORTEST_TO_SHIFT * self.rate:
            # Only here, because Praat takes long to load.
            from voxgrad.audio.praat import shift  # noqa: PLC0415

            raised = shift(Waveform(samples, self.rate), 2 ** (delivery.pitch / 12), 1.0).samples
            samples = np.pad(raised[: len(samples)], (0, max(0, len(samples) - len(raised))))
        return _limited(_limited(samples) * np.float32(delivery.volume))

    def _rise(self, passage: Passage, synthesis: SynthesisSpec) -> list[float] | None:
        """How far the tokens of questions rise; None where none does."""
        if not synthesis.question_rise or self.spec.text.frontend != "voxgrad":
            return None
        rises = question_rises(passage.encoded)
        return None if rises is None else [synthesis.question_rise * rise for rise in rises]

    def _bend(self, samples: Samples, passage: Passage, durations: tuple[int, ...]) -> Samples:
        """Raise the pitch by Praat, for models that predict none: relative to the one that is heard."""
        from voxgrad.audio.praat import bend, median_f0  # noqa: PLC0415 - as above

        if len(samples) <= _SHORTEST_TO_SHIFT * self.rate:
            return samples
        waveform = Waveform(samples, self.rate)
        prosody = token_prosody(passage, median_f0(waveform))
        times, semitones = pitch_curve(prosody, durations, self.spec.mel.seconds_per_frame)
        return bend(waveform, times, semitones).samples


def finite(samples: Samples) -> Samples:
    """The same samples.

    Raises:
        BadInputError: they are not finite.
    """
    if not np.isfinite(samples).all():
        raise BadInputError("the voice produced values that are not finite", "Fine-tune it again, or use another.")
    return samples


def _limited(samples: Samples) -> Samples:
    """Samples that stay below full scale: rather a little quieter than clipped."""
    peak = float(np.abs(samples).max())
    return samples * np.float32(_PEAK / peak) if peak > _PEAK else samples
