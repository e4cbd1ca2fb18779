"""In which precision matrices are multiplied."""

from contextlib import AbstractContextManager

import torch


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies matrices in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - torch has no public name for it


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """A context in which matrices are multiplied in ``float32``, ``bfloat16``, or what the device is faster at."""
    half = precision == "bfloat16" or (precision == "auto" and computes_bfloat16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=half)
