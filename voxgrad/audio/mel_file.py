"""TrainingLog-mel spectrograms from files that other programs wrote."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from voxgrad.errors import BadInputError
from voxgrad.settings import MelSpec

ENDINGS = frozenset({".npy", ".safetensors"})
PICKLES = frozenset({".pt", ".pth", ".ckpt", ".pkl", ".pickle"})

_MARGIN = 0.5
"""Models overshoot the range of sound by a little."""


def read_mel(path: Path, spec: MelSpec) -> tuple[Tensor, MelSpec]:
    """Read the one log-mel that a ``.npy`` or ``.safetensors`` file holds.

    A safetensors file may say in its metadata, under ``mel``, what its mel is: the JSON of a `MelSpec`. Of any other
    file only the number of bands and the range of the values can be checked.

    Args:
        path: the file; floating-point numbers, (n_mels, frames) or (1, n_mels, frames).
        spec: what the mel is taken for where the file does not say.

    Returns:
        (n_mels, frames) float32, and what it is.

    Raises:
        BadInputError: the file cannot be read, may run code, or holds no such mel.
    """
    if path.suffix.lower() in PICKLES:
        message = f"{path} is a pickle, which could run any code when it is read"
        raise BadInputError(message, "Save the mel with numpy.save or safetensors.")
    if not path.is_file():
        raise BadInputError(f"there is no mel file {path}", "Check the path.")
    array, declared = (
        _read_safetensors(path) if path.suffix.lower() == ".safetensors" else (_read_npy(path), None)
    )
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
        raise BadInputError(
            f"{path} is damaged or holds no array of numbers", "Save it with numpy.save."
        ) from error


def _read_safetensors(path: Path) -> tuple[Tensor, MelSpec | None]:
    try:
        with safe_open(path, framework="pt") as file:
            names, metadata = list(file.keys()), file.metadata()
            if len(names) != 1:
                message = f"{path} holds {len(names)} tensors, and a mel file has one"
                raise BadInputError(message, "Save the mel alone.")
            tensor: Tensor = file.get_tensor(names[0])
        declared = metadata.get("mel") if metadata is not None else None
        return tensor, None if declared is None else MelSpec.model_validate_json(declared)
    except (SafetensorError, OSError) as error:
        raise BadInputError(f"{path} is damaged or no safetensors file", "Copy or save it again.") from error
    except ValidationError as error:
        message = f"{path} says of its mel what cannot be understood ({error.errors()[0]['msg']})"
        raise BadInputError(
            message, "Write a MelSpec as JSON, or nothing, under mel in its metadata."
        ) from error


def _check(path: Path, mel: Tensor, spec: MelSpec) -> None:
    hint = f"Give the natural logarithm of {spec.n_mels} mel bands, ({spec.n_mels}, frames)."
    if not mel.is_floating_point() or mel.dim() != 2:
        shape = " by ".join(str(size) for size in mel.shape)
        raise BadInputError(
            f"{path} holds no mel but {shape} numbers of {str(mel.dtype).split('.')[-1]}", hint
        )
    bands, frames = mel.shape
    if bands != spec.n_mels:
        turned = " It seems to be transposed." if frames == spec.n_mels else ""
        raise BadInputError(
            f"{path} has {bands} mel bands, and the vocoder takes {spec.n_mels}", hint + turned
        )
    if frames == 0 or not torch.isfinite(mel).all():
        found = "has no frames" if frames == 0 else "has numbers that are not finite"
        raise BadInputError(f"{path} {found}", "Make it again.")
    (low, high), lowest, highest = spec.range, float(mel.min()), float(mel.max())
    if lowest < low - _MARGIN or highest > high + _MARGIN or lowest >= 0:
        message = (
            f"{path} has values from {lowest:.4g} to {highest:.4g}, "
            f"and the natural logarithm of sound lies between {low:.4g} and {high:.4g}"
        )
        raise BadInputError(message, "Undo its scaling: decibels, base 10 and normalised mels are others.")
