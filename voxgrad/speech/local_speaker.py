"""A voice whose network speaks in this process: what is done to an utterance of any engine. It needs no torch."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np

from voxgrad.audio.io import Samples, Waveform
from voxgrad.errors import BadInputError
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.speech.pauses import Cuts, cuts_for
from voxgrad.speech.prosody import TokenChanges, changes_pitch, gains, is_plain, pitch_curve, token_prosody
from voxgrad.speech.results import Spoken, Utterance
from voxgrad.speech.speaker import Speaker
from voxgrad.text.intonation import question_rises
from voxgrad.text.passages import Passage

_PEAK: Final = 0.99
_SHORTEST_TO_SHIFT: Final = 0.1  # seconds


@dataclass(frozen=True, eq=False)
class LocalSpeaker(Speaker):
    """A voice with its network, loaded."""

    @abstractmethod
    def utter(
        self,
        tokens: Sequence[int],
        synthesis: SynthesisSpec,
        seed: int,
        prosody: TokenChanges | None = None,
    ) -> Utterance:
        """Say one utterance.

        Raises:
            BadInputError: a setting cannot be used.
        """

    @abstractmethod
    def mean_pitch(self, row: int) -> float | None:
        """Of a speaker, in Hz, where the model predicts pitch; else None."""

    def speak(
        self,
        passage: Passage,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        seed: int,
        pauses: Sequence[tuple[int, float]] = (),
    ) -> Spoken:
        """See `Speaker.speak`."""
        row, hop = self.row_of(synthesis.speaker), self.spec.mel.hop_length
        mean_pitch = self.mean_pitch(row)
        rise = None if mean_pitch is None else self._rise(passage, synthesis)
        prosody = None
        if rise is not None or not is_plain(passage):
            prosody = token_prosody(passage, mean_pitch, rise)
        said = self.utter(passage.encoded.tokens, synthesis, seed, prosody)
        samples, durations = finite(said.samples), said.durations
        if prosody is not None and mean_pitch is None and changes_pitch(passage):
            samples = self._bent(samples, token_prosody(passage, self._heard_pitch(samples)), durations)
        edges = [frame * hop for frame in accumulate(durations, initial=0)]
        asked = () if delivery.edge_silence is None else tuple(pause for pause in pauses if pause[1] > 0)
        gaps = [(passage.encoded.words[at - 1].stop, passage.encoded.words[at].start) for at, _ in asked]
        places = [
            (edges[before] / self.rate, edges[after] / self.rate, seconds)
            for (before, after), (_, seconds) in zip(gaps, asked, strict=True)
        ]
        cuts = Cuts() if delivery.edge_silence is None else cuts_for(samples, self.rate, places)
        factors = None if prosody is None else gains(passage, durations, hop, len(samples), self.rate)
        samples = self.delivered(samples if factors is None else samples * factors, delivery)
        borders = tuple(sample / self.rate for sample in cuts.borders(edges, gaps))
        spoken = cuts.apply(samples, self.rate)
        return Spoken(spoken, said.mel, durations, borders, cuts.lead / self.rate, cuts.tail / self.rate)

    def delivered(self, samples: Samples, delivery: DeliverySpec) -> Samples:
        """At the pitch and volume that were asked for."""
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

    def _heard_pitch(self, samples: Samples) -> float | None:
        from voxgrad.audio.praat import median_f0  # noqa: PLC0415 - as above

        return median_f0(Waveform(samples, self.rate))

    def _bent(self, samples: Samples, prosody: TokenChanges, durations: tuple[int, ...]) -> Samples:
        """The pitch raised by Praat, for models that predict none."""
        from voxgrad.audio.praat import bend  # noqa: PLC0415 - as above

        if len(samples) <= _SHORTEST_TO_SHIFT * self.rate:
            return samples
        times, semitones = pitch_curve(prosody, durations, self.spec.mel.seconds_per_frame)
        return bend(Waveform(samples, self.rate), times, semitones).samples


def finite(samples: Samples) -> Samples:
    """The same samples.

    Raises:
        BadInputError: they are not finite.
    """
    if not np.isfinite(samples).all():
        raise BadInputError(
            "the voice produced values that are not finite", "Fine-tune it again, or use another."
        )
    return samples


def _limited(samples: Samples) -> Samples:
    """Samples that stay below full scale: rather a little quieter than clipped."""
    peak = float(np.abs(samples).max())
    return samples * np.float32(_PEAK / peak) if peak > _PEAK else samples
