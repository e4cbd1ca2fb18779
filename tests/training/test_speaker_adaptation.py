"""A base brought near to a new speaker: its means move band by band, and nothing else of it changes."""

from copy import deepcopy

import pytest
import torch

from voxgrad.acoustic_model import AcousticModel
from voxgrad.events import ignore
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import AcousticSpec, MelSpec, ModelSpec, StageSpec, TextSpec, TrainSpec
from voxgrad.training.dataset import CLIPS, MELS, Corpus, write_corpus
from voxgrad.training.losses import validate
from voxgrad.training.speaker_adaptation import match_bands
from voxgrad.training.task import GradTTSTask

CPU = torch.device("cpu")
SIZES = {"n_enc_channels": 32, "filter_channels": 64, "filter_channels_dp": 32, "n_enc_layers": 1, "dec_dim": 8}


@pytest.fixture(scope="module")
def learnt(corpus, tmp_path_factory):
    """A small base that has learnt the corpus."""
    torch.manual_seed(0)
    spec = AcousticSpec(model=ModelSpec(**SIZES), mel=MelSpec(), text=TextSpec(), speakers={"ann": 0}, voice="ann")
    model = GradTTS(spec.model)
    stage = StageSpec(
        train=("encoder", "durations"), steps=80, batch_size=8, learning_rate=5e-3, alignment="every_step"
    )
    settings = TrainSpec(stages=(stage,), validate_every=80, checkpoint_every=80, ema_decay=0.9)
    GradTTSTask(model, corpus, corpus, {"ann": 0}, settings, tmp_path_factory.mktemp("run"), CPU, ignore).train()
    return AcousticModel(model.eval(), spec)


@pytest.fixture
def base(learnt):
    return deepcopy(learnt)


def moved(corpus: Corpus, folder, stretch: torch.Tensor, shift: torch.Tensor) -> Corpus:
    """The same clips by a speaker, or through a microphone, whose bands lie elsewhere."""
    folder.mkdir()
    mels = {clip.id: corpus.mel(clip) * stretch[:, None] + shift[:, None] for clip in corpus.clips}
    write_corpus(folder, corpus.clips, mels)
    return Corpus.open(folder / CLIPS, folder / MELS)


def distance(base: AcousticModel, corpus: Corpus) -> float:
    return validate(base.model, corpus, {"ann": 0}, CPU, decoder=False)["prior_distance"]


def test_means_go_where_the_recordings_lie(base, corpus, tmp_path):
    generator = torch.Generator().manual_seed(1)
    stretch, shift = 0.8 + 0.6 * torch.rand(80, generator=generator), torch.randn(80, generator=generator)
    theirs = moved(corpus, tmp_path / "moved", stretch, shift)
    known, before = distance(base, corpus), distance(base, theirs)
    match_bands(base, theirs, CPU)
    # As near as the base was to its own speaker, but for what a greater spread adds.
    assert distance(base, theirs) < 1.3 * known < 0.6 * before


def test_nothing_but_the_last_layer_of_the_encoder_changes(base, corpus, tmp_path):
    theirs = moved(corpus, tmp_path / "moved", torch.full((80,), 1.2), torch.ones(80))
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    match_bands(base, theirs, CPU)
    after = base.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"encoder.proj_m.weight", "encoder.proj_m.bias"}


def test_a_band_without_any_sound_leaves_numbers_finite(base, corpus, tmp_path):
    silent = torch.ones(80)
    silent[60:] = 0.0
    match_bands(base, moved(corpus, tmp_path / "moved", silent, -11.5 * (1 - silent)), CPU)
    assert all(value.isfinite().all() for value in base.model.state_dict().values())
