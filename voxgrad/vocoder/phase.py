"""Phases for a mel: Griffin-Lim, and the search for a spectrum that has the mel and is consistent with audio.

A mel tells neither the phases nor the fine structure of the magnitudes. Griffin-Lim, the vocoder that needs no weights,
first settles the magnitudes and then looks for phases (with momentum: Perraudin, Balazs and Søndergaard, 2013). In
`reconstruct_phase` both are looked for together: every iteration makes the frames agree with each other, and then moves
their magnitudes back to the mel. At equal iterations the audio comes nearer to the mel.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Self

import torch
import torchaudio
from pydantic import Field
from torch import Tensor, view_as_complex, view_as_real
from torch.nn import functional as F

from voxgrad.audio.mel import hann_window, mel_filters
from voxgrad.errors import BadInputError
from voxgrad.settings import MelSpec, Positive, Spec

_MOMENTUM = 0.99
_FIRST_UPDATES = 12
_GRIFFIN_LIM_UPDATES = 30
_TINY = 1e-9
_UNHEARD = 1e-6  # below it rounding decides on phases
_QUIET = 1e-6
EDGE = 1e-3


@dataclass(frozen=True, slots=True)
class PhaseEstimate:
    """The state of a search."""

    spectrum: Tensor
    """Complex (batch, frames, bins): has the mel."""
    consistent: Tensor
    """Same shape: the last spectrum that belonged to an audio."""


def check_frames(mel: MelSpec) -> None:
    """Make sure that overlapping frames can be added up.

    Raises:
        BadInputError: the hop does not divide the frame.
    """
    if mel.n_fft % mel.hop_length:
        message = f"a hop of {mel.hop_length} samples does not divide frames of {mel.n_fft}"
        raise BadInputError(message, "Use a hop that divides n_fft.")


def reach(mel: MelSpec) -> int:
    """How many frames on each side an overlapping frame touches."""
    return -(-mel.n_fft // mel.hop_length) - 1


def stft(samples: Tensor, mel: MelSpec) -> Tensor:
    """Spectra of frames that are centred as the mel's, silence around the audio.

    (batch, frames * hop_length) → complex (batch, frames, n_fft // 2 + 1).
    """
    padding = mel.n_fft - mel.hop_length
    padded = F.pad(samples, (padding // 2, padding - padding // 2))
    frames = padded.unfold(1, mel.n_fft, mel.hop_length)
    return torch.fft.rfft(frames * window_of(mel, samples.device))


def istft(spectrum: Tensor, mel: MelSpec) -> Tensor:
    """The audio whose spectra come nearest: Griffin and Lim (1984), equation 6. The reverse of `stft`.

    Complex (batch, frames, n_fft // 2 + 1) → (batch, frames * hop_length); the hop divides n_fft.
    """
    frames = spectrum.shape[1]
    window = window_of(mel, spectrum.device)
    audio = _overlap_add(torch.fft.irfft(spectrum, mel.n_fft) * window, mel)
    weight = _overlap_add(window.square().expand(1, frames, -1), mel).clamp(min=EDGE)
    start = (mel.n_fft - mel.hop_length) // 2
    return (audio / weight)[:, start : start + frames * mel.hop_length]


def modulus(spectrum: Tensor) -> Tensor:
    """Magnitudes, in a third of the time that ``abs`` takes with its care for overflows."""
    return power(spectrum).sqrt()


def zero_phase_spectrum(log_mel: Tensor, mel: MelSpec) -> Tensor:
    """Magnitudes that have the mel, with zero phases: (batch, n_mels, frames) → complex (batch, frames, bins)."""
    wanted = _linear(log_mel)
    flat = wanted.mean(2, keepdim=True).expand(-1, -1, mel.n_fft // 2 + 1)
    magnitudes = _towards(flat, wanted, mel, _FIRST_UPDATES)
    return torch.complex(magnitudes, torch.zeros_like(magnitudes))


def reconstruct_phase(spectrum: Tensor, log_mel: Tensor, mel: MelSpec, iterations: int) -> PhaseEstimate:
    """Bring a spectrum, complex (batch, frames, bins), nearer to one that has the mel and is consistent with audio.

    Fast Griffin-Lim, Perraudin, Balazs and Søndergaard (2013), algorithm 2, with the magnitudes set free: they
    become the mean of the consistent spectrum's and those before, moved to the mel once more. At least one iteration.
    """
    wanted = _linear(log_mel)
    kept = power(spectrum)
    before = consistent = stft(istft(spectrum, mel), mel)
    for iteration in range(iterations):
        if iteration:
            before, consistent = consistent, stft(istft(spectrum, mel), mel)
        ahead = blend(before, consistent, 1 + _MOMENTUM)
        # The geometric mean of both magnitudes, halfway between set free and kept.
        free = (power(consistent) * kept).sqrt_().sqrt_()
        magnitudes = _towards(free.add_(_QUIET), wanted, mel, 1)
        spectrum = ahead * (magnitudes / (power(ahead).sqrt_() + _UNHEARD))
        kept = magnitudes.square()
    return PhaseEstimate(spectrum, consistent)


def _linear(log_mel: Tensor) -> Tensor:
    """(batch, n_mels, frames) → (batch, frames, n_mels), frame by frame in memory: sums over the bands of a frame are
    then rounded alike however many frames there are, and a stream gives the same audio.
    """
    return log_mel.transpose(1, 2).contiguous().exp()


def blend(before: Tensor, after: Tensor, share: float) -> Tensor:
    """Interpolates complex numbers, in half the time as pairs of real ones."""
    return view_as_complex(torch.lerp(view_as_real(before), view_as_real(after), share))


def power(spectrum: Tensor) -> Tensor:
    """Squares of magnitudes."""
    return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)


def _towards(magnitudes: Tensor, wanted: Tensor, mel: MelSpec, updates: int) -> Tensor:
    """Multiplicative updates that lower the Kullback-Leibler divergence: Lee and Seung (2001), equation 5.

    Positive magnitudes (batch, frames, bins) come nearer to a linear mel (batch, frames, n_mels).
    """
    filters = mel_filters(mel, magnitudes.device, magnitudes.dtype)
    shares = filters / (filters.sum(0) + _TINY)
    for _ in range(updates):
        magnitudes = magnitudes * ((wanted / (magnitudes @ filters.T + _TINY)) @ shares)
    return magnitudes


def _overlap_add(frames: Tensor, mel: MelSpec) -> Tensor:
    """(batch, frames, n_fft) → (batch, (frames - 1) * hop_length + n_fft)."""
    batch, count, size = frames.shape
    parts = frames.reshape(batch, count, size // mel.hop_length, mel.hop_length)
    total = frames.new_zeros(batch, count + parts.shape[2] - 1, mel.hop_length)
    for part in range(parts.shape[2]):
        total[:, part : part + count] += parts[:, :, part]
    return total.reshape(batch, -1)


@lru_cache(maxsize=16)
def window_of(mel: MelSpec, device: torch.device) -> Tensor:
    """The mel's window in the middle of a frame: (n_fft,)."""
    with torch.inference_mode(mode=False):
        room = mel.n_fft - mel.win_length
        return F.pad(hann_window(mel, device, torch.float32), (room // 2, room - room // 2))


class GriffinLimSpec(Spec):
    """The settings of Griffin-Lim."""

    n_iter: Positive = 32
    """Iterations: more sound better and take longer."""
    momentum: float = Field(default=0.99, ge=0, lt=1)
    """0 is the first method of Griffin and Lim (1984)."""


@dataclass(frozen=True)
class GriffinLim:
    """Finds the phases that make overlapping frames agree. The same mel gives the same audio."""

    spec: GriffinLimSpec
    mel: MelSpec
    name: ClassVar = "griffinlim"
    settings: ClassVar = GriffinLimSpec
    half_precision: ClassVar = False
    network: ClassVar = None

    @classmethod
    def build(cls, spec: GriffinLimSpec, mel: MelSpec) -> Self:
        """Make one."""
        return cls(spec, mel)

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
    """Non-negative linear magnitudes whose log-mel is ``mel``: (..., n_mels, frames) → (..., n_fft // 2 + 1, frames).

    Multiplicative updates that lower the Kullback-Leibler divergence: Lee and Seung (2001), equation 5. From
    an even start they keep each band smooth. The sound then comes nearer to the mel asked for than after
    a pseudo-inverse.
    """
    wanted = mel.exp()
    filters = mel_filters(spec, mel.device, mel.dtype)
    weights = filters.sum(0)[:, None] + _TINY
    linear = wanted.mean(dim=-2, keepdim=True).expand(*mel.shape[:-2], filters.shape[1], mel.shape[-1])
    for _ in range(_GRIFFIN_LIM_UPDATES):
        linear = linear * (filters.T @ (wanted / (filters @ linear + _TINY))) / weights
    return linear
