"""Training of a model with a frame-level mean: pitch, mean and diffusion, and a speaker's embedding alone."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from voxgrad.acoustic_model import AcousticModel
from voxgrad.events import ignore
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import AcousticSpec, MelSpec, ModelSpec, StageSpec, TextSpec, TrainSpec
from voxgrad.training import speaker_adaptation
from voxgrad.training.alignment import align_corpus
from voxgrad.training.losses import validate
from voxgrad.training.speaker_adaptation import adaptation_cost, fit_embedding, match_detail, match_pitch, nearest_row
from voxgrad.training.task import GradTTSTask

CPU = torch.device("cpu")
SPEC = ModelSpec(
    n_spks=2,
    n_enc_channels=32,
    filter_channels=64,
    filter_channels_dp=32,
    n_enc_layers=1,
    condition_encoder=True,
    decoder="convnext",
    frame_channels=24,
    pitch_blocks=1,
    frame_blocks=1,
    frame_dropout=0.0,
    score_channels=32,
    score_blocks=1,
)
ROWS = {"ann": 1}


@pytest.fixture
def measured(corpus):
    return with_pitch(corpus)


def with_pitch(corpus):
    """The corpus with a pitch that rises by the token's number, so that it can be learnt."""
    pitch = {
        clip.id: 4.5 + 0.5 * torch.linspace(0, 1, clip.frames) * (torch.arange(clip.frames) % 5 > 0)
        for clip in corpus.clips
    }
    return replace(corpus, pitch=pitch)


@pytest.fixture(scope="module")
def learnt(corpus, tmp_path_factory):
    """A model whose encoder has learnt the corpus."""
    torch.manual_seed(0)
    model = GradTTS(SPEC)
    trained(model, with_pitch(corpus), tmp_path_factory.mktemp("encoder"), ENCODER)
    return model


@pytest.fixture
def model(learnt):
    torch.manual_seed(0)
    return deepcopy(learnt).requires_grad_(requires_grad=True)


def trained(model, corpus, folder, *stages):
    settings = TrainSpec(stages=stages, validate_every=20, checkpoint_every=20, ema_decay=0.5)
    task = GradTTSTask(model, corpus, corpus, ROWS, settings, folder, CPU, ignore)
    return task, task.train()


ENCODER = StageSpec(train=("encoder", "durations"), alignment="every_step", steps=30, batch_size=8, learning_rate=5e-3)
DECODER = StageSpec(train=("decoder",), steps=20, batch_size=8, crop=16, learning_rate=5e-3)
JOINT = StageSpec(train=("encoder", "durations", "decoder"), steps=10, batch_size=8, crop=16, learning_rate=1e-3)


def test_all_stages_learn(model, measured, tmp_path):
    before = validate(model, measured, ROWS, CPU, decoder=True)
    assert {"mean_distance", "diffusion"} <= before.keys()
    _, after = trained(model, measured, tmp_path / "run", DECODER, JOINT)
    assert after["diffusion"] < 0.9 * before["diffusion"]
    assert after["mean_distance"] < before["mean_distance"]


def test_the_pitch_predictor_can_be_kept(measured, tmp_path):
    torch.manual_seed(0)
    model = GradTTS(SPEC)
    before = {name: value.clone() for name, value in model.frame_prior.state_dict().items()}
    for stage in (DECODER, JOINT):
        trained(model, measured, tmp_path / "-".join(stage.train), replace_stage(stage, steps=4, pitch=False))
    changed = {name for name, value in model.frame_prior.state_dict().items() if not value.equal(before[name])}
    assert changed == {name for name in before if name.startswith("mean_")}
    logged = (tmp_path / "decoder" / "log.jsonl").read_text(encoding="utf-8")
    assert '"mean"' in logged
    assert '"pitch"' not in logged


def test_crops_of_frozen_and_of_searched_alignments_hold_the_same(measured, tmp_path):
    torch.manual_seed(0)
    model = GradTTS(SPEC.model_copy(update={"enc_dropout": 0.0}))
    decoder, joint = (replace_stage(stage, steps=1, crop=None) for stage in (DECODER, JOINT))
    first = losses_of(model, measured, tmp_path / "a", decoder)
    second = losses_of(model, measured, tmp_path / "b", joint)
    for name in ("mean", "pitch", "voicing"):
        assert first[name] == pytest.approx(second[name], rel=0.05)


