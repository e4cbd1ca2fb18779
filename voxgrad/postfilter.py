"""The filter between acoustic model and vocoder, in NumPy; `voxgrad.model.postfilter` is the same in torch.

A network that is trained by squared errors predicts means, and a mean over what a frame may be is smoother than any
of them. Statistical synthesis has long met that with a filter before the vocoder: Koishida et al. (1995) sharpen
formants in the cepstrum, Toda and Tokuda (2007) restore the global variance. Here both are done in the log-mel:

1. The detail of every band, what a Gaussian of `BANDS` bands and `FRAMES` frames takes away, is multiplied by a gain
   that was measured on the speaker's recordings: the ratio of the standard deviations there and in generated speech.
2. Bands move away from their neighbours: ``strength`` is the share of the distance from the mean of both sides and the
   band itself, which counts twice.

docs/synthesis.md tells of it, docs/research/sampling.md and person.md have the figures.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
BANDS: Final = 2.0
FRAMES: Final = 3.0
"""Standard deviations of the Gaussian."""


def gaussian(deviation: float) -> list[float]:
    """Weights of a Gaussian over three deviations on either side, of sum 1.

    >>> [round(weight, 3) for weight in gaussian(0.5)]
    [0.0, 0.106, 0.787, 0.106, 0.0]
    """
    reach = round(3 * deviation)
    weights = [math.exp(-0.5 * (at / deviation) ** 2) for at in range(-reach, reach + 1)]
    return [weight / sum(weights) for weight in weights]


def filtered(mel: Array, gains: Array | None, strength: float) -> Array:
    """The filter; see the module.

    Args:
        mel: (1, n_feats, frames).
        gains: of the detail of every band, (n_feats,); None: 1.
        strength: from 0, which leaves the mel as it is.
    """
    if strength == 0:
        return mel
    if gains is not None:
        mel = mel + (gains[:, None] - 1) * (mel - _smoothed(mel))
    padded = np.pad(mel, ((0, 0), (1, 1), (0, 0)), mode="edge")
    around: Array = (padded[:, :-2] + padded[:, 2:]) * np.float32(0.5)
    return mel + np.float32(strength / 2) * (mel - around)


def _smoothed(mel: Array) -> Array:
    for axis, deviation in ((1, BANDS), (2, FRAMES)):
        weights, size = gaussian(deviation), mel.shape[axis]
        sides = [(0, 0), (0, 0), (0, 0)]
        sides[axis] = (len(weights) // 2, len(weights) // 2)
        padded, mel = np.pad(mel, sides, mode="edge").swapaxes(axis, 2), np.zeros_like(mel)
        for at, weight in enumerate(weights):
            mel += np.float32(weight) * padded[..., at : at + size].swapaxes(axis, 2)
    return mel
