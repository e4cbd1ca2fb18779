"""A voice that speaks through torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.audio.io import Samples
from voxgrad.device import autocast, keep_freed_memory
from voxgrad.model.gradtts import Performance, TokenProsody
from voxgrad.settings import AcousticSpec, DeliverySpec, SynthesisSpec
from voxgrad.speech.local_speaker import LocalSpeaker, finite
from voxgrad.speech.pauses import faded
from voxgrad.speech.prosody import TokenChanges
from voxgrad.speech.results import Utterance
from voxgrad.store.artifact import Artifact
from voxgrad.text.lexicon import Lexicon
from voxgrad.vocoder.registry import Vocoder, load_vocoder

_DELIVERY = DeliverySpec()


@dataclass(frozen=True, eq=False)
class Synthesizer(LocalSpeaker):
    """A voice with its vocoder, loaded.

    Attributes:
        acoustic: the voice's network and settings.
        vocoder_model: the vocoder, loaded.
    """

    acoustic: AcousticModel
    vocoder_model: Vocoder

    @classmethod
    def load(cls, voice: Artifact, vocoder: Artifact | None, lexicon: Lexicon) -> "Synthesizer":
        """Load both, every digest verified.

        Raises:
            BadInputError: they do not fit.
            IntegrityError: one of them is damaged.
        """
        keep_freed_memory()
        acoustic = load_acoustic_model(voice)
        vocoder_model = load_vocoder(vocoder, acoustic.spec.mel, str(voice))
        return cls(voice, vocoder, lexicon, acoustic, vocoder_model)

    @property
    def spec(self) -> AcousticSpec:
        """What the voice carries."""
        return self.acoustic.spec

    @property
    def threads(self) -> int:
        """Of the processor."""
        return torch.get_num_threads()

    @property
    def tools(self) -> dict[str, str]:
        """Versions of what computes."""
        return {"torch": torch.__version__}

    def utter(
        self,
        tokens: Sequence[int],
        synthesis: SynthesisSpec,
        seed: int,
        prosody: TokenChanges | None = None,
    ) -> Utterance:
        """Say one utterance; see `LocalSpeaker.utter`."""
        asked = None
        if prosody is not None:
            values = (prosody.rate, prosody.semitones, prosody.rise)
            asked = TokenProsody(*(torch.from_numpy(value) for value in values))
        mel, durations = self.mel(tokens, synthesis, torch.Generator().manual_seed(seed), asked)
        return Utterance(self.audio(mel, synthesis.precision).numpy(), mel.numpy(), durations)

    def mel(
        self,
        tokens: Sequence[int],
        synthesis: SynthesisSpec,
        generator: torch.Generator,
        prosody: TokenProsody | None = None,
        performance: Performance | None = None,
    ) -> tuple[Tensor, tuple[int, ...]]:
        """Say one utterance: its mel, (n_mels, frames), and the frames of its tokens."""
        ids = torch.tensor([tokens])
        spoken = self.acoustic.speaking(synthesis.precision).synthesize(
            ids,
            torch.tensor([ids.shape[1]]),
            synthesis,
            generator,
            torch.tensor([self.acoustic.row_of(synthesis.speaker)]),
            self.acoustic.spec.duration_scale,
            prosody,
            performance,
        )
        # A poorly trained decoder can leave the range of audio, where a vocoder's exponential overflows.
        return spoken.mel[0].clamp(*self.acoustic.spec.mel.range), tuple(spoken.durations[0].tolist())

    def vocode(self, mel: Tensor, delivery: DeliverySpec = _DELIVERY) -> Samples:
        """Vocode an utterance's mel, (n_mels, frames): float32, below full scale."""
        samples = finite(self.audio(mel, "float32").numpy())
        return faded(self.delivered(samples, delivery), self.rate)

    def audio(self, mel: Tensor, precision: str) -> Tensor:
        """By the vocoder: (n_mels, frames) → (samples,)."""
        with autocast(mel.device, precision if self.vocoder_model.half_precision else "float32"):
            return self.vocoder_model(mel[None])[0]

    def mean_pitch(self, row: int) -> float | None:
        """Of a speaker, in Hz, where the model predicts pitch; else None."""
        prior = self.acoustic.model.frame_prior
        return None if prior is None else math.exp(float(prior.pitch_statistics[row, 0]))
