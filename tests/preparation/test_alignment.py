"""Words that the recording contradicts: the search for them, and real speech with a word changed."""

from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch

from voxgrad.preparation import alignment
from voxgrad.preparation.alignment import CLASSES, Suspect, TranscriptScore, WordScore, phone_likelihoods, suspects
from voxgrad.preparation.quality_checks import find_outliers
from voxgrad.settings import CheckSpec
from voxgrad.text.lexicon import NONE

LJ = Path(__file__).parents[3] / "shared" / "data" / "lj"


def heard(*phones: str, frames: int = 5) -> np.ndarray:
    """What a classifier gives that is sure of these phones."""
    likelihoods = np.full((frames * len(phones), len(CLASSES)), -8.0)
    for index, phone in enumerate(phones):
        likelihoods[frames * index : frames * (index + 1), CLASSES.index(phone)] = 0.0
    return likelihoods


SEE_ME_GO = ("", "S", "IY", "M", "IY", "G", "OW", "")


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [("see you go", "replaced", "you"), ("see to me go", "added", "to"), ("see go", "missing", "see")],
)
def test_the_wrong_word_is_named(monkeypatch, text: str, kind: str, word: str):
    monkeypatch.setattr(alignment, "phone_likelihoods", lambda mel: heard(*SEE_ME_GO))
    found = {one.kind: one for one in suspects(text, torch.zeros(80, 8), NONE)}
    assert (found[kind].word, found[kind].gain > 10) == (word, True)
    right = {one.kind: one for one in suspects("see me go", torch.zeros(80, 8), NONE)}
    assert all(one.gain <= 0 for one in right.values())


def test_passes_agree_with_all_paths_tried():
    draw = np.random.default_rng(0)
    silent = np.array([True, False, False, True, False, True])
    values = draw.normal(0, 1, (6, 6))
    before, after = alignment._passes(values, silent)

    def allowed(path: tuple[int, ...]) -> bool:
        steps = [(here, there) for here, there in pairwise(path)]
        return all(there - here in {0, 1} or (there - here == 2 and silent[here + 1]) for here, there in steps)

    paths = [path for path in product(range(6), repeat=6) if path[0] in {0, 1} and path[-1] in {4, 5} and allowed(path)]
    best = max(sum(values[frame, state] for frame, state in enumerate(path)) for path in paths)
    assert before[-1, -2:].max() == pytest.approx(best)
    assert after[0, :2].max() == pytest.approx(best)
    middle = max(before[3, state + 1] + after[3, state + 1] for state in range(5))
    assert middle <= best + 1e-9


def test_a_text_that_is_too_long_has_no_suspects(monkeypatch):
    monkeypatch.setattr(alignment, "phone_likelihoods", lambda mel: heard("S", frames=3))
    assert suspects("see me go", torch.zeros(80, 6), NONE) == ()


def test_a_clip_whose_word_stands_out_is_doubted_with_the_word():
    def fitted(gain: float) -> TranscriptScore:
        return TranscriptScore(
            -30.0, -50.0, 0.3, (WordScore("house", 0, 5, -30.0),), (Suspect("replaced", "house", gain),)
        )

    fits = {f"c{number}": fitted(number % 4) for number in range(20)} | {"odd": fitted(60.0)}
    found = find_outliers(fits, CheckSpec())
    assert [name for name, one in found.items() if one.reason] == ["odd"]
    assert (found["odd"].reason, found["odd"].words) == (
        "a word of the text may be wrong",
        "“house”, where the recording has another word",
    )


@pytest.mark.parametrize(("words", "backwards", "doubted"), [(3, -20.0, True), (3, -50.0, False), (2, -20.0, False)])
def test_a_clip_alone_is_doubted_where_its_words_fit_better_backwards(words, backwards, doubted):
    said = tuple(WordScore(word, 0, 5, -30.0) for word in ("new", "house", "came")[:words])
    found = find_outliers({"alone": TranscriptScore(-30.0, backwards, 0.3, said, ())}, CheckSpec())["alone"]
    assert bool(found.reason and found.words) == doubted


def test_likelihoods_are_of_every_second_frame():
    likelihoods = phone_likelihoods(torch.randn(80, 101, generator=torch.Generator().manual_seed(0)))
    assert likelihoods.shape == (51, len(CLASSES))
    assert likelihoods.min() >= -8


@pytest.mark.slow
@pytest.mark.skipif(not LJ.is_dir(), reason="../shared/data is not here")
def test_wrong_words_of_real_speech_are_found():
    from voxgrad.audio.clean import clean
    from voxgrad.audio.mel import log_mel
    from voxgrad.settings import AudioSpec
    from voxgrad.transcripts.find import find_transcripts

    entry = find_transcripts(LJ).entries[4]
    waveform = clean(entry.recording, AudioSpec()).waveform
    mel = log_mel(torch.from_numpy(waveform.samples), AudioSpec().mel)
    right = {one.kind: one.gain for one in suspects(entry.text, mel, NONE)}
    for kind, old, new, word in (
        ("replaced", "movable", "terrible", "terrible"),
        ("added", "invention of", "invention butter of", "butter"),
        ("missing", "considered ", "", "be"),
    ):
        assert old in entry.text
        found = {one.kind: one for one in suspects(entry.text.replace(old, new, 1), mel, NONE)}
        assert found[kind].gain > right[kind] + 5
        assert found[kind].word == word
