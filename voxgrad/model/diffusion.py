"""The diffusion between mels and noise around mu: its schedule, the loss that teaches its score, and the way back.

Equations are those of Popov et al., 2021: dX_t = ½ Σ⁻¹(μ − X_t) β_t dt + √β_t dW_t with Σ = I.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from voxgrad.samplers import SAMPLERS, Schedule, time_grid
from voxgrad.settings import ModelSpec, SynthesisSpec

TIME_MARGIN = 1e-5
"""Times are kept this far from 0 and 1, where the score has no bounded variance."""
FRAME_MULTIPLE = 4
"""The U-Net halves the frames twice, so that their number must divide by this."""
_PROBE = 64
"""Frames on which half precision is compared with float32."""
_PROBE_TIME = 0.97
"""When: near the noise, where it matters most."""


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """1.0 where the position is below the length: (batch,) integers → (batch, 1, size) float32.

    >>> length_mask(torch.tensor([1, 3]), 3).tolist()
    [[[1.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]]]
    """
    return (torch.arange(size, device=lengths.device) < lengths[:, None])[:, None].float()


def padded_length(frames: int) -> int:
    """The next length that the U-Net can halve twice.

    >>> padded_length(9), padded_length(12)
    (12, 12)
    """
    return -(-frames // FRAME_MULTIPLE) * FRAME_MULTIPLE


def official_extent(lengths: Tensor, size: int) -> Tensor:
    """The frames that an utterance would have alone, padded to what can be halved twice: (batch,) → (batch, 1, size).

    Group normalisation and attention of the official network look at padding too. Held to this extent, an
    utterance in a ragged batch gets just what it gets alone.
    """
    whole = torch.div(lengths + FRAME_MULTIPLE - 1, FRAME_MULTIPLE, rounding_mode="floor") * FRAME_MULTIPLE
    return length_mask(whole, size)


@dataclass(frozen=True, slots=True)
class Condition:
    """Inputs of the score network besides x_t and t."""

    mu: Tensor
    """(batch, n_feats, frames), the prior mean."""
    mask: Tensor | None = None
    """(batch, 1, frames), or None where every frame is real."""
    extent: Tensor | None = None
    """(batch, 1, frames), of the U-Net: frames for statistics, see `official_extent`."""
    speaker: Tensor | None = None
    """(batch, spk_emb_dim), of multi-speaker models."""
    features: Tensor | None = None
    """(batch, frames, frame_channels), of a score network over frames: what the frame-level mean was made from."""

    def clear(self, x: Tensor) -> Tensor:
        """Zeroes the padding of ``x`` (batch, n_feats, frames)."""
        return x if self.mask is None else x * self.mask

    def score(self, estimator: Callable[..., Any], x_t: Tensor, t: Tensor) -> Tensor:
        """The estimated gradient of log p_t(x_t | mu): (batch, n_feats, frames)."""
        score: Tensor
        if self.features is None:
            score = estimator(x_t, self.mu, t, self.mask, self.extent, self.speaker)
        else:
            score = estimator(x_t, t, self)
        return score


class Diffusion(nn.Module):
    """The score network, a `UNet` or a `ConvNeXtScore`, and its schedule."""

    estimator: Any

    def __init__(self, spec: ModelSpec, estimator: nn.Module) -> None:
        super().__init__()
        self.schedule = Schedule(spec.beta_min, spec.beta_max)
        self.estimator = estimator

    def diffuse(self, x_0: Tensor, mu: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Draws x_t given x_0 (equation 9): everything (batch, n_feats, frames), t (batch,)."""
        time = t[:, None, None]
        kept = torch.exp(-0.5 * self.schedule.integral(time))
        return kept * x_0 + (1.0 - kept) * mu + noise * self.variance(time).sqrt()

    def variance(self, t: Tensor) -> Tensor:
        """λ_t, the variance of x_t given x_0 (equation 10)."""
        return 1.0 - torch.exp(-self.schedule.integral(t))

    def loss(self, x_0: Tensor, condition: Condition, t: Tensor, noise: Tensor) -> Tensor:
        """Denoising score matching, weighted by the variance (equation 14) or, over frames, as EDM does.

        The mean over the real elements of mels ``x_0`` (batch, n_feats, frames), at times t (batch,) in [0, 1], which
        are kept ``TIME_MARGIN`` away from both ends, with standard normal noise like ``x_0``.
        """
        t = t.clamp(TIME_MARGIN, 1.0 - TIME_MARGIN)
        x_t = self.diffuse(x_0, condition.mu, t, noise)
        mask = condition.mask
        if mask is None:
            mask = x_0.new_ones(x_0.shape[0], 1, x_0.shape[2])
        if condition.features is None:
            score = condition.score(self.estimator, x_t * mask, t).float()
            error = score * self.variance(t[:, None, None]).sqrt() + noise
        else:
            error = self.estimator.error(x_0, x_t, condition, t, mask)
        return (error * mask).square().sum() / (mask.sum() * x_0.shape[1])

    def sample(
        self, start: Tensor, condition: Condition, settings: SynthesisSpec, noise: Callable[[], Tensor]
    ) -> Tensor:
        """Goes back from x_1 to x_0, both (batch, n_feats, frames), as the settings say; zero on padding.

        ``noise`` draws like ``start``, for stochastic samplers.
        """
        if settings.steps is None:
            raise ValueError("the number of steps is not resolved")
        process = ReverseDiffusion(self, condition, noise, self.rounding_bias(start, condition))
        return SAMPLERS[settings.sampler](process, start, time_grid(settings.steps, settings.grid))

    def rounding_bias(self, start: Tensor, condition: Condition) -> Tensor | None:
        """How much higher half precision puts the score on average, if that is what the context asks for.

        Weights that are rounded once move the score by nearly as much at all times and everywhere. It is little, but
        near the noise 1/a_t times it moves the level of the speech. Measured at the start, on a few frames.

        Returns:
            (batch, 1, 1); None in float32, and of a network that predicts the mel itself.
        """
        if not torch.is_autocast_enabled(start.device.type) or condition.features is not None:
            return None
        mask, extent = (None if m is None else m[..., :_PROBE] for m in (condition.mask, condition.extent))
        few = replace(condition, mu=condition.mu[..., :_PROBE], mask=mask, extent=extent)
        process, x = ReverseDiffusion(self, few), few.clear(start[..., :_PROBE])
        rounded = process.score(x, _PROBE_TIME)
        with torch.autocast(x.device.type, enabled=False):
            moved = few.clear(rounded - process.score(x, _PROBE_TIME))
        real = x.shape[2] if few.mask is None else few.mask.sum((1, 2), keepdim=True)
        return moved.sum((1, 2), keepdim=True) / (real * x.shape[1])


def _no_noise() -> Tensor:
    raise ValueError("a stochastic sampler needs a source of noise")


@dataclass(frozen=True)
class ReverseDiffusion:
    """A diffusion under a condition, as samplers see it: see `voxgrad.samplers.Process`."""

    diffusion: Diffusion
    condition: Condition
    noise: Callable[[], Tensor] = _no_noise
    bias: Tensor | None = None
    """(batch, 1, 1), what is taken from every score."""

    @property
    def mu(self) -> Tensor:
        """The prior mean."""
        return self.condition.mu

    def beta(self, t: float) -> float:
        """β_t."""
        return self.diffusion.schedule.beta(t)

    def level(self, t: float) -> tuple[float, float]:
        """a_t and σ_t."""
        return self.diffusion.schedule.level(t)

    def score(self, x: Tensor, t: float) -> Tensor:
        """The estimated score, float32."""
        score = self.condition.score(self.diffusion.estimator, x, x.new_full((len(x),), t)).float()
        return score if self.bias is None else self.condition.clear(score - self.bias)

    def clear(self, x: Tensor) -> Tensor:
        """Zeroes the padding."""
        return self.condition.clear(x)
