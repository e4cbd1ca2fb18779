"""Which positions of a padded batch are real."""

from dataclasses import dataclass

import torch
from torch import Tensor

FRAME_MULTIPLE = 4
"""The score network halves the frames twice, so that their number must divide by this."""


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """1.0 where the position is below the length.

    Args:
        lengths: (batch,) integers.
        size: padded length.

    Returns:
        (batch, 1, size) float32.

    >>> length_mask(torch.tensor([1, 3]), 3).tolist()
    [[[1.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]]]
    """
    return (torch.arange(size, device=lengths.device) < lengths[:, None])[:, None].float()


def padded_length(frames: int) -> int:
    """The next length that the score network can halve twice.

    >>> padded_length(9), padded_length(12)
    (12, 12)
    """
    return -(-frames // FRAME_MULTIPLE) * FRAME_MULTIPLE


def official_extent(lengths: Tensor, size: int) -> Tensor:
    """The frames that an utterance would have alone: its own length, padded to what can be halved twice.

    Group normalisation and attention of the official network look at padding too. Held to this extent, an
    utterance in a ragged batch gets just what it gets alone.

    Args:
        lengths: (batch,) frames.
        size: padded frames of the batch.

    Returns:
        (batch, 1, size) float32.
    """
    whole = torch.div(lengths + FRAME_MULTIPLE - 1, FRAME_MULTIPLE, rounding_mode="floor") * FRAME_MULTIPLE
    return length_mask(whole, size)


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
