"""The forward diffusion that turns mels into noise around mu, and the loss that teaches its score.

Equations are those of Popov et al., 2021: dX_t = ½ Σ⁻¹(μ − X_t) β_t dt + √β_t dW_t with Σ = I.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from voxgrad.model.schedule import TIME_MARGIN, Schedule
from voxgrad.model.score_convnext import ConvNeXtScore
from voxgrad.settings import ModelSpec

if TYPE_CHECKING:
    from voxgrad.model.unet import UNet


@dataclass(frozen=True, slots=True)
class Condition:
    """Inputs of the score network besides x_t and t; shapes as in :class:`UNet`."""

    mu: Tensor
    mask: Tensor | None = None
    extent: Tensor | None = None
    speaker: Tensor | None = None
    bias: Tensor | None = None
    """(batch, 1, 1), what samplers take from every score."""
    features: Tensor | None = None
    """(batch, frames, frame_channels), of the frame-level mean."""

    def clear(self, x: Tensor) -> Tensor:
        """Zeroes the padding of ``x`` (batch, n_feats, frames)."""
        return x if self.mask is None else x * self.mask

    def score(self, estimator: "UNet | ConvNeXtScore", x_t: Tensor, t: Tensor) -> Tensor:
        """The estimated gradient of log p_t(x_t | mu): (batch, n_feats, frames)."""
        if isinstance(estimator, ConvNeXtScore):
            return estimator(x_t, self.mu, t, self.mask, self.speaker, self.required_features)
        return estimator(x_t, self.mu, t, self.mask, self.extent, self.speaker)

    @property
    def required_features(self) -> Tensor:
        """The features, which a score network over frames cannot do without."""
        if self.features is None:
            raise ValueError("this score network needs the features of the frame-level mean")
        return self.features


class Diffusion(nn.Module):
    """The score network and its schedule."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.schedule = Schedule(spec.beta_min, spec.beta_max)
        self.estimator = _score_network(spec)

    def diffuse(self, x_0: Tensor, mu: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Draws x_t given x_0 (equation 9): everything (batch, n_feats, frames), t (batch,)."""
        time = t[:, None, None]
        kept = torch.exp(-0.5 * self.schedule.integral(time))
        return kept * x_0 + (1.0 - kept) * mu + noise * self.schedule.variance(time).sqrt()

    def loss(self, x_0: Tensor, condition: Condition, t: Tensor, noise: Tensor) -> Tensor:
        """Denoising score matching, weighted by the variance (equation 14) or, for ``convnext``, as EDM does.

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
        if isinstance(self.estimator, ConvNeXtScore):
            # EDM's weight is one in the network's own units at every time. With equation 14's, what is decided at
            # high noise, pitch and harmonics, hardly counts.
            skip, out, scale = self.estimator.scales(t)
            r_0, r_t = x_0 - condition.mu, (x_t - condition.mu) * mask
            found = self.estimator.network(
                scale * r_t, condition.mu, t, condition.mask, condition.speaker, condition.required_features
            )
            return ((found - (r_0 - skip * r_t) / out) * mask).square().sum() / (mask.sum() * x_0.shape[1])
        score = condition.score(self.estimator, x_t * mask, t).float()
        deviation = self.schedule.variance(t[:, None, None]).sqrt()
        return ((score * deviation + noise) * mask).square().sum() / (mask.sum() * x_0.shape[1])


def _score_network(spec: ModelSpec) -> "UNet | ConvNeXtScore":
    if spec.decoder == "convnext":
        return ConvNeXtScore(spec)
    # Only here, because its normalisation is compiled by numba, which takes a third of a second to load.
    from voxgrad.model.unet import UNet  # noqa: PLC0415

    return UNet(spec)
