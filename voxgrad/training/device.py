"""Which processor trains, and in which precision."""

from contextlib import AbstractContextManager

import torch

from voxgrad.specs import RunSpec


def pick_device() -> torch.device:
    """The first GPU, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies matrices in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - torch has no public name for it


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """A context in which matrices are multiplied as :class:`RunSpec` ``precision`` says."""
    half = precision == "bfloat16" or (precision == "auto" and computes_bfloat16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def precision_name(device: torch.device, settings: RunSpec) -> str:
    """What ``auto`` comes to, for the manifest."""
    if settings.precision != "auto":
        return settings.precision
    return "bfloat16" if computes_bfloat16(device) else "float32"
