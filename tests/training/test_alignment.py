"""Alignments through a run: searched when the settings say, remembered exactly, settled, stored."""

import json
import math

import pytest
import torch

from tests.training.conftest import DEVICE, ROWS, SPEC, trainer
from tests.training.regression import StoppedError, stop_at
from voxgrad.errors import IntegrityError
from voxgrad.events import Said
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import StageSpec
from voxgrad.text.symbols import BLANK
from voxgrad.training.alignment import (
    ALIGNMENTS,
    PHONES,
    Durations,
    align_corpus,
    align_unknown_speakers,
    expanded,
    labels,
    moved_frames,
    read_alignments,
    summarised,
    write_alignments,
)
from voxgrad.training.dataset import CLIPS, MELS, Corpus, write_corpus
from voxgrad.training.trainer import LOG


def stage(alignment, steps, train=("encoder", "durations"), **changes):
    return StageSpec(
        train=train, alignment=alignment, steps=steps, batch_size=4, crop=16, learning_rate=3e-3, **changes
    )


DECODER = stage("frozen", 3, ("decoder",))


def logged(run):
    return [json.loads(line) for line in (run / LOG).read_text().splitlines()]


def moves(run):
    return {entry["step"]: entry["moved"] for entry in logged(run) if "moved" in entry}


def test_every_so_many_steps_searches_then(corpus, tmp_path):
    trainer(corpus, tmp_path / "run", (stage(4, 11, settled=0.0),)).train()
    found = moves(tmp_path / "run")
    assert set(found) <= {5, 9}  # before the fifth and the ninth step
    assert 5 in found
    assert all(0 <= share <= 1 for share in found.values())


def test_every_step_tells_of_clips_that_it_has_seen_before(corpus, tmp_path):
    one = trainer(corpus, tmp_path / "run", (stage("every_step", 9),))
    one.train()
    first_epoch = len(one.training.clips) // 4
    assert min(moves(tmp_path / "run")) > first_epoch
    assert max(moves(tmp_path / "run")) == 9


def test_alignments_settle_once_they_keep_still_for_a_stage(corpus, tmp_path):
    said = []
    stages = (stage(3, 7, settled=0.99), stage(3, 7, settled=0.99))
    trainer(corpus, tmp_path / "run", stages, said.append).train()
    assert list(moves(tmp_path / "run")) == [4, 11]  # no search after the first that moved little
    assert [entry["step"] for entry in logged(tmp_path / "run") if "settled" in entry] == [4, 11]
    assert sum("settled" in event.text for event in said if isinstance(event, Said)) == 2


@pytest.mark.parametrize("stop", [7, *(pytest.param(stop, marks=pytest.mark.slow) for stop in (4, 10, 13))])
@pytest.mark.parametrize(
    ("stages", "changes"),
    [
        ((stage(4, 9, settled=0.0), DECODER, stage("frozen", 3)), {}),
        pytest.param((stage(2, 9, settled=0.99), stage("frozen", 3), DECODER), {}, marks=pytest.mark.slow),
        pytest.param(
            (stage("every_step", 6), stage("frozen", 6), DECODER), {"durations": "frozen"}, marks=pytest.mark.slow
        ),
    ],
    ids=["every_four", "settled", "frozen"],
)
def test_a_stopped_run_goes_on_with_the_same_alignments(corpus, tmp_path, stages, changes, stop):
    whole = trainer(corpus, tmp_path / "whole", stages, **changes)
    whole.train()

    with pytest.raises(StoppedError):
        trainer(corpus, tmp_path / "run", stages, stop_at(stop), **changes).train()
    torch.manual_seed(99)
    resumed = trainer(corpus, tmp_path / "run", stages, **changes)
    resumed.train()
    assert torch.equal(resumed.durations.frames, whole.durations.frames)
    expected, found = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert moves(tmp_path / "run") == moves(tmp_path / "whole")


def test_frozen_durations_never_move(corpus, tmp_path):
    one = trainer(corpus, tmp_path / "run", (stage("every_step", 6), DECODER), durations="frozen")
    expected = align_unknown_speakers(one.model, corpus, ROWS, DEVICE)
    one.train()
    assert moves(tmp_path / "run") == {}
    found = one.alignments()
    assert set(found) == {clip.id for clip in corpus.clips}  # held-out clips too
    assert all(torch.equal(found[clip].durations, expected[clip].durations) for clip in found)


