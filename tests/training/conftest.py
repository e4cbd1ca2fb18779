"""A corpus that can be learnt: every token has a mel of its own, and a little noise."""

import pytest
import torch

from voxgrad.training.dataset import CLIPS, MELS, Clip, Corpus, write_corpus


@pytest.fixture
def corpus(tmp_path):
    generator = torch.Generator().manual_seed(0)
    prototypes = torch.randn(20, 80, generator=generator)
    clips, mels = [], {}
    for number in range(12):
        tokens = tuple(int(t) for t in torch.randint(1, 20, (6,), generator=generator))
        mel = prototypes[list(tokens)].repeat_interleave(torch.randint(3, 7, (6,), generator=generator), 0).T
        mels[f"c{number:02}"] = mel + 0.1 * torch.randn(mel.shape, generator=generator)
        clips.append(Clip(f"c{number:02}", f"t{number}", f"t{number}", tokens, "ann", mel.shape[1], 1.0))
    write_corpus(tmp_path, clips, mels)
    return Corpus.open(tmp_path / CLIPS, tmp_path / MELS)
