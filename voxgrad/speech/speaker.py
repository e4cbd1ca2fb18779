"""What every loaded voice does, whichever engine computes: text → passages → audio. It needs no torch."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np

import voxgrad
from voxgrad.audio.io import Samples, Waveform
from voxgrad.errors import BadInputError
from voxgrad.presets import validated
from voxgrad.settings import AcousticSpec, DeliverySpec, Sampler, SynthesisSpec
from voxgrad.speech.cast import Cast
from voxgrad.speech.pauses import Cuts, cuts_for
from voxgrad.speech.prosody import TokenChanges, changes_pitch, gains, is_plain, pitch_curve, token_prosody
from voxgrad.speech.provenance import CastMember, Recipe, Source
from voxgrad.speech.results import Speech, Spoken, SpokenPassage, TextSummary, Utterance
from voxgrad.speech.stream import Resumption, cut, readable, speak
from voxgrad.store.artifact import Artifact
from voxgrad.text.lexicon import LEXICON, Lexicon
from voxgrad.text.passages import Passage
from voxgrad.text.ssml import is_ssml, read_script

_PEAK: Final = 0.99
_SHORTEST_TO_SHIFT: Final = 0.1  # seconds
_SYNTHESIS, _DELIVERY = SynthesisSpec(), DeliverySpec()


@dataclass(frozen=True, eq=False)
class Speaker(ABC):
    """A voice that is ready to speak.

    Attributes:
        voice: the voice or base that speaks, or the ONNX graph of one.
        vocoder: None for Griffin-Lim, and for a graph, which holds its own.
        lexicon: the user's pronunciations.
    """

    voice: Artifact
    vocoder: Artifact | None
    lexicon: Lexicon

    @property
    @abstractmethod
    def spec(self) -> AcousticSpec:
        """What the voice carries."""

    @property
    @abstractmethod
    def threads(self) -> int:
        """Of the processor: sums of other numbers of threads round otherwise."""

    @property
    @abstractmethod
    def tools(self) -> dict[str, str]:
        """Versions of what computes."""

    @property
    @abstractmethod
    def made_by(self) -> dict[str, Any]:
        """What a recipe says of the engine."""

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

    @property
    def sources(self) -> tuple[Source, Source | None]:
        """The voice and the vocoder, as recipes name them."""
        return Source.of(self.voice), None if self.vocoder is None else Source.of(self.vocoder)

    def settled(self, synthesis: SynthesisSpec) -> SynthesisSpec:
        """The settings with what was not given and only this speaker can tell."""
        return synthesis

    def row_of(self, speaker: str | None) -> int:
        """The embedding row of a speaker; None: the default.

        Raises:
            BadInputError: there is no such speaker.
        """
        return self.spec.row_of(speaker)

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.spec.mel.sample_rate

    def say(
        self,
        text: str,
        *,
        seed: int = 0,
        speaker: str | None = _SYNTHESIS.speaker,
        speed: float = _SYNTHESIS.speed,
        temperature: float | None = _SYNTHESIS.temperature,
        steps: int | None = None,
        sampler: Sampler | None = None,
        pitch: float = _DELIVERY.pitch,
        volume: float = _DELIVERY.volume,
        sentence_silence: float = _DELIVERY.sentence_silence,
        edge_silence: float | None = _DELIVERY.edge_silence,
        cast: Cast | None = None,
    ) -> Speech:
        """Speak a text, which is held in memory as a whole; see `stream` for long ones.

        Args:
            text: written English, or SSML.
            seed: of all noise: the same seed gives the same samples.
            speaker: one of the speakers of a base; None: its default.
            speed: above 1 is faster.
            temperature: of the noise that the diffusion starts from; above 1 is livelier. None: the voice's own.
            steps: of the diffusion; None: of :class:`voxgrad.settings.SynthesisSpec`, or the graph's.
            sampler: solver of it; None: likewise.
            pitch: semitones up.
            volume: factor of the samples.
            sentence_silence: seconds between sentences.
            edge_silence: seconds before the first sound and after the last.
            cast: the voices that SSML names; None: the speakers of this one.

        Raises:
            BadInputError: a setting or the text cannot be used.
        """
        asked = {
            "speaker": speaker,
            "speed": speed,
            "temperature": temperature,
            **{name: value for name, value in (("steps", steps), ("sampler", sampler)) if value is not None},
        }
        synthesis = self.settled(validated(SynthesisSpec, asked, "say"))
        values = {"pitch": pitch, "volume": volume, "sentence_silence": sentence_silence}
        delivery = validated(DeliverySpec, {**values, "edge_silence": edge_silence}, "say")
        pieces = list(self.stream([text], synthesis, delivery, seed, cast))
        return Speech(
            np.concatenate([piece.samples for piece in pieces]),
            self.rate,
            tuple(piece.timing for piece in pieces),
            tuple(piece.durations for piece in pieces),
            self.recipe(text, synthesis, delivery, seed, cast),
        )

    def stream(
        self,
        texts: Iterable[str],
        synthesis: SynthesisSpec = _SYNTHESIS,
        delivery: DeliverySpec = _DELIVERY,
        seed: int = 0,
        cast: Cast | None = None,
        after: Resumption = Resumption(),  # noqa: B008 - frozen
    ) -> Iterator[SpokenPassage]:
        """Speak texts passage by passage, in memory that does not grow with them.

        Args:
            texts: a paragraph each, plain or SSML; they may still be coming.
            synthesis: steps, temperature, speed.
            delivery: pitch, volume, silences.
            seed: of all noise.
            cast: the voices that SSML names; None: the speakers of this one.
            after: pieces that are left out, because they were spoken before.

        Raises:
            BadInputError: a text cannot be read, or none of them holds anything to say. What could be said has
                been by then.
        """
        items = (item for text in texts for item in readable(text))
        return speak(items, Cast(self) if cast is None else cast, synthesis, delivery, seed, after)

    def summarize(self, texts: Iterable[str], cast: Cast | None = None) -> TextSummary:
        """Read texts without speaking them, so that what cannot be said is found first.

        Raises:
            BadInputError: a text cannot be read.
        """
        count = tokens = 0
        unknown: dict[str, None] = {}
        items = (item for text in texts for item in readable(text))
        for passage in cut(items, Cast(self) if cast is None else cast):
            if isinstance(passage, Passage):
                count += bool(passage.encoded.words)
                tokens += len(passage.encoded.tokens)
                unknown.update(dict.fromkeys(passage.encoded.unknown))
        return TextSummary(count, tokens, tuple(unknown))

    def recipe(
        self,
        text: str | None,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        seed: int,
        cast: Cast | None = None,
    ) -> Recipe:
        """All that is needed to say a text again.

        Raises:
            BadInputError: the text is SSML that cannot be read, or names a voice or a sound that is not there.
        """
        items = () if text is None or not is_ssml(text) else read_script(text).items
        known = Cast(self) if cast is None else cast
        return Recipe(
            voxgrad=voxgrad.__version__,
            text=text,
            seed=seed,
            voice=self.sources[0],
            vocoder=self.sources[1],
            synthesis=synthesis.model_dump(),
            delivery=delivery.model_dump(),
            lexicon=self.lexicon.sha256 if self.lexicon else None,
            threads=self.threads,
            consent=self.voice.manifest.consent,
            licence=self.voice.manifest.licence,
            cast={
                name: CastMember.of(member.synthesizer, member.speaker)
                for name, member in known.members(items).items()
            },
            sounds=known.sounds(items),
            **self.made_by,
        )

    def speak(
        self,
        passage: Passage,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        seed: int,
        pauses: Sequence[tuple[int, float]] = (),
    ) -> Spoken:
        """Speak one passage.

        Args:
            passage: as this voice reads it.
            synthesis: steps, temperature, speed.
            delivery: pitch, volume, silences.
            seed: of all noise.
            pauses: numbers of words, each with the seconds of silence before it.
        """
        row, hop = self.row_of(synthesis.speaker), self.spec.mel.hop_length
        prosody = None if is_plain(passage) else token_prosody(passage, self.mean_pitch(row))
        said = self.utter(passage.encoded.tokens, synthesis, seed, prosody)
        samples, durations = finite(said.samples), said.durations
        if prosody is not None and self.mean_pitch(row) is None and changes_pitch(passage):
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


def carried_lexicon(voice: Artifact) -> Path | None:
    """The lexicon that a voice brings with it."""
    return voice.path(LEXICON) if any(file.path == LEXICON for file in voice.manifest.files) else None


def _limited(samples: Samples) -> Samples:
    """Samples that stay below full scale: rather a little quieter than clipped."""
    peak = float(np.abs(samples).max())
    return samples * np.float32(_PEAK / peak) if peak > _PEAK else samples
