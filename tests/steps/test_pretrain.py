from pathlib import Path

import torch

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.events import ignore
from voxgrad.presets import load_preset
from voxgrad.steps import train as step
from voxgrad.steps.train import pretrain


def test_a_base_carries_all_that_is_needed_to_use_it(chain):
    settings = chain.base.manifest.settings
    assert settings["acoustic"]["speakers"] == {"robot": 0}
    assert settings["acoustic"]["mel"] == chain.dataset.manifest.settings["audio"]["mel"]
    assert settings["acoustic"]["text"] == chain.dataset.manifest.settings["text"]
    assert settings["acoustic"]["model"]["dec_dim"] == 16
    assert [stage["steps"] for stage in settings["training"]["stages"]] == [8, 3]
    assert chain.base.manifest.seed == 0
    metrics = chain.base.manifest.metrics
    assert (metrics["steps"], metrics["clips"] + metrics["held_out_clips"]) == (11, 10)
    assert set(metrics["held_out"]) == {"prior_distance", "duration", "duration_error", "diffusion"}


def test_another_seed_begins_with_other_weights(chain, furnished, monkeypatch):
    """The same gives the same: cli/test_training_runs.py."""
    monkeypatch.setattr(step, "train_grad_tts", lambda *given: given[3].model.encoder.emb.weight)
    presets = [load_preset("tiny", [f"seed={seed}"]) for seed in (0, 1)]
    weights = [pretrain(furnished, chain.dataset, name="x", preset=preset, emit=ignore) for preset in presets]
    assert not torch.equal(*weights)


def test_too_little_to_learn_from_is_refused(tmp_path: Path, record, done, refused, steps):
    record(tmp_path / "one", {"a": "The sun is warm.", "b": "The sun is warm."})
    (tmp_path / "one" / "metadata.csv").write_text("a|The sun is warm.\nb|The sun is warm.\n")
    done("prepare", tmp_path / "one", "--base", "none")
    assert "fewer than two different sentences" in refused("pretrain", "--data", "one", *steps)


def test_a_base_of_several_speakers(duet):
    spec = load_acoustic_model(duet.base).spec
    assert spec.model.n_spks == 2
    assert spec.speakers == {"ann": 0, "bob": 1}
    assert spec.voice == "ann"  # of whom there is most
