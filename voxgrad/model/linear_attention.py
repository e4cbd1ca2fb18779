"""The score network's attention, folded into one matrix a sample, and kept within a processor's cache."""

from typing import cast

import torch
from torch import Tensor, nn

from voxgrad.model.masks import Frames

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

    On a GPU to ask would cost more than to guard against it, and what is compiled cannot ask.
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return True
    longest = torch.linalg.vector_norm(x.detach(), dim=1, dtype=torch.float32).amax()
    return not float(longest * torch.linalg.vector_norm(weight.detach(), dim=1).amax()) < _SAFE


def _mix(weight: Tensor, x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Mixes the channels of every position; in channels-last memory, this and the way back are views.

    Args:
        weight: (batch, channels_out, channels).
        x: (batch, channels, bands, frames).
        bias: (channels_out,).

    Returns:
        (batch, channels_out, bands, frames).
    """
    positions = x.permute(0, 2, 3, 1).flatten(1, 2)
    mixed = positions @ weight.mT if bias is None else torch.baddbmm(bias, positions, weight.mT)
    return mixed.view(len(x), *x.shape[2:], -1).permute(0, 3, 1, 2)
