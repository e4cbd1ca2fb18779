"""A corpus that can be learnt: every token has a mel of its own, and a little noise."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch

from voxgrad.events import ignore
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import ModelSpec, TrainSpec
from voxgrad.training.dataset import CLIPS, MELS, Clip, Corpus, write_corpus
from voxgrad.training.task import GradTTSTask

SPEC = ModelSpec(
    n_enc_channels=16, filter_channels=16, filter_channels_dp=16, n_enc_layers=1, dec_dim=8, enc_dropout=0.0
)
DEVICE, ROWS = torch.device("cpu"), {"ann": 0}


@pytest.fixture(scope="session")
def corpus(shared: Callable[..., Path]) -> Corpus:
    """For reading only."""

    def make(folder: Path) -> None:
        generator = torch.Generator().manual_seed(0)
        prototypes = torch.randn(20, 80, generator=generator)
        clips, mels = [], {}
        for number in range(12):
            tokens = tuple(int(t) for t in torch.randint(1, 20, (6,), generator=generator))
            frames = torch.randint(3, 7, (6,), generator=generator)
            mel = prototypes[list(tokens)].repeat_interleave(frames, 0).T
            mels[f"c{number:02}"] = mel + 0.1 * torch.randn(mel.shape, generator=generator)
            clips.append(Clip(f"c{number:02}", f"t{number}", f"t{number}", tokens, "ann", mel.shape[1], 1.0))
        write_corpus(folder, clips, mels)

    folder = shared("corpus", make)
    return Corpus.open(folder / CLIPS, folder / MELS)


def random_corpus(folder: Path, sizes: Iterable[tuple[int, int]], takes: int = 1) -> Corpus:
    """Clips of so many tokens and frames of noise; so many takes of every sentence."""
    generator = torch.Generator().manual_seed(0)
    clips, mels = [], {}
    for number, (tokens, frames) in enumerate(sizes):
        name, text = f"c{number:02}", f"text {number // takes}."
        mels[name] = torch.randn(80, frames, generator=generator)
        ids = tuple(torch.randint(1, 20, (tokens,), generator=generator).tolist())
        clips.append(Clip(name, text, text, ids, "ann", frames, 1.0))
    folder.mkdir(parents=True, exist_ok=True)
    write_corpus(folder, clips, mels)
    return Corpus.open(folder / CLIPS, folder / MELS)


def trainer(corpus, run, stages, emit=ignore, known=None, **changes):
    """A task with a small Grad-TTS, a fifth of the corpus held out."""
    torch.manual_seed(0)
    training, held_out = corpus.divide(0.2)
    settings = TrainSpec(stages=stages, validate_every=3, checkpoint_every=3, precision="float32", **changes)
    return GradTTSTask(GradTTS(SPEC), training, held_out, ROWS, settings, run, DEVICE, emit, known or {})
