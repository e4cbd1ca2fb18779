"""The vocoder that needs no weights: Griffin-Lim with momentum, Perraudin, Balazs and Søndergaard (2013)."""

from dataclasses import dataclass

import torch
import torchaudio
from pydantic import Field
from torch import Tensor

from voxgrad.audio.mel import hann_window, mel_filters
from voxgrad.settings import MelSpec, Spec
from voxgrad.settings.base import Positive

_UPDATES = 30
_TINY = 1e-9


class GriffinLimSpec(Spec):
    """How hard the phases are looked for."""

    n_iter: Positive = 32
    """Iterations: more sound better and take longer."""
    momentum: float = Field(default=0.99, ge=0, lt=1)
    """0 is the first method of Griffin and Lim (1984)."""


@dataclass(frozen=True)
class GriffinLim:
    """Finds the phases that make overlapping frames agree. The same mel gives the same audio."""

    spec: GriffinLimSpec
    mel: MelSpec
    name = "griffinlim"

    @torch.inference_mode()
    def __call__(self, mel: Tensor) -> Tensor:
        """Speak (batch, n_mels, frames), which becomes (batch, frames * hop_length)."""
        n_fft, hop, frames = self.mel.n_fft, self.mel.hop_length, mel.shape[-1]
        # torchaudio centres frame t on sample t * hop, our mel on (t + 1/2) * hop. Repeated frames at both
        # ends make room for the half hop, and give its reflection padding enough to reflect.
        extra = n_fft // (4 * hop) + 1
        order = torch.arange(-extra, frames + extra, device=mel.device).clamp(0, frames - 1)
        magnitudes = mel_to_linear(mel, self.mel)[..., order]
        audio = torchaudio.functional.griffinlim(
            magnitudes,
            window=hann_window(self.mel, mel.device, mel.dtype),
            n_fft=n_fft,
            hop_length=hop,
            win_length=self.mel.win_length,
            power=1.0,
            n_iter=self.spec.n_iter,
            momentum=self.spec.momentum,
            length=None,
            # Random phases, measured by the mel that comes back, are no better.
            rand_init=False,
        )
        start = extra * hop - hop // 2
        return audio[..., start : start + frames * hop]


def mel_to_linear(mel: Tensor, spec: MelSpec) -> Tensor:
    """Find non-negative linear magnitudes whose log-mel is ``mel``.

    Multiplicative updates that lower the Kullback-Leibler divergence: Lee and Seung (2001), equation 5. From
    an even start they keep each band smooth. The sound then comes nearer to the mel asked for than after
    a pseudo-inverse.

    Args:
        mel: (..., n_mels, frames), natural logarithm.
        spec: what the mel is.

    Returns:
        (..., n_fft // 2 + 1, frames).
    """
    wanted = mel.exp()
    filters = mel_filters(spec, mel.device, mel.dtype)
    weights = filters.sum(0)[:, None] + _TINY
    linear = wanted.mean(dim=-2, keepdim=True).expand(*mel.shape[:-2], filters.shape[1], mel.shape[-1])
    for _ in range(_UPDATES):
        linear = linear * (filters.T @ (wanted / (filters @ linear + _TINY))) / weights
    return linear
