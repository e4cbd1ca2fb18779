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
        y = self.norm(self.depthwise(x.transpose(1, 2)).transpose(1, 2))
        if self.film is not None and condition is not None:
            scale, shift = self.film(condition).unsqueeze(1).chunk(2, -1)
            y = y * (1 + scale) + shift
        return x + self.gamma * self.project(F.gelu(self.expand(y)))
