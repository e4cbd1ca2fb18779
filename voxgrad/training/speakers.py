"""Which row of a multi-speaker base a new voice takes over."""

import torch

from voxgrad.model.gradtts import GradTTS
from voxgrad.training.corpus import Corpus
from voxgrad.training.validate import validate


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
