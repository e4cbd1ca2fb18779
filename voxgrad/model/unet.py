"""The score network: a U-Net over (bands, frames) that estimates the gradient of the log-density of x_t.

Grad-TTS, section 3.3, after Ho et al. (2020). Parameter names are the official state dict's. Normalisation and
attention of the official network also look at padding; given an ``extent`` they keep to each utterance's own
frames, and a ragged batch gives every utterance what it gets alone.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from voxgrad.model import group_norm_mish
from voxgrad.settings import ModelSpec

GROUPS = 8


@dataclass(frozen=True, slots=True)
class Frames:
    """What is real in a padded batch at one level of the U-Net; None means everything.

    ``mask`` (batch, 1, 1, frames) zeroes padding; ``extent`` (same shape) bounds statistics.
    """

    mask: Tensor | None = None
    extent: Tensor | None = None

    def clear(self, x: Tensor) -> Tensor:
        """Zeroes the padding of ``x`` (batch, channels, bands, frames)."""
        # A mask of another type would turn half precision into float32.
        return x if self.mask is None else x * self.mask.to(x.dtype)

    def halved(self) -> "Frames":
        """The same after a downsampling by two."""
        return Frames(*(None if m is None else m[..., ::2] for m in (self.mask, self.extent)))


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

    def __init__(self, channels_in: int, channels_out: int, time_channels: int, resample: nn.Module | None) -> None:
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
            Level(low, high, dim, None if high == levels[-1] else nn.Conv2d(high, high, 3, 2, 1)) for low, high in pairs
        )
        self.downs = cast("Iterable[Level]", nn.ModuleList(downs))
        self.mid_block1 = ResnetBlock(levels[-1], levels[-1], dim)
        self.mid_attn = Residual(Rezero(LinearAttention(levels[-1])))
        self.mid_block2 = ResnetBlock(levels[-1], levels[-1], dim)
        ups = (Level(2 * high, low, dim, nn.ConvTranspose2d(low, low, 4, 2, 1)) for low, high in reversed(pairs[1:]))
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
        """Estimates the score: (batch, n_feats, frames), zero on padding. The frames of ``x_t`` are a multiple of 4.

        ``mask`` (batch, 1, frames) is None where every frame is real. ``extent``, of the same shape, has the frames for
        statistics: None for all, as in the official network. Times are (batch,), speakers (batch, spk_emb_dim).
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


_SAFE = 60.0
_CACHED = 2**19
"""Keys that are worked on at once: few enough that a processor's cache holds them from one operation to the next."""


class LinearAttention(nn.Module):
    """Attention linear in the number of positions (Shen et al., 2021), the query not normalised."""

    def __init__(self, channels: int, heads: int = 4, width: int = 32) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Conv2d(channels, 3 * heads * width, 1, bias=False)
        self.to_out = nn.Conv2d(heads * width, channels, 1)

    def forward(self, x: Tensor, frames: Frames, gate: Tensor) -> Tensor:
        """(batch, channels, bands, frames) in and out, all of which ``gate`` (1,) scales.

        Nothing between the query and the output bends, so that they fold with what was attended to into one
        matrix (channels, channels) per sample: no query, no value and no head is ever spread over positions.
        """
        channels = x.shape[1]
        query_weight, key_weight, value_weight = self.to_qkv.weight.flatten(1).chunk(3)
        attended, total = self._attend(x, key_weight, frames.extent)
        with torch.autocast(x.device.type, enabled=False):
            attended = attended / total[:, :, None]
            attended = attended.view(len(x), self.heads, -1, channels)
            context = attended @ value_weight.view(self.heads, -1, channels).mT
            output_weight = self.to_out.weight.view(channels, self.heads, -1).transpose(0, 1)
            folded = (output_weight @ context.mT).transpose(1, 2).flatten(2) @ query_weight
        return _mix(gate * folded, x, gate * cast("Tensor", self.to_out.bias))

    def _attend(self, x: Tensor, key_weight: Tensor, extent: Tensor | None) -> tuple[Tensor, Tensor]:
        """Sums over positions of exp(key) x, (batch, keys, channels), and of exp(key), (batch, keys)."""
        positions = x.permute(0, 2, 3, 1)
        attended = torch.zeros(len(x), len(key_weight), x.shape[1], device=x.device)
        total = torch.zeros(len(x), len(key_weight), device=x.device)
        transposed = key_weight.T.to(x.dtype)
        guarded = _may_overflow(key_weight, x)
        bands = max(1, _CACHED // (len(x) * x.shape[3] * len(key_weight)))
        for part in (positions,) if guarded else torch.split(positions, bands, 1):
            key = part @ transposed
            if extent is not None:
                key = key.masked_fill(extent.mT == 0, -torch.inf)
            if guarded:
                key = key - key.detach().amax((1, 2), keepdim=True)
            key = key.exp() if torch.is_grad_enabled() else key.exp_()
            attended = attended + (key.transpose(2, 3) @ part).float().sum(1)
            total = total + key.sum((1, 2)).float()
        return attended, total


def _may_overflow(weight: Tensor, x: Tensor) -> bool:
    """Whether exponentials of weight @ x could pass a float32 when they are added up, by Cauchy and Schwarz.

    On a GPU to ask would cost more than to guard against it.
    """
    if x.device.type != "cpu":
        return True
    longest = torch.linalg.vector_norm(x.detach(), dim=1, dtype=torch.float32).amax()
    return not float(longest * torch.linalg.vector_norm(weight.detach(), dim=1).amax()) < _SAFE


def _mix(weight: Tensor, x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Mixes the channels of every position by (batch, channels_out, channels).

    In channels-last memory, (batch, channels, bands, frames) to positions and back are views.
    """
    positions = x.permute(0, 2, 3, 1).flatten(1, 2)
    mixed = positions @ weight.mT if bias is None else torch.baddbmm(bias, positions, weight.mT)
    return mixed.view(len(x), *x.shape[2:], -1).permute(0, 3, 1, 2)
