"""One step downhill: how far, and only where everything is a number."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from voxgrad.errors import DivergedError
from voxgrad.settings import ScheduleSpec
from voxgrad.training.scale import Scale


def descend(
    loss: Tensor,
    groups: Iterable[Iterable[nn.Parameter]],
    optimizer: torch.optim.Optimizer,
    clip_gradient: float,
    scale: Scale,
) -> None:
    """One step downhill, each group of parameters with its own bound on the gradient's norm.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing has been changed.
    """
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    learnt = [list(group) for group in groups]
    loss = loss.detach().clone()
    scale.average([loss, *(p.grad for group in learnt for p in group if p.grad is not None)])
    norms = [nn.utils.clip_grad_norm_(group, clip_gradient) for group in learnt]
    whole = all(math.isfinite(float(norm)) for norm in norms)
    if not whole or not math.isfinite(float(loss)):
        raise DivergedError(
            "the loss is not finite" if whole else "a gradient is not finite",
            "The last checkpoint is whole: resume with a lower learning rate.",
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
