"""The Python interface: a voice that is ready to speak."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

import voxgrad
from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.audio.io import Samples, Waveform
from voxgrad.device import keep_freed_memory
from voxgrad.errors import BadInputError
from voxgrad.model.gradtts import TokenProsody
from voxgrad.presets import validated
from voxgrad.settings import DeliverySpec, Sampler, SynthesisSpec
from voxgrad.speech.cast import Cast
from voxgrad.speech.pauses import Cuts, cuts_for, faded
from voxgrad.speech.prosody import changes_pitch, gains, is_plain, pitch_curve, token_prosody
from voxgrad.speech.provenance import CastMember, Recipe, Source
from voxgrad.speech.results import Speech, SpokenPassage, TextSummary
from voxgrad.speech.stream import Resumption, cut, speak
from voxgrad.store.artifact import Artifact
from voxgrad.text.characters import to_ascii
from voxgrad.text.lexicon import LEXICON, Lexicon
from voxgrad.text.marked_text import Segment, Sound, plain_segments
from voxgrad.text.passages import Passage
from voxgrad.text.ssml import is_ssml, read_script
from voxgrad.text.tokens import require_unicode
from voxgrad.vocoder.load import Vocoder, load_vocoder

_PEAK: Final = 0.99
_SHORTEST_TO_SHIFT: Final = 0.1  # seconds
_SYNTHESIS, _DELIVERY = SynthesisSpec(), DeliverySpec()


@dataclass(frozen=True, eq=False)
class Spoken:
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
    lead: float
    tail: float


@dataclass(frozen=True, eq=False)
class Synthesizer:
    """A voice with its vocoder, loaded.

    Attributes:
        voice: the voice or base that speaks.
        vocoder: None for Griffin-Lim.
        acoustic: the voice's network and settings.
        engine: the vocoder, loaded.
        lexicon: the user's pronunciations.
        compiled: whether its score network is.
    """

    voice: Artifact
    vocoder: Artifact | None
    acoustic: AcousticModel
    vocoder_model: Vocoder
    lexicon: Lexicon
    compiled: bool = False

    @classmethod
    def load(cls, voice: Artifact, vocoder: Artifact | None, lexicon: Lexicon) -> "Synthesizer":
        """Load both, every digest verified.

        Raises:
            BadInputError: they do not fit.
            IntegrityError: one of them is damaged.
        """
        keep_freed_memory()
        acoustic = load_acoustic_model(voice)
        return cls(voice, vocoder, acoustic, load_vocoder(vocoder, acoustic.spec.mel, str(voice)), lexicon)

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.acoustic.spec.mel.sample_rate

    def say(
        self,
        text: str,
        *,
        seed: int = 0,
        speaker: str | None = _SYNTHESIS.speaker,
        speed: float = _SYNTHESIS.speed,
        temperature: float | None = _SYNTHESIS.temperature,
        steps: int = _SYNTHESIS.steps,
        sampler: Sampler = _SYNTHESIS.sampler,
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
            steps: of the diffusion.
            sampler: solver of it, see :class:`voxgrad.settings.SynthesisSpec`.
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
            "steps": steps,
            "sampler": sampler,
        }
        synthesis = validated(SynthesisSpec, asked, "say")
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
            voice=Source.of(self.voice),
            vocoder=None if self.vocoder is None else Source.of(self.vocoder),
            synthesis=synthesis.model_dump(),
            delivery=delivery.model_dump(),
            lexicon=self.lexicon.sha256 if self.lexicon else None,
            threads=torch.get_num_threads(),
            compiled=self.compiled,
            consent=self.voice.manifest.consent,
            licence=self.voice.manifest.licence,
            cast={
                name: CastMember.of(member.synthesizer, member.speaker)
                for name, member in known.members(items).items()
            },
            sounds=known.sounds(items),
        )

    def speak(
        self,
        passage: Passage,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        generator: torch.Generator,
        pauses: Sequence[tuple[int, float]] = (),
    ) -> Spoken:
        """Speak one passage.

        Args:
            passage: as this voice reads it.
            synthesis: steps, temperature, speed.
            delivery: pitch, volume, silences.
            generator: of all noise.
            pauses: numbers of words, each with the seconds of silence before it.
        """
        row, hop = self.acoustic.row_of(synthesis.speaker), self.acoustic.spec.mel.hop_length
        prosody = None if is_plain(passage) else token_prosody(passage, self._mean_pitch(row))
        mel, durations = self.mel(passage.encoded.tokens, synthesis, generator, prosody)
        samples = self._vocoded(mel)
        if prosody is not None and self._mean_pitch(row) is None and changes_pitch(passage):
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
        samples = self._delivered(samples if factors is None else samples * factors, delivery)
        borders = tuple(sample / self.rate for sample in cuts.borders(edges, gaps))
        spoken = cuts.apply(samples, self.rate)
        return Spoken(spoken, mel.numpy(), durations, borders, cuts.lead / self.rate, cuts.tail / self.rate)

    def mel(
        self,
        tokens: Sequence[int],
        synthesis: SynthesisSpec,
        generator: torch.Generator,
        prosody: TokenProsody | None = None,
    ) -> tuple[Tensor, tuple[int, ...]]:
        """Say one utterance: its mel, (n_mels, frames), and the frames of its tokens."""
        ids = torch.tensor([tokens])
        spoken = self.acoustic.model.synthesize(
            ids,
            torch.tensor([ids.shape[1]]),
            synthesis,
            generator,
            torch.tensor([self.acoustic.row_of(synthesis.speaker)]),
            self.acoustic.spec.duration_scale,
            prosody,
        )
        # A poorly trained decoder can leave the range of audio, where a vocoder's exponential overflows.
        return spoken.mel[0].clamp(*self.acoustic.spec.mel.range), tuple(spoken.durations[0].tolist())

    def vocode(self, mel: Tensor, delivery: DeliverySpec = _DELIVERY) -> Samples:
        """Vocode an utterance's mel, (n_mels, frames): float32, below full scale."""
        return faded(self._delivered(self._vocoded(mel), delivery), self.rate)

    def _vocoded(self, mel: Tensor) -> Samples:
        samples: Samples = self.vocoder_model(mel[None])[0].numpy()
        if not np.isfinite(samples).all():
            raise BadInputError(
                "the voice produced values that are not finite", "Fine-tune it again, or use another."
            )
        return samples

    def _delivered(self, samples: Samples, delivery: DeliverySpec) -> Samples:
        """At the pitch and volume that were asked for."""
        if delivery.pitch and len(samples) > _SHORTEST_TO_SHIFT * self.rate:
            # Only here, because Praat takes long to load.
            from voxgrad.audio.praat import shift  # noqa: PLC0415

            raised = shift(Waveform(samples, self.rate), 2 ** (delivery.pitch / 12), 1.0).samples
            samples = np.pad(raised[: len(samples)], (0, max(0, len(samples) - len(raised))))
        return _limited(_limited(samples) * np.float32(delivery.volume))

    def _mean_pitch(self, row: int) -> float | None:
        """Of a speaker, in Hz, where the model predicts pitch; else None."""
        prior = self.acoustic.model.frame_prior
        return None if prior is None else math.exp(float(prior.pitch_statistics[row, 0]))

    def _heard_pitch(self, samples: Samples) -> float | None:
        from voxgrad.audio.praat import median_f0  # noqa: PLC0415 - as above

        return median_f0(Waveform(samples, self.rate))

    def _bent(self, samples: Samples, prosody: TokenProsody, durations: tuple[int, ...]) -> Samples:
        """The pitch raised by Praat, for models that predict none."""
        from voxgrad.audio.praat import bend  # noqa: PLC0415 - as above

        if len(samples) <= _SHORTEST_TO_SHIFT * self.rate:
            return samples
        times, semitones = pitch_curve(prosody, durations, self.acoustic.spec.mel.seconds_per_frame)
        return bend(Waveform(samples, self.rate), times, semitones).samples


def carried_lexicon(voice: Artifact) -> Path | None:
    """The lexicon that a voice brings with it."""
    return voice.path(LEXICON) if any(file.path == LEXICON for file in voice.manifest.files) else None


def _limited(samples: Samples) -> Samples:
    """Samples that stay below full scale: rather a little quieter than clipped."""
    peak = float(np.abs(samples).max())
    return samples * np.float32(_PEAK / peak) if peak > _PEAK else samples


def readable(text: str) -> Iterable[Segment | Sound]:
    """The parts of a text, of which every character was looked at before the first of them is spoken.

    Raises:
        BadInputError: not Unicode, letters of another script, or SSML that cannot be read.
    """
    require_unicode(text)
    if not is_ssml(text):
        to_ascii(" ".join(dict.fromkeys(text)))
        return plain_segments(text)
    items = read_script(text).items
    for item in items:
        if isinstance(item, Segment):
            to_ascii(" ".join(dict.fromkeys(item.content.text)))
    return items
