"""Which processor trains, in which precision, and what is done where its memory does not suffice."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from voxgrad.errors import EnvironmentFailureError
from voxgrad.model.precision import computes_bfloat16
from voxgrad.settings import RunSpec, ScheduleSpec


def pick_device() -> torch.device:
    """The first GPU, or the one that ``torchrun`` gives this process; else the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def precision_name(device: torch.device, settings: RunSpec) -> str:
    """What ``auto`` comes to, for the manifest."""
    if settings.precision != "auto":
        return settings.precision
    return "bfloat16" if computes_bfloat16(device) else "float32"


@contextmanager
def memory_explained(number: int, stage: ScheduleSpec) -> Iterator[None]:
    """Names the setting to lower where the body of stage ``number`` wants more memory than there is.

    Raises:
        EnvironmentFailureError: the processor's or the GPU's memory is used up.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        crop = getattr(stage, "crop", None)
        now = f"batch_size {stage.batch_size}" + (f" and crop {crop}" if crop is not None else "")
        key, value = "batch_size", max(1, stage.batch_size // 2)
        if stage.batch_size == 1 and crop is not None:
            key, value = "crop", max(32, crop // 8 * 4)
        raise EnvironmentFailureError(
            f"there is not enough memory for stage {number} with {now}",
            f"Lower it with --set stages.{number}.{key}={value}.",
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    # The processor's allocator has no class of its own for it.
    told = ("can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in str(error) for word in told)
