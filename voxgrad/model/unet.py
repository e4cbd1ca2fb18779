"""The score network: a U-Net over (bands, frames) that estimates the gradient of the log-density of x_t.

Grad-TTS, section 3.3, after Ho et al. (2020). Parameter names are the official state dict's. Normalisation and
attention of the official network also look at padding; given an ``extent`` they keep to each utterance's own
frames, and a ragged batch gives every utterance what it gets alone.
"""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from voxgrad.model import group_norm_mish
from voxgrad.model.linear_attention import LinearAttention
from voxgrad.model.masks import Frames
from voxgrad.settings import ModelSpec

GROUPS = 8


class GroupNorm(nn.GroupNorm):
    """Group normalisation whose statistics can be held to a part of the frames."""

    def forward(self, x: Tensor, extent: Tensor | None = None) -> Tensor:
        """(batch, channels, bands, frames) in and out; ``extent`` (batch, 1, 1, frames) or None for all."""
        if extent is None:
            return super().forward(x)
        grouped = x.float().reshape(x.shape[0], self.num_groups, -1, *x.shape[2:])
        weight = extent.unsqueeze(1)
        count = weight.sum((2, 3, 4), keepdim=True) * grouped.shape[2] * grouped.shape[3]
        mean = (grouped * weight).sum((2, 3, 4), keepdim=True) / count
        variance = ((grouped - mean).square() * weight).sum((2, 3, 4), keepdim=True) / count
        normal = ((grouped - mean) * torch.rsqrt(variance + self.eps)).flatten(1, 2)
        return normal * self.weight[:, None, None] + self.bias[:, None, None]


class Block(nn.Module):
    """Convolution, group normalisation, Mish; and what is added to it, in the same pass."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        conv = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.block = nn.Sequential(conv, GroupNorm(GROUPS, channels_out), nn.Mish())

    def forward(self, x: Tensor, frames: Frames, plus: Tensor | None = None) -> Tensor:
        """(batch, channels_in, bands, frames) → (batch, channels_out, bands, frames).

        ``plus`` (the same, or 1 for bands and frames) is added at the end, to padding too.
        """
        conv, norm, mish = cast("tuple[nn.Conv2d, GroupNorm, nn.Mish]", tuple(self.block))
        h = conv(frames.clear(x))
        fused = frames.extent is None and group_norm_mish.takes(h)
        if fused and frames.mask is None:
            return group_norm_mish.group_norm_mish(h, norm, plus)
        h = frames.clear(group_norm_mish.group_norm_mish(h, norm) if fused else mish(norm(h, frames.extent)))
        return h if plus is None else h + plus


class ResnetBlock(nn.Module):
    """Two blocks with the time embedding between, and a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, time_channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Mish(), nn.Linear(time_channels, channels_out))
        self.block1 = Block(channels_in, channels_out)
        self.block2 = Block(channels_out, channels_out)
        same = channels_in == channels_out
        self.res_conv = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor, frames: Frames, time: Tensor) -> Tensor:
        """(batch, channels_in, bands, frames), time (batch, time_channels) → (batch, channels_out, …)."""
        h: Tensor = self.block1(x, frames, self.mlp(time)[:, :, None, None])
        return self.block2(h, frames, self.res_conv(frames.clear(x)))


class Rezero(nn.Module):
    """A branch behind a learnt gate that starts closed (Bachlechner et al., 2021)."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn
        self.g = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, frames: Frames) -> Tensor:
        """Same shape in and out."""
        gated: Tensor = self.fn(x, frames, self.g)
        return gated


class Residual(nn.Module):
    """A branch added to its input."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor, frames: Frames) -> Tensor:
        """Same shape in and out."""
        branch: Tensor = self.fn(x, frames)
        return branch + x if torch.is_grad_enabled() else branch.add_(x)


class Resample(nn.Module):
    """Halves or doubles bands and frames."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, bands, frames) → the same channels at another resolution."""
        return self.conv(x)


def time_embedding(t: Tensor, channels: int, scale: float) -> Tensor:
    """Sines and cosines of the time (Vaswani et al., 2017): (batch,) → (batch, channels)."""
    half = channels // 2
    frequency = torch.exp(torch.arange(half, device=t.device) * (-math.log(10000) / (half - 1)))
    angle = scale * t[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], 1)


