"""Batches, crops and the division into training and held-out clips."""

from dataclasses import replace

import pytest
import torch

from tests.training.conftest import random_corpus
from voxgrad.errors import IntegrityError
from voxgrad.training.dataset import (
    CLIPS,
    MELS,
    Alignment,
    Corpus,
    batch_of_step,
    collate,
    collate_crops,
    crop_starts,
    generator_for,
    mean_mel,
)


@pytest.fixture
def corpus(tmp_path):
    frames = torch.randint(20, 90, (23,), generator=torch.Generator().manual_seed(0)).tolist()
    return random_corpus(tmp_path, ((5 + number % 7, count) for number, count in enumerate(frames)), takes=2)


def test_a_corpus_comes_back_as_it_was_written(corpus, tmp_path):
    assert len(corpus.clips) == 23
    assert corpus.speakers == ("ann",)
    assert all(corpus.mel(clip).shape == (80, clip.frames) for clip in corpus.clips)
    mels = torch.cat([corpus.mel(clip) for clip in corpus.clips], 1)
    assert torch.allclose(mean_mel(corpus), mels.mean(1), atol=1e-5)
    (tmp_path / CLIPS).write_text('{"id": 1}\n')
    with pytest.raises(IntegrityError):
        Corpus.open(tmp_path / CLIPS, tmp_path / MELS)


def test_takes_of_one_sentence_stay_on_one_side(corpus):
    training, held_out = corpus.divide(0.3)
    assert training.clips
    assert held_out.clips
    assert {c.normalised for c in training.clips}.isdisjoint(c.normalised for c in held_out.clips)
    assert len(training.clips) + len(held_out.clips) == 23


def test_a_held_out_sentence_stays_held_out_when_clips_are_added(corpus):
    fewer = corpus.with_clips(corpus.clips[:14])
    before = {c.normalised for c in fewer.divide(0.3)[1].clips}
    after = {c.normalised for c in corpus.divide(0.3)[1].clips}
    assert before <= after


def test_at_least_one_sentence_is_held_out_and_one_alone_is_on_both_sides(corpus):
    assert corpus.divide(1e-9)[1].clips
    alone = corpus.with_clips(corpus.clips[:1])
    assert alone.divide(0.1) == (alone, alone)


@pytest.mark.parametrize("lengths", [(13.0, 2.0), (2.0, 13.0), (9.0, 8.0, 1.5, 7.0), (3.0,) * 6])
def test_of_few_sentences_the_speech_is_learnt_from(corpus, lengths):
    few = [replace(clip, seconds=length) for clip, length in zip(corpus.clips, lengths, strict=False)]
    few = [replace(clip, normalised=f"{text}.") for clip, text in zip(few, "abcdef", strict=False)]
    held_out = corpus.with_clips(few).divide(0.1)[1]
    assert 0 < sum(clip.seconds for clip in held_out.clips) <= max(min(lengths), 0.2 * sum(lengths))


def test_every_epoch_shows_every_clip_once_in_another_order(corpus):
    epochs = []
    for epoch in range(3):
        steps = range(epoch * 5, epoch * 5 + 5)
        epochs.append([clip.id for step in steps for clip in batch_of_step(corpus.clips, 4, step, seed=7)])
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    again = [clip.id for step in range(5) for clip in batch_of_step(corpus.clips, 4, step, seed=7)]
    assert again == epochs[0]


def test_a_batch_larger_than_the_corpus_is_the_corpus(corpus):
    assert len(batch_of_step(corpus.clips, 100, 3, seed=0)) == 23


def test_padding_is_zero_and_lengths_are_kept(corpus):
    clips = corpus.clips[:5]
    batch = collate(corpus, clips, {"ann": 2})
    assert batch.y.shape[2] % 4 == 0
    assert batch.speakers.tolist() == [2] * 5
    for row, clip in enumerate(clips):
        assert torch.equal(batch.y[row, :, : clip.frames], corpus.mel(clip))
        assert batch.y[row, :, clip.frames :].abs().sum() == 0
        assert tuple(batch.tokens[row, : len(clip.tokens)].tolist()) == clip.tokens


@pytest.mark.parametrize("crop", [16, 64, None])
def test_crops_cut_mel_and_mean_at_the_same_place(corpus, crop):
    clips = corpus.clips[:6]
    # The mean of every token is its number, so that a crop shows where it was cut.
    alignments = {}
    for clip in clips:
        durations = torch.ones(len(clip.tokens), dtype=torch.long)
        durations[-1] = clip.frames - len(clip.tokens) + 1
        alignments[clip.id] = Alignment(corpus.mel(clip)[:, :1].repeat(1, len(clip.tokens)), durations)
    crops = collate_crops(corpus, clips, alignments, crop, {"ann": 0}, generator_for(3))
    for row, clip in enumerate(clips):
        length = int(crops.lengths[row])
        assert length == min(clip.frames, crops.y.shape[2])
        mel = corpus.mel(clip)
        found = [
            s for s in range(clip.frames - length + 1) if torch.equal(mel[:, s : s + length], crops.y[row, :, :length])
        ]
        assert found
        assert torch.equal(crops.mu_y[row, :, 0], mel[:, 0])
        assert crops.y[row, :, length:].abs().sum() == 0


def test_crop_starts_stay_inside():
    lengths = torch.tensor([100, 64, 10])
    starts = torch.stack([crop_starts(lengths, 64, generator_for(i)) for i in range(200)])
    assert starts[:, 0].min() == 0
    assert starts[:, 0].max() == 36
    assert starts[:, 1:].max() == 0


def test_generators_depend_on_every_part_of_their_key():
    draws = {
        float(torch.rand((), generator=generator_for(*key))) for key in [(0, 0), (0, 1), (1, 0), (1, 1), (0, 0, 1)]
    }
    assert len(draws) == 5
