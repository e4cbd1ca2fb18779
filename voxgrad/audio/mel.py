"""The log-mel spectrogram of HiFi-GAN, which Grad-TTS shares."""

from functools import lru_cache

import torch
import torchaudio
from torch import Tensor
from torch.nn import functional as F

from voxgrad.errors import BadInputError
from voxgrad.settings import MelSpec


def log_mel(samples: Tensor, spec: MelSpec) -> Tensor:
    """Compute the natural logarithm of the mel-scaled magnitudes.

    Frame ``t`` is centred on sample ``(t + 1/2) * hop_length``: the sound is padded by reflection with
    ``(n_fft - hop_length) / 2`` samples at both ends and the frames are not centred further.

    Args:
        samples: (..., n), full scale at ±1, at ``spec.sample_rate``.
        spec: what the mel is.

    Returns:
        (..., n_mels, n // hop_length).

    Raises:
        BadInputError: the sound is too short to be padded, or shorter than a frame's hop.
    """
    padding = spec.n_fft - spec.hop_length
    left, right = padding // 2, padding - padding // 2
    length = samples.shape[-1]
    if length <= right or length < spec.hop_length:
        seconds = max(right + 1, spec.hop_length) / spec.sample_rate
        message = f"a sound of {length} samples is too short for a spectrogram"
        raise BadInputError(message, f"Give at least {seconds:.3f} seconds.")
    window = hann_window(spec, samples.device, samples.dtype)
    spectrum = torch.stft(
        F.pad(samples.reshape(1, -1, length), (left, right), mode="reflect").squeeze(0),
        spec.n_fft,
        spec.hop_length,
        spec.win_length,
        window,
        center=False,
        return_complex=True,
    )
    power = spectrum.real.square() + spectrum.imag.square()
    mel = mel_filters(spec, samples.device, samples.dtype) @ torch.sqrt(power + 1e-9)
    return mel.clamp(min=spec.floor).log().reshape(*samples.shape[:-1], *mel.shape[-2:])


@lru_cache(maxsize=16)
def hann_window(spec: MelSpec, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Build the periodic Hann window, (win_length,). It is shared: do not write to it."""
    # What is born in inference mode could never again take part in a gradient.
    with torch.inference_mode(mode=False):
        return torch.hann_window(spec.win_length, device=device, dtype=dtype)


@lru_cache(maxsize=16)
def mel_filters(spec: MelSpec, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Build Slaney's triangles of area one, (n_mels, n_fft // 2 + 1). Shared too."""
    with torch.inference_mode(mode=False):
        filters = torchaudio.functional.melscale_fbanks(
            spec.n_fft // 2 + 1,
            spec.f_min,
            spec.f_max,
            spec.n_mels,
            spec.sample_rate,
            norm="slaney",
            mel_scale="slaney",
        )
        return filters.T.contiguous().to(device, dtype)