class Level(nn.ModuleList):
    """Two residual blocks, attention, and a change of resolution where one follows; under the official indices."""

    def __init__(
        self, channels_in: int, channels_out: int, time_channels: int, resample: nn.Module | None
    ) -> None:
        super().__init__(
            [
                ResnetBlock(channels_in, channels_out, time_channels),
                ResnetBlock(channels_out, channels_out, time_channels),
                Residual(Rezero(LinearAttention(channels_out))),
                nn.Identity() if resample is None else Resample(resample),
            ]
        )

    def refine(self, x: Tensor, frames: Frames, time: Tensor) -> Tensor:
        """All but the change of resolution: (batch, channels_in, …) → (batch, channels_out, …)."""
        resnet1, resnet2, attention, _ = self
        refined: Tensor = attention(resnet2(resnet1(x, frames, time), frames, time), frames)
        return refined

    def resample(self, x: Tensor, frames: Frames) -> Tensor:
        """Halves or doubles bands and frames, or neither."""
        resampled: Tensor = self[3](frames.clear(x))
        return resampled


class UNet(nn.Module):
    """The U-Net: three levels of ``dec_dim`` · (1, 2, 4) channels."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        dim, self.dim, self.pe_scale = spec.dec_dim, spec.dec_dim, spec.pe_scale
        speaker_channel = int(spec.n_spks > 1)
        if speaker_channel:
            hidden = 4 * spec.spk_emb_dim
            self.spk_mlp = nn.Sequential(
                nn.Linear(spec.spk_emb_dim, hidden), nn.Mish(), nn.Linear(hidden, spec.n_feats)
            )
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.Mish(), nn.Linear(4 * dim, dim))
        levels = [2 + speaker_channel, dim, 2 * dim, 4 * dim]
        pairs = list(pairwise(levels))
        downs = (
            Level(low, high, dim, None if high == levels[-1] else nn.Conv2d(high, high, 3, 2, 1))
            for low, high in pairs
        )
        self.downs = cast("Iterable[Level]", nn.ModuleList(downs))
        self.mid_block1 = ResnetBlock(levels[-1], levels[-1], dim)
        self.mid_attn = Residual(Rezero(LinearAttention(levels[-1])))
        self.mid_block2 = ResnetBlock(levels[-1], levels[-1], dim)
        ups = (
            Level(2 * high, low, dim, nn.ConvTranspose2d(low, low, 4, 2, 1))
            for low, high in reversed(pairs[1:])
        )
        self.ups = cast("Iterable[Level]", nn.ModuleList(ups))
        self.final_block = Block(dim, dim)
        self.final_conv = nn.Conv2d(dim, 1, 1)

    def forward(
        self,
        x_t: Tensor,
        mu: Tensor,
        t: Tensor,
        mask: Tensor | None = None,
        extent: Tensor | None = None,
        speaker: Tensor | None = None,
    ) -> Tensor:
        """Estimates the score.

        Args:
            x_t: (batch, n_feats, frames), frames a multiple of 4.
            mu: the prior mean, same shape.
            t: (batch,) in [0, 1].
            mask: (batch, 1, frames) or None where every frame is real.
            extent: (batch, 1, frames) frames for statistics; None: all, as the official network does.
            speaker: (batch, spk_emb_dim) for a multi-speaker model.

        Returns:
            (batch, n_feats, frames), zero on padding.
        """
        time = self.mlp(time_embedding(t, self.dim, self.pe_scale))
        planes = [mu, x_t]
        if speaker is not None:
            planes.append(self.spk_mlp(speaker)[:, :, None].expand_as(x_t))
        x = torch.stack(planes, 1)
        if x.device.type == "cpu" or torch.is_autocast_enabled(x.device.type):
            x = x.contiguous(memory_format=torch.channels_last)
        levels = [Frames(*(None if m is None else m.unsqueeze(1) for m in (mask, extent)))]
        hidden = []
        for down in self.downs:
            frames = levels[-1]
            hidden.append(down.refine(x, frames, time))
            x = down.resample(hidden[-1], frames)
            levels.append(frames.halved())
        levels.pop()  # the last level does not halve
        frames = levels[-1]
        x = self.mid_block1(x, frames, time)
        x = self.mid_block2(self.mid_attn(x, frames), frames, time)
        for up in self.ups:
            frames = levels.pop()
            x = up.resample(up.refine(torch.cat([x, hidden.pop()], 1), frames, time), frames)
        frames = levels.pop()
        x = self.final_block(x, frames)
        with torch.autocast(x.device.type, enabled=False):
            return frames.clear(self.final_conv(x.float())).squeeze(1)
