"""The task of Grad-TTS: its stages, its log, alignments and validation."""

import json
import math

import pytest
import torch

from tests.training.conftest import trainer
from voxgrad.events import Measured
from voxgrad.settings import StageSpec
from voxgrad.training.losses import duration_scale, parameters_of
from voxgrad.training.trainer import LOG

ENCODER = StageSpec(train=("encoder", "durations"), alignment="every_step", steps=6, batch_size=4, learning_rate=3e-3)
DECODER = StageSpec(train=("decoder",), steps=4, batch_size=4, crop=16, learning_rate=1e-3)
JOINT = StageSpec(
    train=("encoder", "durations", "decoder"),
    alignment="every_step",
    steps=3,
    batch_size=4,
    crop=16,
    learning_rate=1e-3,
)


def test_all_stages_run_and_the_log_tells_of_them(corpus, tmp_path):
    seen = []
    one = trainer(corpus, tmp_path / "run", (ENCODER, DECODER, JOINT), seen.append)
    figures = one.train()
    assert one.total == 13
    assert set(figures) == {"prior_distance", "duration", "duration_error", "diffusion"}
    entries = [json.loads(line) for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    steps = [entry for entry in entries if "held_out" not in entry]
    assert [entry["step"] for entry in steps] == list(range(1, 14))
    assert {"prior", "duration"} <= set(steps[0])
    assert "diffusion" not in steps[0]
    assert {"prior", "duration", "diffusion"} <= set(steps[-1])
    assert any(isinstance(event, Measured) for event in seen)


def test_stages_change_only_what_they_train(corpus, tmp_path):
    one = trainer(corpus, tmp_path / "run", (DECODER,), ema_decay=0.0)
    before = {name: value.clone() for name, value in one.model.state_dict().items()}
    one.train()
    moved = {name for name, value in one.model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.startswith("decoder.") for name in moved)
    chosen = parameters_of(one.model, ENCODER)
    assert {id(p) for p in chosen["durations"]}.isdisjoint(id(p) for p in chosen["encoder"])
    assert not any(p.requires_grad for p in one.model.decoder.parameters())


def test_the_duration_scale_makes_up_for_the_predictor(corpus, tmp_path):
    one = trainer(corpus, tmp_path / "run", (ENCODER, DECODER))
    with torch.no_grad():
        for parameter in one.model.encoder.proj_w.proj.parameters():
            parameter.zero_()
        one.model.encoder.proj_w.proj.bias.fill_(math.log(3.0))  # three frames for every token, on average 4.5
    found = duration_scale(one.model, corpus, {"ann": 0}, one.device)
    assert found == pytest.approx(sum(c.frames for c in corpus.clips) / (3 * 6 * len(corpus.clips)), rel=0.01)
    with torch.no_grad():
        one.model.encoder.proj_w.proj.bias.fill_(math.log(50.0))
    assert duration_scale(one.model, corpus, {"ann": 0}, one.device) == 0.5
