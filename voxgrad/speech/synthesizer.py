"""The Python interface: a voice that is ready to speak."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
from voxgrad.presets import validated
from voxgrad.settings import DeliverySpec, Sampler, SynthesisSpec
from voxgrad.speech.provenance import Recipe, Source
from voxgrad.speech.results import Speech, SpokenPassage, TextSummary
from voxgrad.speech.word_timings import timed
from voxgrad.store.artifact import Artifact
from voxgrad.text.characters import to_ascii
from voxgrad.text.lexicon import LEXICON, Lexicon
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.passages import Break, Passage, passages
from voxgrad.text.tokens import require_unicode
from voxgrad.vocoder.load import Vocoder, load_vocoder

_PEAK: Final = 0.99
_FADE: Final = 0.005  # seconds; so that no joint clicks
_SHORTEST_TO_SHIFT: Final = 0.1  # seconds
_SILENCE: Final = {
    Break.PARAGRAPH: 2.0,
    Break.SENTENCE: 1.0,
    Break.CLAUSE: 1 / 2,
    Break.COMMA: 1 / 3,
    Break.WORD: 0.0,
}
"""Of a silence between sentences."""
_SYNTHESIS, _DELIVERY = SynthesisSpec(), DeliverySpec()


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
    ) -> Speech:
        """Speak a text, which is held in memory as a whole; see `stream` for long ones.

        Args:
            text: written English.
            seed: of all noise: the same seed gives the same samples.
            speaker: one of the speakers of a base; None: its default.
            speed: above 1 is faster.
            temperature: of the noise that the diffusion starts from; above 1 is livelier. None: the voice's own.
            steps: of the diffusion.
            sampler: solver of it, see :class:`voxgrad.settings.SynthesisSpec`.
            pitch: semitones up.
            volume: factor of the samples.
            sentence_silence: seconds between sentences.

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
        delivery = validated(DeliverySpec, values, "say")
        pieces = list(self.stream([text], synthesis, delivery, seed))
        return Speech(
            np.concatenate([piece.samples for piece in pieces]),
            self.rate,
            tuple(piece.timing for piece in pieces),
            tuple(piece.durations for piece in pieces),
            self.recipe(text, synthesis, delivery, seed),
        )

    def stream(
        self,
        texts: Iterable[str],
        synthesis: SynthesisSpec = _SYNTHESIS,
        delivery: DeliverySpec = _DELIVERY,
        seed: int = 0,
    ) -> Iterator[SpokenPassage]:
        """Speak texts passage by passage, in memory that does not grow with them.

        Args:
            texts: a paragraph each; they may still be coming.
            synthesis: steps, temperature, speed.
            delivery: pitch, volume, silences.
            seed: of all noise.

        Raises:
            BadInputError: a text cannot be read, or none of them holds anything to say. What could be said has
                been by then.
        """
        samples_before, ended = 0, None
        for number, passage in enumerate(self._passages(texts)):
            mel, durations = self.mel(passage.encoded.tokens, synthesis, _generator(seed, number))
            audio = self.vocode(mel, delivery)
            silence = 0 if ended is None else round(_SILENCE[ended] * delivery.sentence_silence * self.rate)
            start = (samples_before + silence) / self.rate
            timing = timed(passage, durations, start, self.acoustic.spec.mel.seconds_per_frame)
            yield SpokenPassage(passage, np.pad(audio, (silence, 0)), mel.numpy(), durations, timing)
            samples_before, ended = samples_before + silence + len(audio), passage.ends
        if ended is None:
            raise NothingToSayError("the text has no words to speak", "Give at least one word in English.")

    def summarize(self, texts: Iterable[str]) -> TextSummary:
        """Read texts without speaking them, so that what cannot be said is found first.

        Raises:
            BadInputError: a text cannot be read.
        """
        count = tokens = 0
        unknown: dict[str, None] = {}
        for passage in self._passages(texts):
            count += 1
            tokens += len(passage.encoded.tokens)
            unknown.update(dict.fromkeys(passage.encoded.unknown))
        return TextSummary(count, tokens, tuple(unknown))

    def recipe(self, text: str | None, synthesis: SynthesisSpec, delivery: DeliverySpec, seed: int) -> Recipe:
        """All that is needed to say a text again."""
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
        )

    def _passages(self, texts: Iterable[str]) -> Iterator[Passage]:
        return passages(map(_readable, texts), self.acoustic.spec.text, self.lexicon)

    def mel(
        self, tokens: Sequence[int], synthesis: SynthesisSpec, generator: torch.Generator
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
        )
        # A poorly trained decoder can leave the range of audio, where a vocoder's exponential overflows.
        return spoken.mel[0].clamp(*self.acoustic.spec.mel.range), tuple(spoken.durations[0].tolist())

    def vocode(self, mel: Tensor, delivery: DeliverySpec = _DELIVERY) -> Samples:
        """Vocode an utterance's mel, (n_mels, frames): float32, below full scale."""
        samples: Samples = self.vocoder_model(mel[None])[0].numpy()
        if not np.isfinite(samples).all():
            raise BadInputError(
                "the voice produced values that are not finite", "Fine-tune it again, or use another."
            )
        if delivery.pitch and len(samples) > _SHORTEST_TO_SHIFT * self.rate:
            # Only here, because Praat takes long to load.
            from voxgrad.audio.praat import shift  # noqa: PLC0415

            raised = shift(Waveform(samples, self.rate), 2 ** (delivery.pitch / 12), 1.0).samples
            samples = np.pad(raised[: len(samples)], (0, max(0, len(samples) - len(raised))))
        samples = _limited(_limited(samples) * np.float32(delivery.volume))
        fade = min(round(_FADE * self.rate), len(samples) // 2)
        samples = samples.copy()
        slope = (0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)).astype(np.float32)
        samples[:fade] *= slope
        samples[len(samples) - fade :] *= slope[::-1]
        return samples


def carried_lexicon(voice: Artifact) -> Path | None:
    """The lexicon that a voice brings with it."""
    return voice.path(LEXICON) if any(file.path == LEXICON for file in voice.manifest.files) else None


def _limited(samples: Samples) -> Samples:
    """Samples that stay below full scale: rather a little quieter than clipped."""
    peak = float(np.abs(samples).max())
    return samples * np.float32(_PEAK / peak) if peak > _PEAK else samples


def _readable(text: str) -> str:
    """A text, of which every character was looked at before the first of them is spoken.

    Raises:
        BadInputError: not Unicode, or letters of another script.
    """
    require_unicode(text)
    to_ascii(" ".join(dict.fromkeys(text)))
    return text


def _generator(seed: int, number: int) -> torch.Generator:
    """The source of a passage's noise, which does not depend on what was said before."""
    if number:
        seed = int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(seed)
