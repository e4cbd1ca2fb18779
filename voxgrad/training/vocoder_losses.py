"""Losses of the vocoder: multi-resolution STFT loss, discriminators, and their adversarial losses."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))
"""Frame and hop of each resolution, in samples."""
PERIODS = (2, 3, 5, 7, 11)

_PITCH_DEVIATION = 0.8  # bins, of the target around the recorded pitch
_POWER = 1e-7
_SLOPE = 0.1

Judged = tuple[Tensor, list[Tensor]]
"""Scores, and what each layer saw."""


def multi_resolution_stft_loss(made: Tensor, real: Tensor) -> Tensor:
    """Multi-resolution distance of magnitudes: Yamamoto, Song and Kim (2020), equations 5 to 8.

    Args:
        made: (batch, samples).
        real: same shape.

    Returns:
        Log-magnitude distance plus spectral convergence, the mean over resolutions: ().
    """
    total = torch.zeros((), device=made.device)
    for size, hop in RESOLUTIONS:
        ours, theirs = (magnitudes(sound, size, hop) for sound in (made, real))
        apart = (ours - theirs).flatten(1).norm(dim=1) / theirs.flatten(1).norm(dim=1)
        total = total + (ours.log() - theirs.log()).abs().mean() + apart.mean()
    return total / len(RESOLUTIONS)


def magnitudes(samples: Tensor, size: int, hop: int) -> Tensor:
    """(batch, samples) → (batch, bins, frames), never zero."""
    window = torch.hann_window(size, device=samples.device)
    spectrum = torch.stft(samples, size, hop, size, window, pad_mode="constant", return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square() + _POWER).sqrt()


class PeriodDiscriminator(nn.Module):
    """Looks at every ``period``-th sample: Kong, Kim and Bae (2020), section 2.3, with fewer channels."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        sizes = (1, width, 2 * width, 4 * width, 8 * width)
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(before, after, (5, 1), (3, 1), (2, 0)))
            for before, after in pairwise(sizes)
        )
        self.score = nn.utils.parametrizations.weight_norm(nn.Conv2d(sizes[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, samples: Tensor) -> Judged:
        """(batch, samples) → scores and layers."""
        padded = F.pad(samples[:, None], (0, -samples.shape[1] % self.period), mode="reflect")
        x = padded.reshape(len(samples), 1, -1, self.period)
        seen = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), _SLOPE)
            seen.append(x)
        return self.score(x), seen


class ResolutionDiscriminator(nn.Module):
    """Looks at magnitudes of one resolution: Jang et al. (2021), section 2.3."""

    def __init__(self, size: int, hop: int, width: int) -> None:
        super().__init__()
        self.size, self.hop = size, hop
        strides = ((1, 1), (2, 1), (2, 1), (2, 1), (1, 1))
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(
                nn.Conv2d(width if index else 1, width, (9 if stride[0] > 1 else 3, 3), stride, padding="valid")
            )
            for index, stride in enumerate(strides)
        )
        self.score = nn.utils.parametrizations.weight_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, samples: Tensor) -> Judged:
        """(batch, samples) → scores and layers."""
        x = magnitudes(samples, self.size, self.hop)[:, None].log()
        seen = []
        for layer in self.layers:
            height, breadth = layer.kernel_size  # type: ignore[misc]
            x = F.leaky_relu(layer(F.pad(x, (breadth // 2,) * 2 + (height // 2,) * 2)), _SLOPE)
            seen.append(x)
        return self.score(x), seen


class Discriminators(nn.Module):
    """Some of each, narrow enough for a processor."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.each = nn.ModuleList(
            [PeriodDiscriminator(period, width) for period in PERIODS]
            + [ResolutionDiscriminator(size, hop, width) for size, hop in RESOLUTIONS]
        )

    def forward(self, samples: Tensor) -> list[Judged]:
        """(batch, samples) → what each says."""
        return [discriminator(samples) for discriminator in self.each]


def discriminator_loss(real: list[Judged], made: list[Judged]) -> Tensor:
    """What discriminators minimise, the hinge loss of Lim and Ye (2017), equation 6: ()."""
    each = [F.relu(1 - r).mean() + F.relu(1 + m).mean() for (r, _), (m, _) in zip(real, made, strict=True)]
    return torch.stack(each).mean()


def generator_loss(made: list[Judged]) -> Tensor:
    """What the vocoder minimises in turn: ()."""
    return torch.stack([F.relu(1 - score).mean() for score, _ in made]).mean()


def feature_matching_loss(real: list[Judged], made: list[Judged]) -> Tensor:
    """How differently the discriminators see both: Kumar et al. (2019), equation 4: ()."""
    each = [
        (ours - theirs.detach()).abs().mean()
        for (_, seen), (_, seen_made) in zip(real, made, strict=True)
        for theirs, ours in zip(seen, seen_made, strict=True)
    ]
    return torch.stack(each).mean()


def pitch_loss(voicing: Tensor, logits: Tensor, pitch: Tensor, centres: Tensor) -> Tensor:
    """Cross-entropy of voicing and of bins of pitch, blurred around the true one as in CREPE (Kim et al., 2018): ().

    Args:
        voicing: logits, (batch, frames).
        logits: of bins of pitch, (batch, frames, bins).
        pitch: Hz, 0 where unvoiced, (batch, frames).
        centres: ln Hz of the bins, evenly spaced, (bins,).
    """
    voiced = (pitch > 0).float()
    at = (pitch.clamp(min=1.0).log() - centres[0]) / (centres[1] - centres[0])
    bins = torch.arange(len(centres), device=logits.device)
    target = (-0.5 * ((bins - at[..., None]) / _PITCH_DEVIATION).square()).softmax(-1)
    wrong = -(target * logits.log_softmax(-1)).sum(-1)
    return F.binary_cross_entropy_with_logits(voicing, voiced) + (wrong * voiced).sum() / voiced.sum().clamp(min=1)
