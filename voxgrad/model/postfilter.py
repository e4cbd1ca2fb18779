"""A filter that gives a predicted mel back some of the contrast that averaging took.

A network that is trained by squared errors predicts means, and a mean over what a band may be is smoother than any of
them. Statistical synthesis has long met that with a filter between model and vocoder: Koishida et al. (1995) sharpen
formants in the cepstrum, Toda and Tokuda (2007) restore the global variance. Here every band is moved away from the
mean of itself and its two neighbours. Recordings have more local variance than what is predicted, so it comes nearer to
them (`docs/synthesis.md`).
"""

from torch import Tensor
from torch.nn import functional as F


def sharpened(mel: Tensor, strength: float) -> Tensor:
    """Moves every band away from its neighbours.

    Args:
        mel: (batch, n_feats, frames), logarithmic.
        strength: share of the distance from the mean, in which the band itself counts twice; 0 leaves it as it is.
    """
    if strength == 0:
        return mel
    padded = F.pad(mel, (0, 0, 1, 1), mode="replicate")
    beside = (padded[:, :-2] + padded[:, 2:]) / 2
    return mel + strength / 2 * (mel - beside)
