"""A base is adapted to a new speaker before it is trained: the row of the embedding, and the means of the mel bands."""

from typing import cast

import torch
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel
from voxgrad.model.gradtts import GradTTS
from voxgrad.training.alignment import align_corpus, align_unknown_speakers, expanded
from voxgrad.training.dataset import Corpus
from voxgrad.training.gradtts_losses import validate

_STRETCH = (0.5, 2.0)
"""Recordings of speech differ by less; a base that has learnt nothing might not."""


def nearest_row(model: GradTTS, corpus: Corpus, speaker: str, device: torch.device) -> int:
    """The speaker row whose decoder explains a few clips of a new speaker best; 0 in a one-speaker base.

    Args:
        model: the base.
        corpus: clips of the new speaker.
        speaker: their name in it.
        device: where to compute.
    """
    if model.spec.n_spks == 1:
        return 0
    some = corpus.with_clips(sorted(corpus.clips, key=lambda clip: (clip.frames, clip.id))[:4])
    loss = [
        validate(model, some, {speaker: row}, device, decoder=True)["diffusion"]
        for row in range(model.spec.n_spks)
    ]
    return min(range(len(loss)), key=loss.__getitem__)


@torch.no_grad()
def match_bands(acoustic: AcousticModel, corpus: Corpus, device: torch.device) -> None:
    """Moves and stretches the model's means, band by band, to where the mels of new recordings lie.

    Twice, because better means align better, all frames are aligned and every band's shift and stretch read off them.
    Two numbers a band tell speaker, room and microphone, and are too few to forget how sounds differ; the last layer
    of the text encoder is linear and takes them in. It is the diagonal form of Leggetter and Woodland's maximum
    likelihood linear regression of means (Computer Speech and Language 9, 1995), except for the stretch: see
    :func:`_fitted`.

    Args:
        acoustic: a base with the new speaker's row chosen; its means are moved.
        corpus: recordings of the speaker.
        device: where the model is.
    """
    means = acoustic.model.encoder.proj_m
    bias = cast("Tensor", means.bias)
    rows = {clip.speaker: acoustic.row for clip in corpus.clips}
    for searched in (align_unknown_speakers, align_corpus):
        found = searched(acoustic.model, corpus, rows, device)
        mu = torch.cat([expanded(found[clip.id]) for clip in corpus.clips], 1)
        y = torch.cat([corpus.mel(clip) for clip in corpus.clips], 1)
        stretch, shift = _fitted(mu, y)
        means.weight.mul_(stretch[:, None, None].to(device))
        bias.mul_(stretch.to(device)).add_(shift.to(device))


def _fitted(mu: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """What makes y ≈ stretch · mu + shift in every band: (n_feats, frames) twice → (n_feats,) twice.

    The slope of least squares shrinks with every frame that is aligned wrongly, and flat means make mumbled speech. The
    ratio of the spreads does not, but means have less spread than mels by right. The stretch is the geometric mean
    of both.
    """
    mu_mean, y_mean = mu.mean(1), y.mean(1)
    mu_centred, y_centred = mu - mu_mean[:, None], y - y_mean[:, None]
    variance = mu_centred.square().sum(1).clamp(min=1e-6)
    slope = (mu_centred * y_centred).sum(1).clamp(min=0) / variance
    ratio = (y_centred.square().sum(1) / variance).sqrt()
    stretch = (slope * ratio).sqrt().clamp(*_STRETCH)
    return stretch, y_mean - stretch * mu_mean
