"""ConvNeXt blocks over frames, and the score network of them, around a frame-level mean.

The blocks are those of Liu et al. (2022, figure 4), in one dimension as in Vocos (Siuzdak, 2023). Everything is
(batch, frames, channels), where a matrix product needs no transposition, and every frame is normalised on its own, so
that padding changes nothing once it is zero. A step costs a fraction of the U-Net's.

The score network is preconditioned as in EDM (Karras et al., 2022, section 5), around mu: with
r_t = x_t − mu = a_t r_0 + σ_t ε, it predicts what is left of r_0 once the best linear guess is made, in units in which
its input and its target have variance one at every time.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxgrad.model.diffusion import Condition
from voxgrad.samplers import Schedule
from voxgrad.settings import ModelSpec

_KERNEL = 7  # frames that the convolution spans
_EXPANSION = 3  # hidden channels over channels


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, layer norm, two linear layers, added to the input.

    A vector of ``condition`` channels, if any, scales and shifts what is normalised (FiLM).
    """

    def __init__(self, channels: int, condition: int = 0) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, _KERNEL, padding=_KERNEL // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, _EXPANSION * channels)
        self.project = nn.Linear(_EXPANSION * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), 0.1))
        self.film = nn.Linear(condition, 2 * channels) if condition else None
        if self.film is not None:
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, mask: Tensor | None, condition: Tensor | None = None) -> Tensor:
        """(batch, frames, channels) in and out, ``condition`` (batch, condition).

        Without a mask, (batch, frames, 1), ``x`` is zero on padding.
        """
        if mask is not None:
            x = x * mask
        y = self.norm(self._convolved(x))
        if self.film is not None and condition is not None:
            scale, shift = self.film(condition.unsqueeze(1)).chunk(2, -1)
            y = torch.addcmul(shift, y, 1 + scale)
        return torch.addcmul(x, self.gamma, self.project(self._expanded(y)))

    def _expanded(self, y: Tensor) -> Tensor:
        """The first linear layer and its activation."""
        weight = self.expand.weight
        if weight.dtype != torch.bfloat16 or weight.device.type != "cpu":
            return F.gelu(self.expand(y))
        # Both in one pass over memory, with weights that `voxgrad.device.rounded_copy` made; torch has no public name
        # for oneDNN's fused operation.
        fused = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001
        return fused(y.bfloat16(), weight, self.expand.bias, "gelu", [], "none")

    def _convolved(self, x: Tensor) -> Tensor:
        """The depthwise convolution of (batch, frames, channels), whose channels stay next to each other in memory:
        as an image of height one, in a fourth of the time that `Conv1d` and its transpositions take.
        """
        convolution = self.depthwise
        image = F.conv2d(
            x.transpose(1, 2).unsqueeze(2),
            convolution.weight.unsqueeze(2),
            convolution.bias,
            padding=(0, _KERNEL // 2),
            groups=convolution.groups,
        )
        return image.squeeze(2).transpose(1, 2)


_TIME_CHANNELS = 128


class ConvNeXtScore(nn.Module):
    """ConvNeXt blocks that are told the time, the speaker, mu and the features that mu was made from."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.sigma_data = spec.sigma_data
        self.schedule = Schedule(spec.beta_min, spec.beta_max)
        channels = spec.score_channels
        self.time = nn.Sequential(nn.Linear(_TIME_CHANNELS, channels), nn.SiLU(), nn.Linear(channels, channels))
        self.speaker = nn.Linear(spec.spk_emb_dim, channels) if spec.n_spks > 1 else None
        self.input = nn.Linear(2 * spec.n_feats + spec.frame_channels, channels)
        self.blocks = nn.ModuleList(ConvNeXtBlock(channels, condition=channels) for _ in range(spec.score_blocks))
        self.norm = nn.LayerNorm(channels)
        self.output = nn.Linear(channels, spec.n_feats)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def scales(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """EDM's c_skip, c_out and c_in for r_0 from r_t: (batch,) times → (batch, 1, 1) each."""
        kept, variance = self._levels(t)
        data = self.sigma_data**2
        total = kept.square() * data + variance
        return kept * data / total, self.sigma_data * (variance / total).sqrt(), total.rsqrt()

    def network(self, scaled: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """EDM's F: (batch, n_feats, frames) float32, from c_in r_t, ``scaled``, of that shape."""
        if condition.features is None:
            raise ValueError("this score network needs the features of the frame-level mean")
        # Half the logarithm of the noise's variance, with the times spread out where that no longer changes.
        integral = self.schedule.integral(t)
        level = 0.25 * (-torch.expm1(-integral)).clamp(min=1e-9).log() + 0.125 * integral
        told = self.time(_embedded(level))
        if self.speaker is not None and condition.speaker is not None:
            told = told + self.speaker(condition.speaker)
        told = F.silu(told)
        mu = condition.mu
        x = self.input(torch.cat([scaled.transpose(1, 2), mu.transpose(1, 2), condition.features.to(mu.dtype)], 2))
        by_frame = None if condition.mask is None else condition.mask.transpose(1, 2)
        for block in self.blocks:
            x = block(x, by_frame, told)
        return self.output(self.norm(x)).float().transpose(1, 2)

    def error(self, x_0: Tensor, x_t: Tensor, condition: Condition, t: Tensor, mask: Tensor) -> Tensor:
        """What is wrong with the prediction, in units of the network: everything (batch, n_feats, frames).

        Its square is EDM's loss, whose weight is one in these units at every time. With equation 14's, what is decided
        at high noise, pitch and harmonics, hardly counts.
        """
        skip, out, scale = self.scales(t)
        r_0, r_t = x_0 - condition.mu, (x_t - condition.mu) * mask
        return self.network(scale * r_t, t, condition) - (r_0 - skip * r_t) / out

    def forward(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """The gradient of log p_t(x_t | mu), (batch, n_feats, frames), by Tweedie's formula from the predicted r_0."""
        skip, out, scale = self.scales(t)
        kept, variance = self._levels(t)
        r_t = x_t - condition.mu
        r_0 = skip * r_t + out * self.network(scale * r_t, t, condition)
        return condition.clear((kept * r_0 - r_t) / variance)

    def _levels(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """a_t and σ_t², (batch, 1, 1) each."""
        integral = self.schedule.integral(t)[:, None, None]
        return torch.exp(-0.5 * integral), -torch.expm1(-integral)


def _embedded(level: Tensor) -> Tensor:
    """Sines and cosines of (batch,) → (batch, 128)."""
    half = _TIME_CHANNELS // 2
    rates = torch.exp(torch.arange(half, device=level.device) * (math.log(1000.0) / (half - 1)))
    angles = level[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
