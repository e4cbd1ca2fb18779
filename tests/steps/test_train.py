"""Bases and voices: what they hold, and which speaker becomes one."""

import shutil
from pathlib import Path

import pytest
import torch

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.events import ignore
from voxgrad.presets import load_preset
from voxgrad.steps import train as step
from voxgrad.steps.train import pretrain
from voxgrad.store import Store


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
    monkeypatch.setattr(step, "train_grad_tts", lambda *given: given[1].model.encoder.emb.weight)
    presets = [load_preset("tiny", [f"seed={seed}"]) for seed in (0, 1)]
    weights = [pretrain(furnished, [chain.dataset], name="x", preset=preset, emit=ignore) for preset in presets]
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


FEW = ("--set", "stages.0.steps=2", "--set", "stages.1.steps=1")


@pytest.fixture
def two(duet, tmp_path: Path, command) -> Store:
    """A copy of the home with the two speakers."""
    shutil.copytree(duet.home, tmp_path / "home", dirs_exist_ok=True)
    return Store.open(tmp_path / "home")


def test_a_base_of_several_datasets(two, done, refused, steps, synthetic, chain):
    done("prepare", chain.recordings, "--name", "third", "--base", "none", *synthetic)
    first, third = two.find("base/duet").manifest.parents["dataset"].ref, "third@v1"
    assert "the dataset third is named twice" in refused("pretrain", "--data", "third,third", *steps)
    done("pretrain", "--data", f"{third},{first}", "--name", "three", *steps)
    made = two.find("base/three")
    assert [*made.parent_refs.values()] == [third, first]
    assert {"ann", "bob"} < load_acoustic_model(made).spec.speakers.keys()
    clips = sum(two.find(ref, "dataset").manifest.metrics["clips"] for ref in (first, third))
    assert made.manifest.metrics["clips"] + made.manifest.metrics["held_out_clips"] == clips


def test_a_voice_is_its_base_moved_a_little(chain):
    base, voice = load_acoustic_model(chain.base), load_acoustic_model(chain.voice)
    assert voice.spec.model == base.spec.model
    assert voice.spec.voice == "robot"
    before, after = base.model.state_dict(), voice.model.state_dict()
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert moved
    # The last layer of the encoder takes in where the speaker's bands lie; the rest has only learnt a few steps.
    learnt = [name for name in moved if "proj_m" not in name]
    assert all((before[name] - after[name]).abs().max() < 0.1 for name in learnt)


def test_other_front_ends_are_refused_and_both_are_named(chain, furnished, done, refused, steps, synthetic):
    done("prepare", chain.recordings, "--name", "off", "--text-frontend", "official", "--base", "none", *synthetic)
    line = refused("finetune", "--data", "off", "--base", "robots", *steps)
    assert "robots@v1 uses the text front end voxgrad, but off@v1 uses official" in line
    assert "--text-frontend voxgrad" in line


def test_of_two_speakers_one_must_be_chosen(two, refused, steps):
    line = refused("finetune", "--data", "duet", "--base", "duet", *steps)
    assert "duet@v1 has 2 speakers" in line
    assert "--speaker: ann, bob." in line
    line = refused("finetune", "--data", "duet", "--base", "duet", "--speaker", "bobb", *steps)
    assert "has no speaker bobb" in line
    assert "ann, bob" in line


def test_a_voice_takes_one_row_of_a_base_with_several(chain, two, done, steps, synthetic):
    done("prepare", chain.recordings, "--base", "none", *synthetic)
    arguments = ("finetune", "--no-card", "--base", "duet", *steps, *FEW)
    done(*arguments, "--data", "robot", "--name", "third")
    voice = two.find("third", "voice")
    speakers = voice.manifest.settings["acoustic"]["speakers"]
    assert voice.manifest.settings["acoustic"]["voice"] == "robot"
    assert sorted(speakers.values()) == [0, 1]
    (kept,) = set(speakers) - {"robot"}
    assert speakers[kept] == {"ann": 0, "bob": 1}[kept]
    assert load_acoustic_model(voice).row == speakers["robot"]


def test_one_speaker_of_a_dataset_becomes_a_voice(two, done, steps):
    asked = ("--data", "duet", "--base", "duet", "--speaker", "bob", "--name", "bob", *steps, *FEW)
    done("finetune", "--no-card", *asked)
    voice = two.find("bob", "voice")
    assert voice.manifest.settings["acoustic"]["voice"] == "bob"
    assert voice.manifest.metrics["clips"] + voice.manifest.metrics["held_out_clips"] == 3
    assert "bob" in load_acoustic_model(voice).spec.speakers


def test_one_recording_is_enough_and_its_figures_say_what_they_are_of(
    furnished, tmp_path: Path, record, done, refused, steps, synthetic
):
    record(tmp_path / "one", {"a": "The sun is warm and the wind is still."})
    (tmp_path / "one" / "metadata.csv").write_text("a|The sun is warm and the wind is still.\n")
    done("prepare", tmp_path / "one", "--base", "none", *synthetic)
    told = done("finetune", "--data", "one", "--base", "robots", "--name", "one", *steps, *FEW)
    assert "nothing is held out" in told.err
    assert "on its training data (nothing could be held out)" in told.out
    metrics = furnished.find("one", "voice").manifest.metrics
    assert (metrics["clips"], metrics["held_out_clips"]) == (1, 0)
    page = furnished.find("one", "card").path("card.html").read_text(encoding="utf-8")
    assert "on the one sentence that it was trained on" in page
    assert "has no clips that were left out of the training of one@v1" in refused("evaluate", "one")
    few = ("--preset", "vocoder-tiny", "--set", "stages.0.steps=1", "--set", "copies=0")
    done("vocoder", "train", "--data", "one", "--name", "one", *few)
    assert furnished.find("one", "vocoder").manifest.metrics["held_out_clips"] == 0