def test_known_durations_are_what_everything_is_computed_under(corpus, tmp_path):
    known = {}
    for clip in corpus.clips:
        durations = torch.ones(len(clip.tokens), dtype=torch.long)
        durations[0] += clip.frames - len(clip.tokens)
        known[clip.id] = durations
    joint = stage("every_step", 4, ("encoder", "durations", "decoder"))
    for loss in ("none", "gaussian"):
        run = tmp_path / loss
        one = trainer(corpus, run, (joint,), known=known, durations="textgrid:somewhere", encoder_loss=loss)
        figures = one.train()
        assert math.isfinite(figures["diffusion"])
        found = one.alignments()
        assert all(torch.equal(found[clip].durations, known[clip]) for clip in known)
        assert ("prior" in logged(run)[0]) == (loss == "gaussian")
        assert moves(run) == {}


def test_a_stranger_is_aligned_without_the_offset_of_its_bands(corpus, tmp_path):
    torch.manual_seed(0)
    model = GradTTS(SPEC)
    plain = align_corpus(model, corpus, ROWS, DEVICE)
    mels = {clip.id: corpus.mel(clip) + torch.linspace(-30, 30, 80)[:, None] for clip in corpus.clips}
    write_corpus(tmp_path, corpus.clips, mels)
    louder = Corpus.open(tmp_path / CLIPS, tmp_path / MELS)

    def agreement(found):
        frames = sum(clip.frames for clip in corpus.clips)
        return 1 - sum(moved_frames(plain[c].durations, found[c].durations) for c in plain) / frames

    stranger = align_unknown_speakers(model, louder, ROWS, DEVICE)
    assert agreement(stranger) > agreement(align_corpus(model, louder, ROWS, DEVICE))


def test_stored_alignments_come_back(corpus, tmp_path):
    torch.manual_seed(0)
    found = align_corpus(GradTTS(SPEC), corpus, ROWS, DEVICE)
    stored = summarised(corpus, found)
    mean = write_alignments(tmp_path, corpus, stored)
    again = read_alignments(tmp_path / ALIGNMENTS)
    assert again == stored
    clip = corpus.clips[3]
    gaussian = torch.distributions.Normal(expanded(found[clip.id]), 1.0)
    likelihood = gaussian.log_prob(corpus.mel(clip)).sum(0).mean()
    assert again[clip.id].log_likelihood == pytest.approx(float(likelihood), abs=2e-3)
    assert mean == pytest.approx(sum(s.log_likelihood for s in stored.values()) / len(stored), abs=1e-3)
    phones = json.loads((tmp_path / PHONES).read_text())
    assert "" not in phones
    token = corpus.clips[0].tokens[0]
    (label,) = labels([token])
    every = [
        duration
        for clip in corpus.clips
        for one, duration in zip(clip.tokens, stored[clip.id].durations, strict=True)
        if one == token
    ]
    assert label
    assert phones[label] == {"count": len(every), "mean_frames": pytest.approx(sum(every) / len(every), abs=0.006)}


@pytest.mark.parametrize("line", ["", "x", '{"id": "a"}', "[]", '{"id": "a", "durations": 3, "log_likelihood": 1}'])
def test_damaged_alignments_are_told_of(tmp_path, line):
    (tmp_path / ALIGNMENTS).write_text(f"{line}\n")
    with pytest.raises(IntegrityError, match="cannot be read as alignments"):
        read_alignments(tmp_path / ALIGNMENTS)


def test_durations_travel_in_a_state_dict(corpus):
    one, other = Durations(corpus.clips), Durations(corpus.clips)
    clip = corpus.clips[0]
    frames = torch.tensor([3, 4, 3, 5, 6, clip.frames - 21])
    assert one.update({clip.id: frames}) is None  # nothing to compare with
    one.begin(2)
    other.load_state_dict(one.state_dict())
    assert int(other.stage) == 2
    assert torch.equal(other.of(clip), frames)
    assert not other.of(corpus.clips[1]).any()
    assert other.update({clip.id: frames}) == 0.0
    assert other.update({clip.id: frames + torch.tensor([1, -1, 0, 0, 0, 0])}) == 1 / clip.frames
    assert other.stacked([clip]).shape == (1, 6)


def test_blanks_have_no_label():
    assert labels([BLANK]) == [""]
