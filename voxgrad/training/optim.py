"""The optimizer step, in one process or several; learning rates; averages of weights; changes of low rank.

Several processes, or machines, are begun by ``torchrun`` and held together by Hugging Face Accelerate. Every process
makes the whole batch of a step with the same noise, and computes its own rows of it. Gradients are averaged, each
process weighted by what its rows count in the losses, so that all take the step that one process alone would have
taken. All hold the same weights, validate them alike and stop together; only the first one writes.
"""

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from voxgrad.errors import BadInputError, DivergedError, EnvironmentFailureError
from voxgrad.packing import worth_packing
from voxgrad.settings import ScheduleSpec


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
                f"Set batch_size to a multiple of {self.world_size}, and have at least as many clips.",
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
    """The group of all processes that ``torchrun`` started, or of one.

    Raises:
        EnvironmentFailureError: there are several, and Accelerate is not installed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ProcessGroup()
    if find_spec("accelerate") is None:
        raise EnvironmentFailureError(
            "training in several processes needs Accelerate, which is not installed",
            "Install it with: pip install 'voxgrad[distributed]'.",
        )
    return _AccelerateGroup()


def optimizer_step(
    loss: Tensor,
    groups: Iterable[Iterable[nn.Parameter]],
    optimizer: torch.optim.Optimizer,
    clip_gradient: float,
    group: ProcessGroup,
) -> None:
    """One step downhill, each group of parameters with its own bound on the gradient's norm.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing has been changed.
    """
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    learnt = [list(group) for group in groups]
    loss = loss.detach().clone()
    group.all_reduce_mean([loss, *(p.grad for group in learnt for p in group if p.grad is not None)])
    norms = [nn.utils.clip_grad_norm_(group, clip_gradient) for group in learnt]
    # One answer, because a GPU is waited for with every question; the norm of no gradients is on the processor.
    figures = torch.stack([loss, *(norm.to(loss.device) for norm in norms)])
    finite_loss, *finite_gradients = figures.isfinite().tolist()
    if not finite_loss or not all(finite_gradients):
        raise DivergedError(
            "the loss is not finite" if all(finite_gradients) else "a gradient is not finite",
            "The last checkpoint is intact: resume with a lower learning rate.",
        )
    optimizer.step()


def learning_rate(stage: ScheduleSpec, step: float) -> float:
    """A linear rise over ``warmup`` steps, then half a cosine down to ``final`` of the peak.

    >>> stage = ScheduleSpec(steps=110, warmup=10, learning_rate=1.0, final=0.5)
    >>> learning_rate(stage, 4), learning_rate(stage, 10), learning_rate(stage, 110)
    (0.5, 1.0, 0.5)
    """
    if step < stage.warmup:
        return stage.learning_rate * (step + 1) / stage.warmup
    progress = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    share = stage.final + (1.0 - stage.final) * 0.5 * (1.0 + math.cos(math.pi * progress))
    return stage.learning_rate * share


class ExponentialMovingAverage:
    """Follows a model; short runs are followed closely, because the decay starts small."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Moves the average towards the model's weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        ours, theirs = [], []
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                ours.append(self.weights[name])
                theirs.append(value.detach())
        torch._foreach_lerp_(ours, theirs, 1.0 - decay)

    def load(self, weights: Mapping[str, Tensor], updates: int) -> None:
        """Restores a stored average."""
        self.updates = updates
        for name, value in weights.items():
            self.weights[name].copy_(value)

    def copy(self) -> dict[str, Tensor]:
        """The weights as they are now."""
        return {name: value.clone() for name, value in self.weights.items()}

    @contextmanager
    def swap(self, model: nn.Module) -> Iterator[None]:
        """Puts the average into the model for the length of a ``with`` block."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.weights)
        try:
            yield
        finally:
            model.load_state_dict(own)


def between(start: Mapping[str, Tensor], end: Mapping[str, Tensor], stage: ScheduleSpec) -> dict[str, Tensor]:
    """The weights on the way from ``start`` to ``end`` that a stage ends with; what is not a real number is the end's.

    The change of every large matrix is brought to ``stage.rank`` and multiplied by ``stage.interpolation``.

    Source of the latter: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, section 3.
    """
    ended = {}
    for name, value in end.items():
        if not value.is_floating_point():
            ended[name] = value.clone()
            continue
        change = value - start[name]
        if stage.rank is not None and worth_packing(tuple(value.shape)):
            change = of_rank(change, stage.rank)
        ended[name] = start[name] + stage.interpolation * change
    return ended


def of_rank(matrix: Tensor, rank: int) -> Tensor:
    """The nearest matrix of a rank (Eckart and Young, 1936); all axes but the first of ``matrix`` are one.

    >>> of_rank(torch.diag(torch.tensor([3.0, 2.0, 1.0])), 2).diag().tolist()
    [3.0, 2.0, 0.0]
    """
    rows = matrix.flatten(1).double()
    wide = rows.shape[1] > rows.shape[0]
    # By the eigenvectors of the smaller product with itself, which takes a tenth of a singular value decomposition.
    vectors = torch.linalg.eigh(rows @ rows.T if wide else rows.T @ rows).eigenvectors[:, -rank:]
    projected = vectors @ (vectors.T @ rows) if wide else (rows @ vectors) @ vectors.T
    return projected.to(matrix.dtype).view_as(matrix)
