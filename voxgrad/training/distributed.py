"""Training in several processes or on several machines, by Hugging Face Accelerate under ``torchrun``.

Every process makes the whole batch of a step with the same noise, and computes its own rows of it. Gradients are
averaged, each process weighted by what its rows count in the losses, so that all take the step that one process alone
would have taken. All hold the same weights, validate them alike and stop together; only the first one writes.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import torch
from torch import Tensor

from voxgrad.errors import BadInputError, EnvironmentFailureError


class ProcessGroup:
    """The processes that a training runs in: here, one."""

    world_size = 1
    rank = 0

    @property
    def is_main_process(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def shard(self, whole: Tensor) -> Tensor:
        """This process's part of something that is (batch, …): every so many rows, for like lengths everywhere."""
        return whole[self.rank :: self.world_size]

    def weight(self, counts: Tensor) -> float:
        """How much more than the average process this one counts: (batch,) of the whole batch, such as frames."""
        return self.world_size * float(self.shard(counts).sum()) / float(counts.sum())

    def check_batch_size(self, batch: int) -> None:
        """Refuses batches that cannot be divided.

        Raises:
            BadInputError: some process would have fewer rows than another.
        """
        if batch % self.world_size:
            raise BadInputError(
                f"a batch of {batch} cannot be divided among {self.world_size} processes",
                f"Set batch_size to a multiple of {self.world_size}, and have as many clips.",
            )

    def all_reduce_mean(self, tensors: Iterable[Tensor]) -> None:
        """Replaces every tensor by its mean over the processes."""

    def gather(self, rows: Tensor) -> Tensor:
        """The whole of which every process has its :meth:`shard`."""
        return rows

    def all_reduce_max(self, value: int) -> int:
        """The highest value of any process."""
        return value

    def barrier(self) -> None:
        """Waits for all the others to come here."""

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """A context that the first process leaves before the others enter."""
        yield


class _AccelerateGroup(ProcessGroup):
    """As ``torchrun`` has begun them."""

    def __init__(self) -> None:
        # An optional dependency.
        from accelerate import PartialState  # noqa: PLC0415
        from accelerate.utils import gather, reduce  # noqa: PLC0415

        self._gather, self._reduce = gather, reduce
        self._state = PartialState(cpu=not torch.cuda.is_available())
        self.world_size, self.rank = self._state.num_processes, self._state.process_index

    def all_reduce_mean(self, tensors: Iterable[Tensor]) -> None:
        every = list(tensors)
        flat = self._reduce(torch.cat([tensor.flatten() for tensor in every]), "mean")
        for tensor, mean in zip(every, flat.split([tensor.numel() for tensor in every]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def gather(self, rows: Tensor) -> Tensor:
        parts = self._gather(rows.contiguous()).unflatten(0, (self.world_size, -1))
        return parts.transpose(0, 1).flatten(0, 1)

    def all_reduce_max(self, value: int) -> int:
        return int(self._reduce(torch.tensor(value, device=self._state.device), "max"))

    def barrier(self) -> None:
        self._state.wait_for_everyone()

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        with self._state.main_process_first():
            yield


def open_process_group() -> ProcessGroup:
    """All processes that ``torchrun`` has begun, or one.

    Raises:
        EnvironmentFailureError: there are several, and Accelerate is not installed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ProcessGroup()
    if find_spec("accelerate") is None:
        raise EnvironmentFailureError(
            "Accelerate is not installed, and several processes need it",
            "Install it with: pip install 'voxgrad[distributed]'.",
        )
    return _AccelerateGroup()
