"""Log-mel spectrograms: HiFi-GAN's, which Grad-TTS shares, and those in files of other programs."""

from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
import torchaudio
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import functional as F

from voxgrad.errors import BadInputError
from voxgrad.settings import MelSpec


def log_mel(samples: Tensor, spec: MelSpec) -> Tensor:
    """Natural logarithm of the mel-scaled magnitudes: (..., n) at full scale ±1 → (..., n_mels, n // hop_length).

    Frame ``t`` is centred on sample ``(t + 1/2) * hop_length``: the sound is padded by reflection with
    ``(n_fft - hop_length) / 2`` samples at both ends and the frames are not centred further.

    Raises:
        BadInputError: the sound is too short to be padded, or shorter than a frame's hop.
    """
    padding = spec.n_fft - spec.hop_length
    left, right = padding // 2, padding - padding // 2
    length = samples.shape[-1]
    if length <= right or length < spec.hop_length:
        seconds = max(right + 1, spec.hop_length) / spec.sample_rate
        message = f"audio of {length} samples is too short for a spectrogram"
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


ENDINGS = frozenset({".npy", ".safetensors"})
PICKLES = frozenset({".pt", ".pth", ".ckpt", ".pkl", ".pickle"})

_MARGIN = 0.5
"""Models overshoot the range of sound by a little."""


def read_mel(path: Path, spec: MelSpec) -> tuple[Tensor, MelSpec]:
    """Read the one log-mel that a ``.npy`` or ``.safetensors`` file holds: (n_mels, frames) float32, and what it is.

    A safetensors file may say in its metadata, under ``mel``, what its mel is: the JSON of a `MelSpec`. Any other file
    is taken for ``spec``, and only the number of bands and the range of the values can be checked. A leading dimension
    of one is left out.

    Raises:
        BadInputError: the file cannot be read, may run code, or holds no such mel.
    """
    if path.suffix.lower() in PICKLES:
        message = f"{path} is a pickle, which could run arbitrary code"
        raise BadInputError(message, "Save the mel with numpy.save or safetensors.")
    if not path.is_file():
        raise BadInputError(f"there is no mel file {path}", "Check the path.")
    array, declared = _read_safetensors(path) if path.suffix.lower() == ".safetensors" else (_read_npy(path), None)
    spec = spec if declared is None else declared
    if array.dim() == 3 and array.shape[0] == 1:
        array = array[0]
    _check(path, array, spec)
    return array.float(), spec


def _read_npy(path: Path) -> Tensor:
    try:
        array: Any = np.load(path, allow_pickle=False)
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
    except (OSError, EOFError, ValueError, TypeError, AttributeError, BadZipFile) as error:
        raise BadInputError(f"{path} is damaged or contains no array", "Save it with numpy.save.") from error


def _read_safetensors(path: Path) -> tuple[Tensor, MelSpec | None]:
    try:
        with safe_open(path, framework="pt") as file:
            names, metadata = list(file.keys()), file.metadata()
            if len(names) != 1:
                message = f"{path} contains {len(names)} tensors instead of one"
                raise BadInputError(message, "Save the mel alone.")
            tensor: Tensor = file.get_tensor(names[0])
        declared = metadata.get("mel") if metadata is not None else None
        return tensor, None if declared is None else MelSpec.model_validate_json(declared)
    except (SafetensorError, OSError) as error:
        raise BadInputError(f"{path} is damaged or not a safetensors file", "Copy or save it again.") from error
    except ValidationError as error:
        message = f"{path} has invalid mel settings ({error.errors()[0]['msg']})"
        raise BadInputError(message, "Write a MelSpec as JSON, or nothing, under mel in its metadata.") from error


def _check(path: Path, mel: Tensor, spec: MelSpec) -> None:
    hint = f"Give the natural logarithm of {spec.n_mels} mel bands, ({spec.n_mels}, frames)."
    if not mel.is_floating_point() or mel.dim() != 2:
        shape = " by ".join(str(size) for size in mel.shape)
        raise BadInputError(f"{path} does not hold a mel, but {shape} numbers of {str(mel.dtype).split('.')[-1]}", hint)
    bands, frames = mel.shape
    if bands != spec.n_mels:
        turned = " It seems to be transposed." if frames == spec.n_mels else ""
        raise BadInputError(f"{path} has {bands} mel bands, but the vocoder takes {spec.n_mels}", hint + turned)
    if frames == 0 or not torch.isfinite(mel).all():
        found = "has no frames" if frames == 0 else "has numbers that are not finite"
        raise BadInputError(f"{path} {found}", "Create it again.")
    (low, high), lowest, highest = spec.range, float(mel.min()), float(mel.max())
    if lowest < low - _MARGIN or highest > high + _MARGIN or lowest >= 0:
        message = (
            f"{path} has values from {lowest:.4g} to {highest:.4g}, "
            f"but the log-mel of audio lies between {low:.4g} and {high:.4g}"
        )
        raise BadInputError(
            message, "Save the natural logarithm, without scaling: not decibels, base 10 or normalised values."
        )
