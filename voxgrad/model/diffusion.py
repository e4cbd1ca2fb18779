"""The forward diffusion that turns mels into noise around mu, and the loss that teaches its score.

Equations are those of Popov et al., 2021: dX_t = ½ Σ⁻¹(μ − X_t) β_t dt + √β_t dW_t with Σ = I.
"""

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from voxgrad.model.unet import UNet
from voxgrad.settings import ModelSpec

TIME_MARGIN = 1e-5
"""Times are kept this far from 0 and 1, where the score has no bounded variance."""

Time = TypeVar("Time", Tensor, float)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The linear noise schedule β_t = β_0 + (β_1 − β_0) t."""

    beta_min: float
    beta_max: float

    def beta(self, t: Time) -> Time:
        """β_t."""
        return self.beta_min + (self.beta_max - self.beta_min) * t

    def integral(self, t: Time) -> Time:
        """∫₀ᵗ β_s ds."""
        return self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t**2

    def variance(self, t: Tensor) -> Tensor:
        """λ_t, the variance of x_t given x_0 (equation 10)."""
        return 1.0 - torch.exp(-self.integral(t))


@dataclass(frozen=True, slots=True)
class Condition:
    """Inputs of the score network besides x_t and t; shapes as in :class:`UNet`."""

    mu: Tensor
    mask: Tensor | None = None
    extent: Tensor | None = None
    speaker: Tensor | None = None
    bias: Tensor | None = None
    """(batch, 1, 1), what samplers take from every score."""

    def clear(self, x: Tensor) -> Tensor:
        """Zeroes the padding of ``x`` (batch, n_feats, frames)."""
        return x if self.mask is None else x * self.mask

    def score(self, estimator: UNet, x_t: Tensor, t: Tensor) -> Tensor:
        """The estimated gradient of log p_t(x_t | mu): (batch, n_feats, frames)."""
        return estimator(x_t, self.mu, t, self.mask, self.extent, self.speaker)


class Diffusion(nn.Module):
    """The score network and its schedule."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.schedule = Schedule(spec.beta_min, spec.beta_max)
        self.estimator = UNet(spec)

    def diffuse(self, x_0: Tensor, mu: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Draws x_t given x_0 (equation 9): everything (batch, n_feats, frames), t (batch,)."""
        time = t[:, None, None]
        kept = torch.exp(-0.5 * self.schedule.integral(time))
        return kept * x_0 + (1.0 - kept) * mu + noise * self.schedule.variance(time).sqrt()

    def loss(self, x_0: Tensor, condition: Condition, t: Tensor, noise: Tensor) -> Tensor:
        """Denoising score matching, weighted by the variance (equation 14).

        Args:
            x_0: mels (batch, n_feats, frames).
            condition: prior mean, masks, speaker.
            t: (batch,) times in [0, 1]; kept ``TIME_MARGIN`` away from both ends.
            noise: standard normal, like ``x_0``.

        Returns:
            A scalar: the mean over real elements.
        """
        t = t.clamp(TIME_MARGIN, 1.0 - TIME_MARGIN)
        x_t = self.diffuse(x_0, condition.mu, t, noise)
        mask = condition.mask
        if mask is None:
            mask = x_0.new_ones(x_0.shape[0], 1, x_0.shape[2])
        score = condition.score(self.estimator, x_t * mask, t).float()
        deviation = self.schedule.variance(t[:, None, None]).sqrt()
        return ((score * deviation + noise) * mask).square().sum() / (mask.sum() * x_0.shape[1])