def losses_of(model, corpus, folder, stage):
    settings = TrainSpec(stages=(stage,), precision="float32")
    task = GradTTSTask(model, corpus, corpus, ROWS, settings, folder, CPU, ignore)
    task.begin(0)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    model.encoder.prenet.dropout.p = 0.0
    found = task.step(0, 0, 0, torch.Generator().manual_seed(0))
    model.load_state_dict(state)
    return found


def replace_stage(stage, **changes):
    return stage.model_copy(update=changes)


def test_a_new_speaker_takes_the_nearest_row_and_moves_it_alone(model, measured, tmp_path):
    trained(model, measured, tmp_path / "run", replace_stage(DECODER, steps=10))
    model.requires_grad_(requires_grad=True)
    done: list[float] = []
    assert nearest_row(model, measured, "ann", CPU, done.append) == ROWS["ann"]
    spec = AcousticSpec(model=SPEC, mel=MelSpec(), text=TextSpec(), speakers=ROWS, voice="ann")
    with torch.no_grad():
        model.spk_emb.weight[1] += 0.5
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    before = validate(model, measured, ROWS, CPU, decoder=True)["mean_distance"]
    fit_embedding(AcousticModel(model, spec), measured, CPU, done.append)
    assert sum(done) == adaptation_cost(model, measured, measured, fit=True, match=False)
    after = validate(model, measured, ROWS, CPU, decoder=True)["mean_distance"]
    assert after < before
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, weights[name])}
    assert changed == {"spk_emb.weight"}
    assert torch.equal(model.spk_emb.weight[0], weights["spk_emb.weight"][0])


def test_a_row_near_the_best_is_found_without_trying_all_rows(measured, monkeypatch):
    torch.manual_seed(0)
    model = GradTTS(SPEC.model_copy(update={"n_spks": 400}))
    groups = torch.randn(40, 1, SPEC.spk_emb_dim) + 0.1 * torch.randn(40, 10, SPEC.spk_emb_dim)
    model.spk_emb.weight = torch.nn.Parameter(groups.flatten(0, 1))
    tried: list[int] = []

    def distances(model, corpus, clip, rows, device, advance):
        tried.extend(rows.tolist())
        return (model.spk_emb.weight[rows] - model.spk_emb.weight[213]).square().sum(1)

    monkeypatch.setattr(speaker_adaptation, "_row_distances", distances)
    assert nearest_row(model, measured.with_clips(measured.clips[:1]), "ann", CPU) == 213
    assert len(tried) == len(set(tried)) < 150


def test_a_speakers_pitch_is_taken_over(measured):
    torch.manual_seed(0)
    model = GradTTS(SPEC)
    spec = AcousticSpec(model=SPEC, mel=MelSpec(), text=TextSpec(), speakers=ROWS, voice="ann")
    match_pitch(AcousticModel(model, spec), measured)
    mean, deviation = model.frame_prior.pitch_statistics[1]
    assert 4.5 < mean < 5.0
    assert deviation > 0.05
    assert model.frame_prior.pitch_statistics[0, 0] == 5.0


def test_gains_of_the_postfilter_are_what_detail_lacks(measured, monkeypatch):
    torch.manual_seed(0)
    model, heard = GradTTS(SPEC), iter(measured.clips)
    found = align_corpus(model, measured, ROWS, CPU)

    def half_as_much(start, condition, settings, noise):
        mel = torch.zeros_like(start)
        clip = next(heard)
        mel[0, :, : clip.frames] = measured.mel(clip) / 2
        return mel

    monkeypatch.setattr(model.decoder, "sample", half_as_much)
    match_detail(model, measured, found, ROWS, CPU)
    assert torch.allclose(model.frame_prior.detail_gains[ROWS["ann"]], torch.tensor(2.0), atol=0.01)
    others = [row for row in range(SPEC.n_spks) if row != ROWS["ann"]]
    assert (model.frame_prior.detail_gains[others] == 1).all()
