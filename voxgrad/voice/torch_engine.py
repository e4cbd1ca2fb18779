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
from voxgrad.onnx.runtime import NetworkOutput
from voxgrad.settings import AcousticSpec, DeliverySpec, SynthesisSpec
from voxgrad.store import Artifact
from voxgrad.vocoder.registry import Vocoder, load_vocoder
from voxgrad.voice.engine import LocalEngine, finite
from voxgrad.voice.prosody import TokenChanges
from voxgrad.voice.silence_cuts import faded
from voxgrad.weights import InLanguage

_DELIVERY = DeliverySpec()


@dataclass(frozen=True, eq=False)
class TorchEngine(LocalEngine):
    """A voice's network and its vocoder, loaded."""

    acoustic: AcousticModel
    vocoder: Vocoder

    @classmethod
    def load(cls, voice: Artifact, vocoder: Artifact | None, language: InLanguage | None = None) -> "TorchEngine":
        """Load both, every digest verified, for English or another language.

        Raises:
            BadInputError: they do not fit.
            IntegrityError: one of them is damaged.
        """
        keep_freed_memory()
        acoustic = load_acoustic_model(voice, language)
        return cls(acoustic, load_vocoder(vocoder, acoustic.spec.mel, str(voice)))

    @property
    def spec(self) -> AcousticSpec:
        """See `LocalEngine`."""
        return self.acoustic.spec

    @property
    def threads(self) -> int:
        """See `Engine`."""
        return torch.get_num_threads()

    @property
    def tools(self) -> dict[str, str]:
        """See `Engine`."""
        return {"torch": torch.__version__}

    @property
    def size(self) -> int:
        """See `LocalEngine`."""
        modules = [self.acoustic.model, self.acoustic.speaking("auto"), self.vocoder.network]  # some share weights
        tensors = (tensor for each in modules if each is not None for tensor in (*each.parameters(), *each.buffers()))
        return sum(tensor.nbytes for tensor in {id(tensor): tensor for tensor in tensors}.values())

    def run(
        self, tokens: Sequence[int], synthesis: SynthesisSpec, seed: int, prosody: TokenChanges | None
    ) -> NetworkOutput:
        """See `LocalEngine`."""
        asked = None
        if prosody is not None:
            values = (prosody.rate, prosody.semitones, prosody.rise)
            asked = TokenProsody(*(torch.from_numpy(value) for value in values))
        mel, durations = self.mel(tokens, synthesis, torch.Generator().manual_seed(seed), asked)
        return NetworkOutput(self._audio(mel, synthesis.precision).numpy(), mel.numpy(), durations)

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
            torch.tensor([self.spec.row_of(synthesis.speaker)]),
            self.spec.duration_scale,
            prosody,
            performance,
        )
        # A poorly trained decoder can leave the range of audio, where a vocoder's exponential overflows.
        return spoken.mel[0].clamp(*self.spec.mel.range), tuple(spoken.durations[0].tolist())

    def vocode(self, mel: Tensor, delivery: DeliverySpec = _DELIVERY) -> Samples:
        """Vocode an utterance's mel, (n_mels, frames): float32, below full scale."""
        samples = finite(self._audio(mel, "float32").numpy())
        return faded(self.deliver(samples, delivery), self.rate)

    def _audio(self, mel: Tensor, precision: str) -> Tensor:
        with autocast(mel.device, precision if self.vocoder.half_precision else "float32"):
            return self.vocoder(mel[None])[0]

    def mean_pitch(self, row: int) -> float | None:
        """See `LocalEngine`."""
        prior = self.acoustic.model.frame_prior
        return None if prior is None else math.exp(float(prior.pitch_statistics[row, 0]))
