"""One training on several processes or machines, by Hugging Face Accelerate under ``torchrun``.

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


class Scale:
    """The processes that a training runs in: here, one."""

    processes = 1
    rank = 0

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def rows(self, whole: Tensor) -> Tensor:
        """This process's part of something that is (batch, …): every so many rows, for like lengths everywhere."""
        return whole[self.rank :: self.processes]

    def share(self, counts: Tensor) -> float:
        """How much more than the average process this one counts: (batch,) of the whole batch, such as frames."""
        return self.processes * float(self.rows(counts).sum()) / float(counts.sum())

    def check(self, batch: int) -> None:
        """Refuses batches that cannot be divided.

        Raises:
            BadInputError: some process would have fewer rows than another.
        """
        if batch % self.processes:
            raise BadInputError(
                f"a batch of {batch} cannot be divided among {self.processes} processes",
                f"Set batch_size to a multiple of {self.processes}, and have as many clips.",
            )

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replaces every tensor by its mean over the processes."""

    def gather(self, rows: Tensor) -> Tensor:
        """The whole of which every process has its :meth:`rows`."""
        return rows

    def highest(self, value: int) -> int:
        """The highest value of any process."""
        return value

    def wait(self) -> None:
        """Waits for all the others to come here."""

    @contextmanager
    def first(self) -> Iterator[None]:
        """A context that the first process leaves before the others enter."""
        yield


class _Several(Scale):
    """As ``torchrun`` has begun them."""

    def __init__(self) -> None:
        # An optional dependency.
        from accelerate import PartialState  # noqa: PLC0415
        from accelerate.utils import gather, reduce  # noqa: PLC0415

        self._gather, self._reduce = gather, reduce
        self._state = PartialState(cpu=not torch.cuda.is_available())
        self.processes, self.rank = self._state.num_processes, self._state.process_index

    def average(self, tensors: Iterable[Tensor]) -> None:
        every = list(tensors)
        flat = self._reduce(torch.cat([tensor.flatten() for tensor in every]), "mean")
        for tensor, mean in zip(every, flat.split([tensor.numel() for tensor in every]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def gather(self, rows: Tensor) -> Tensor:
        parts = self._gather(rows.contiguous()).unflatten(0, (self.processes, -1))
        return parts.transpose(0, 1).flatten(0, 1)

    def highest(self, value: int) -> int:
        return int(self._reduce(torch.tensor(value, device=self._state.device), "max"))

    def wait(self) -> None:
        self._state.wait_for_everyone()

    @contextmanager
    def first(self) -> Iterator[None]:
        with self._state.main_process_first():
            yield


def open_scale() -> Scale:
    """All processes that ``torchrun`` has begun, or one.

    Raises:
        EnvironmentFailureError: there are several, and Accelerate is not installed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Scale()
    if find_spec("accelerate") is None:
        raise EnvironmentFailureError(
            "Accelerate is not installed, and several processes need it",
            "Install it with: pip install 'voxgrad[distributed]'.",
        )
    return _Several()
