"""Identity from embeddings of our own making, and from the models where they are installed."""

from importlib.util import find_spec

import numpy as np
import pytest

from voxgrad.audio.io import Waveform
from voxgrad.evaluation.clips import likeness
from voxgrad.evaluation.likeness import Person, cut, other_speakers, piece_seconds
from voxgrad.evaluation.metrics import SPEECH_RATE
from voxgrad.evaluation.verdicts import RECORDINGS, VOICE

DRAWN = np.random.default_rng(0)


def voices(direction, count, noise=0.3):
    """Embeddings around a direction."""
    found = direction + noise * DRAWN.normal(size=(count, 64)) / 8
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def directions(count):
    found = DRAWN.normal(size=(count, 64))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


ME, *STRANGERS = directions(30)
OTHERS = np.concatenate([voices(one, 1) for one in STRANGERS])


def test_the_person_again_is_one_and_the_nearest_other_is_zero():
    person = Person.of(voices(ME, 80), OTHERS, 10)
    assert person.identity(voices(ME, 10)) == pytest.approx(1, abs=0.03)
    nearest = OTHERS[np.argmax(OTHERS @ person.reference)][None]
    assert person.identity(nearest) == pytest.approx(0, abs=1e-6)
    between = (ME + STRANGERS[3]) / 2
    assert 0.3 < person.identity(voices(between, 10)) < 0.9


@pytest.mark.parametrize("count", [1, 2, 5, 20, 500])
def test_little_speech_of_the_person_is_as_similar_as_much(count):
    """The ceiling is made of as many pieces as are said: else few would never reach it."""
    found = [
        Person.of(voices(ME, 80, noise=0.8), OTHERS, count).identity(voices(ME, count, noise=0.8)) for _ in range(20)
    ]
    assert np.mean(found) == pytest.approx(1, abs=0.05)


def test_a_person_who_is_among_the_others_is_not_measured():
    assert Person.of(voices(ME, 16), np.concatenate([OTHERS, voices(ME, 1)]), 4) is None
    assert Person.of(voices(ME, 16, noise=40), OTHERS, 4) is None


def test_pieces_are_of_equal_length_and_there_are_eight():
    speech = [np.arange(10, dtype=np.float32), np.arange(10, 25, dtype=np.float32)]
    assert [piece.tolist() for piece in cut(speech, 8)] == [list(range(8)), list(range(8, 16)), list(range(16, 24))]
    assert piece_seconds(8 * 1.6, 1.6) == 1.6
    assert piece_seconds(12.7, 100) is None
    assert piece_seconds(100, 1.5) is None


def test_the_other_speakers_are_many_and_their_embeddings_are_whole():
    others = other_speakers()
    assert others.shape == (241, 256)
    assert np.allclose(np.linalg.norm(others, axis=1), 1, atol=1e-3)
    assert np.unique(others, axis=0).shape == others.shape


class Encoder:
    """In place of the model: an embedding is the direction that the first sample names."""

    def speech(self, waveforms):
        return [waveform.samples for waveform in waveforms]

    def embed(self, pieces):
        return np.stack([voices(ME if piece[0] > 0 else STRANGERS[0], 1)[0] for piece in pieces])


def spoken(seconds, sign=1.0):
    return [Waveform(np.full(round(seconds * SPEECH_RATE), sign, np.float32), SPEECH_RATE)]


def test_likeness_is_of_each_column(monkeypatch):
    monkeypatch.setattr("voxgrad.evaluation.clips.other_speakers", lambda: OTHERS)
    found = likeness(Encoder(), spoken(60), {VOICE: spoken(9), "base": spoken(9, -1.0)})
    assert found[VOICE]["identity"] > 0.9
    assert found["base"]["identity"] < 0.2
    assert found[RECORDINGS]["similarity"] > found[RECORDINGS]["nearest"]


def test_too_little_speech_is_said(monkeypatch):
    monkeypatch.setattr("voxgrad.evaluation.clips.other_speakers", lambda: OTHERS)
    assert likeness(Encoder(), spoken(12), {VOICE: spoken(9)}) == "it takes 13 s of recordings"
    assert "it takes 1.6 s of speech" in likeness(Encoder(), spoken(60), {VOICE: spoken(1)})


@pytest.mark.skipif(find_spec("resemblyzer") is None, reason="needs resemblyzer, of the extra eval")
def test_synthetic_speech_is_no_reader(chain):
    from voxgrad.evaluation.clips import recording
    from voxgrad.evaluation.metrics import PerceptualMetrics
    from voxgrad.training.dataset import Dataset

    dataset = Dataset.open(chain.dataset)
    recorded = [recording(dataset, clip) for clip in dataset.corpus.clips] * 3
    found = likeness(PerceptualMetrics(), recorded, {VOICE: recorded[:4]})
    assert found[VOICE]["identity"] == pytest.approx(1, abs=0.3)
