"""`voxgrad align`; what a voice keeps of its alignments, and training from grids."""

import json
from dataclasses import replace

import parselmouth
import pytest
import torch

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.errors import EnvironmentFailureError
from voxgrad.events import ignore
from voxgrad.steps import align as step
from voxgrad.store import Store
from voxgrad.training.alignment import ALIGNMENTS, PHONES, align_corpus, read_alignments, read_durations
from voxgrad.training.dataset import Dataset


def corpus(chain):
    return Dataset.open(chain.dataset).corpus


@pytest.mark.parametrize("kind", ["base", "voice"])
def test_a_model_keeps_the_alignments_that_it_ended_with(chain, kind):
    artifact = getattr(chain, kind)
    stored = read_alignments(artifact.path(ALIGNMENTS))
    acoustic = load_acoustic_model(artifact)
    found = align_corpus(acoustic.model, corpus(chain), acoustic.spec.speakers, torch.device("cpu"))
    for clip in corpus(chain).clips:
        assert sum(stored[clip.id].durations) == clip.frames
        assert list(stored[clip.id].durations) == found[clip.id].durations.tolist()
    mean = sum(one.log_likelihood for one in stored.values()) / len(stored)
    assert artifact.manifest.metrics["log_likelihood"] == pytest.approx(mean, abs=1e-3)
    phones = json.loads(artifact.path(PHONES).read_text())
    assert {"AH0", "S", "."} <= set(phones)
    assert all(phone["mean_frames"] >= 1 for phone in phones.values())


def test_grids_of_a_voice_are_its_stored_alignments(chain, furnished, tmp_path):
    written = step.stored_alignments(furnished, chain.voice, tmp_path / "grids", force=False, emit=ignore)
    assert written.files == len(corpus(chain).clips) == len(list((tmp_path / "grids").iterdir()))
    found = read_durations(tmp_path / "grids", corpus(chain).clips, 256 / 22050)
    stored = read_alignments(chain.voice.path(ALIGNMENTS))
    assert all(found[clip].tolist() == list(stored[clip].durations) for clip in stored)
    for clip in corpus(chain).clips:
        grid = parselmouth.read(str(tmp_path / "grids" / f"{clip.id}.TextGrid"))
        assert grid.xmax == pytest.approx(clip.seconds)


def test_training_from_grids_keeps_their_durations(chain, furnished, command, steps, tmp_path, done):
    grids = tmp_path / "grids"
    step.align(Store.open(chain.home), chain.dataset, chain.base, grids, force=False, emit=ignore)
    few = ("--set", "stages.0.steps=2", "--set", "stages.1.steps=1")
    joint = ("--set", "stages.0.train=[encoder,durations,decoder]", "--set", "encoder_loss=none")
    arguments = ("finetune", "--no-card", "--base", "robots", "--name", "given", *steps, *few, *joint)
    done(*arguments, "--set", f"durations=textgrid:{grids}")
    voice = furnished.find("given", "voice")
    stored = read_alignments(voice.path(ALIGNMENTS))
    expected = read_durations(grids, corpus(chain).clips, 256 / 22050)
    assert all(list(stored[clip].durations) == expected[clip].tolist() for clip in expected)
    settings = voice.manifest.settings["training"]
    assert settings["durations"].startswith("textgrid:")
    assert str(tmp_path) not in (voice.directory / "manifest.json").read_text()
    # The same grids elsewhere are the same work; a border that moved makes it other work.
    grids.rename(tmp_path / "moved")
    again = command(*arguments, "--set", f"durations=textgrid:{tmp_path / 'moved'}")
    assert "given@v1 is up to date" in again.err
    (tmp_path / "moved" / "r00.TextGrid").write_text("")
    other = done(*arguments, "--set", f"durations=textgrid:{tmp_path / 'moved'}", code=2)
    assert "r00.TextGrid cannot be read as a TextGrid" in other.err
    assert not list((furnished.home / "runs").glob("*"))


def test_nothing_is_left_where_a_grid_fails(chain, tmp_path, monkeypatch):
    grid, count = step.clip_grid, iter(range(100))

    def fails(*arguments):
        if next(count) == 3:
            raise OSError(28, "No space left on device")
        return grid(*arguments)

    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "r00.TextGrid").write_text("kept")
    monkeypatch.setattr(step, "clip_grid", fails)
    for folder, force in (("new", False), ("old", True)):
        count = iter(range(100))
        with pytest.raises(EnvironmentFailureError, match="disk is full"):
            step.align(Store.open(chain.home), chain.dataset, chain.voice, tmp_path / folder, force=force, emit=ignore)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert [path.read_text() for path in (tmp_path / "old").iterdir()] == ["kept"]


def test_an_old_pronunciation_still_has_its_words(chain):
    opened = Dataset.open(chain.dataset)
    clip = next(one for one in opened.corpus.clips if one.text == "The sun is warm.")
    expected = [word for word, *_ in step._words(opened, clip)]
    assert expected == ["the", "sun", "is", "warm"]
    tokens = list(clip.tokens)
    tokens[3] = tokens[1]  # another vowel: as many words
    assert [word for word, *_ in step._words(opened, replace(clip, tokens=tuple(tokens)))] == expected
    fewer = replace(clip, tokens=clip.tokens[:-14])
    assert step._words(opened, fewer)[0][0] == "{DH AH0}"


def test_a_dataset_is_aligned_by_the_newest_voice(furnished, done, tmp_path):
    answer = json.loads(done("align", "robot", "-o", "grids", "--json", "-q").out)
    assert answer["files"] == 10 == len(list((tmp_path / "grids").glob("*.TextGrid")))
    assert (answer["source"], answer["voice"]) == ("robot@v1", "robot@v1")
    assert answer["log_likelihood"] < 0
    assert {path.name for path in tmp_path.iterdir()} == {"home", "grids"}
    again = done("align", "dataset/robot", "-o", "grids", "--voice", "robots", "--force", "-q")
    assert "10 TextGrids of robot@v1 by base robots@v1" in again.out


def test_only_grids_are_replaced_and_only_when_asked(furnished, refused, tmp_path, done):
    (tmp_path / "grids").mkdir()
    done("align", "voice/robot", "-o", "grids", "-q")  # an empty folder is no obstacle
    (tmp_path / "grids" / "extra.TextGrid").write_text("")
    assert "Replace them with --force" in refused("align", "robot", "-o", "grids")
    done("align", "robots", "-o", "grids", "--force", "-q")
    assert not (tmp_path / "grids" / "extra.TextGrid").exists()
    (tmp_path / "file").touch()
    assert "file already exists" in refused("align", "robot", "-o", "file")
    (tmp_path / "grids" / "notes.txt").write_text("mine")
    assert "notes.txt" in refused("align", "robot", "-o", "grids", "--force")
    assert (tmp_path / "grids" / "notes.txt").read_text() == "mine"


def test_a_voice_from_before_alignments_were_kept_and_one_whose_dataset_is_gone(furnished, refused):
    voice = furnished.find("robot", "voice")
    with furnished.stage("voice", "older") as staged:
        (staged.directory / "weights.safetensors").write_bytes(voice.path("weights.safetensors").read_bytes())
        staged.publish(fingerprint="0" * 64, settings=voice.manifest.settings, parents=voice.manifest.parents)
    line = refused("align", "older", "-o", "grids")
    assert "has no stored alignments" in line
    assert "--voice voice/older@v1" in line
    furnished.find("robot", "dataset").directory.rename(furnished.home / "elsewhere")
    assert "The dataset robot@v1 is not in this store" in refused("align", "voice/robot", "-o", "grids")
