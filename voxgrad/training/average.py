"""Averages of weights: the exponential moving one of a run, and the one of two ends of a line."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
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


def interpolated(start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """The weights at ``share`` of the way from ``start`` to ``end``; what is not a real number is the end's.

    Source: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, section 3.
    """
    return {
        name: torch.lerp(start[name], value, share) if value.is_floating_point() else value.clone()
        for name, value in end.items()
    }
