"""ConvNeXt blocks over frames (Liu et al., 2022, figure 4; in one dimension as in Vocos, Siuzdak, 2023).

Everything here is (batch, frames, channels), where a matrix product needs no transposition, and every frame is
normalised on its own, so that padding changes nothing once it is zero.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_KERNEL = 7  # frames that the convolution spans
_EXPANSION = 3  # hidden channels over channels


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, layer norm, two linear layers, added to the input.

    Args:
        channels: in and out.
        condition: channels of a vector that scales and shifts what is normalised (FiLM); 0 for none.
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
        """(batch, frames, channels) in and out.

        Args:
            x: zero on padding, or anything where ``mask`` is given.
            mask: (batch, frames, 1), or None where nothing is padded.
            condition: (batch, condition).
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
