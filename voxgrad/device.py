"""The device that computes, its precision, and its memory."""

import copy
import ctypes
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final, TypeVar

import torch
from torch import nn

from voxgrad.errors import EnvironmentFailureError, is_out_of_memory
from voxgrad.settings import RunSpec, ScheduleSpec

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_LARGEST: Final = 32 * 2**20  # bytes; the C library accepts no more
_MOST_KEPT: Final = 2**30
_Module = TypeVar("_Module", bound=nn.Module)


def pick_device() -> torch.device:
    """The GPU that ``torchrun`` assigned to this process, else the first GPU, else the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def precision_name(device: torch.device, settings: RunSpec) -> str:
    """The precision that ``auto`` chooses, for the manifest."""
    if settings.precision != "auto":
        return settings.precision
    return "bfloat16" if computes_bfloat16(device) else "float32"


@contextmanager
def memory_explained(number: int, stage: ScheduleSpec) -> Iterator[None]:
    """Turns a lack of memory in stage ``number`` into an error that names the setting to lower.

    Raises:
        EnvironmentFailureError: the processor's or the GPU's memory is used up.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        crop = getattr(stage, "crop", None)
        now = f"batch_size {stage.batch_size}" + (f" and crop {crop}" if crop is not None else "")
        key, value = "batch_size", max(1, stage.batch_size // 2)
        if stage.batch_size == 1 and crop is not None:
            key, value = "crop", max(32, crop // 8 * 4)
        raise EnvironmentFailureError(
            f"not enough memory for stage {number} with {now}",
            f"Lower it with --set stages.{number}.{key}={value}.",
        ) from error


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies matrices in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - torch has no public name for it


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """A context that multiplies matrices in ``float32``, ``bfloat16``, or the faster of the two on the device."""
    half = precision == "bfloat16" or (precision == "auto" and computes_bfloat16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def rounded_copy(module: _Module) -> _Module:
    """A copy whose linear layers and convolutions hold the bfloat16 weights that `autocast` makes of them.

    Autocast makes them anew every time that it is entered, for one sentence as for a batch. What is not rounded is
    shared with the original. For devices that compute in bfloat16.
    """
    rounded = {
        id(value): nn.Parameter(value.detach().bfloat16(), requires_grad=False)
        for layer in module.modules()
        if isinstance(layer, nn.Linear | nn.Conv1d)
        for value in layer.parameters(recurse=False)
    }
    return copy_with(module, rounded)


def copy_with(module: _Module, replaced: Mapping[int, object]) -> _Module:
    """A copy that shares its weights with the original, but for parts or weights that others stand in for, by id."""
    weights = {id(value): value for value in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, {**weights, **replaced})


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads of torch within the body: sums of other numbers of threads round otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Let glibc reuse freed memory instead of returning it to the system.

    Every step of the diffusion asks for the same memory, and to get its pages anew takes about a tenth of the step.
    Does nothing with another C library.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _MOST_KEPT)
