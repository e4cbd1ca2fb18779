"""The filter between acoustic model and vocoder; see `voxgrad.postfilter`, which is the same in NumPy."""

import torch.nn.functional as F
from torch import Tensor

from voxgrad.postfilter import BANDS, FRAMES, gaussian


def filtered(mel: Tensor, gains: Tensor | None, strength: float) -> Tensor:
    """The filter on mels (batch, n_feats, frames); gains are (batch, n_feats) or None."""
    if strength == 0:
        return mel
    if gains is not None:
        mel = mel + (gains[..., None] - 1) * detail(mel)
    padded = F.pad(mel, (0, 0, 1, 1), mode="replicate")
    around = (padded[:, :-2] + padded[:, 2:]) / 2
    return mel + strength / 2 * (mel - around)


def detail(mel: Tensor) -> Tensor:
    """What a Gaussian of `BANDS` bands and `FRAMES` frames takes away from mels (batch, n_feats, frames)."""
    image = mel[:, None]
    bands, frames = (mel.new_tensor(gaussian(deviation)) for deviation in (BANDS, FRAMES))
    high, wide = len(bands) // 2, len(frames) // 2
    image = F.conv2d(F.pad(image, (0, 0, high, high), mode="replicate"), bands[None, None, :, None])
    image = F.conv2d(F.pad(image, (wide, wide, 0, 0), mode="replicate"), frames[None, None, None])
    return mel - image[:, 0]
