"""The optimizer step, the learning-rate schedule, and averages of weights (EMA and interpolation)."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from voxgrad.errors import DivergedError
from voxgrad.settings import ScheduleSpec
from voxgrad.training.distributed import ProcessGroup


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


def learning_rate(stage: ScheduleSpec, step: int) -> float:
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


def interpolate_weights(
    start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """The weights at ``share`` of the way from ``start`` to ``end``; what is not a real number is the end's.

    Source: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, section 3.
    """
    return {
        name: torch.lerp(start[name], value, share) if value.is_floating_point() else value.clone()
        for name, value in end.items()
    }
