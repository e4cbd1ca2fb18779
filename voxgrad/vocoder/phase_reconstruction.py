"""Phase reconstruction: the search for a spectrum that has a given mel and is consistent with audio.

A mel tells neither the phases nor the fine structure of the magnitudes. Griffin-Lim first settles the magnitudes
and then looks for phases. Here both are looked for together: every iteration makes the frames agree with each
other, and then moves their magnitudes back to the mel. At equal iterations the audio comes nearer to the mel.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, view_as_complex, view_as_real
from torch.nn import functional as F

from voxgrad.audio.mel import hann_window, mel_filters
from voxgrad.errors import BadInputError
from voxgrad.settings import MelSpec

_MOMENTUM = 0.99
_FIRST_UPDATES = 12
_TINY = 1e-9
_UNHEARD = 1e-6  # below it rounding decides on phases
_QUIET = 1e-6
EDGE = 1e-3


@dataclass(frozen=True, slots=True)
class PhaseEstimate:
    """Where a search stands."""

    spectrum: Tensor
    """Complex (batch, frames, bins): has the mel."""
    consistent: Tensor
    """Same shape: the last spectrum that belonged to a audio."""


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

    Args:
        samples: (batch, frames * hop_length).
        mel: sizes of the frames.

    Returns:
        Complex (batch, frames, n_fft // 2 + 1).
    """
    padding = mel.n_fft - mel.hop_length
    padded = F.pad(samples, (padding // 2, padding - padding // 2))
    frames = padded.unfold(1, mel.n_fft, mel.hop_length)
    return torch.fft.rfft(frames * window_of(mel, samples.device))


def istft(spectrum: Tensor, mel: MelSpec) -> Tensor:
    """The audio whose spectra come nearest: Griffin and Lim (1984), equation 6. The reverse of `stft`.

    Args:
        spectrum: complex (batch, frames, n_fft // 2 + 1).
        mel: sizes of the frames; its hop divides its n_fft.

    Returns:
        (batch, frames * hop_length).
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
    """Bring a spectrum nearer to one that has the mel and is consistent with audio.

    Fast Griffin-Lim, Perraudin, Balazs and Søndergaard (2013), algorithm 2, with the magnitudes set free: they
    become the mean of the consistent spectrum's and those before, moved to the mel once more.

    Args:
        spectrum: complex (batch, frames, bins).
        log_mel: (batch, n_mels, frames).
        mel: what it is.
        iterations: at least one.
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

    Args:
        magnitudes: (batch, frames, bins), positive.
        wanted: (batch, frames, n_mels), linear.
        mel: what it is.
        updates: how many.
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
