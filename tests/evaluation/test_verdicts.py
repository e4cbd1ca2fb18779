"""Sentences on a voice: what they say of figures, and of figures that are not there."""

import re
from pathlib import Path

import pytest

from voxgrad.evaluation.verdicts import SCALES, verdicts

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "evaluate.md"


def said(voice, recordings=None, **rest):
    return verdicts({"voice": voice, "recordings": recordings or {}, **rest})


@pytest.mark.parametrize(
    ("identity", "sentence"),
    [
        (1.07, "Sounds like the speaker: 1.07 of 1 (the nearest other voice: 0). Excellent."),
        (0.896, "Sounds like the speaker: 0.90 of 1 (the nearest other voice: 0). Excellent."),
        (0.894, "Sounds like the speaker: 0.89 of 1 (the nearest other voice: 0). Good."),
        (0.5, "Sounds somewhat like the speaker: 0.50 of 1 (the nearest other voice: 0). Fair."),
        (0.3, "Sounds somewhat like the speaker: 0.30 of 1 (the nearest other voice: 0). Fair."),
        (-0.2, "Does not sound like the speaker: -0.20 of 1 (the nearest other voice: 0). Poor."),
    ],
)
def test_what_is_shown_of_likeness_is_what_is_rated(identity, sentence):
    assert said({"identity": identity}) == [sentence]


@pytest.mark.parametrize(
    ("misheard", "own", "words", "sentence"),
    [
        (4, 2, 200, "Understood: 98 of 100 words (the recordings: 99). Excellent."),
        (6, 1, 200, "Understood: 97 of 100 words (the recordings: 100). Good."),
        (1, 0, 37, "Understood: 36 of 37 words (the recordings: 37). Good."),
        (30, 2, 200, "Understood: 85 of 100 words (the recordings: 99). Poor."),
        # What is heard besides the text counts too, and there may be more of it than words.
        (12, 0, 8, "Understood: 0 of 8 words (the recordings: 8). Poor."),
        (70, 60, 200, "Understood: 65 of 100 words (the recordings: 70). Not rated: the recogniser misses too many."),
    ],
)
def test_words_are_counted_not_extrapolated(misheard, own, words, sentence):
    assert said({"misheard": misheard, "words": words}, {"misheard": own, "words": words}) == [sentence]


@pytest.mark.parametrize(
    ("clear", "own", "sentence"),
    [
        (3.9, 4.1, "As clear as the recordings: 3.9 of 4.1. Excellent."),
        (4.3, 4.1, "As clear as the recordings: 4.3 of 4.1. Excellent."),
        (3.6, 4.1, "As clear as the recordings: 3.6 of 4.1. Good."),
        (3.4, 4.1, "Less clear than the recordings: 3.4 of 4.1. Fair."),
        (2.5, 4.1, "Much less clear than the recordings: 2.5 of 4.1. Poor."),
    ],
)
def test_clearness_is_claimed_only_where_it_is_there(clear, own, sentence):
    assert said({"distillmos": clear}, {"distillmos": own}) == [sentence]


def test_what_cannot_be_measured_is_said_with_its_reason():
    missing = ["likeness", "words understood", "clearness", "DNSMOS"]
    how = ["Not measured: likeness, words understood, clearness.", "What measures them: pip install 'voxgrad[eval]'"]
    assert said({}, not_installed=missing) == how
    training = "Training brought the voice nearer to the recordings."
    assert said({}, not_installed=missing, helped=True) == [training, *how]
    assert said({}, not_installed=missing[1:], helped=False) == [how[0].replace("likeness, ", ""), how[1]]
    assert "pip" not in "".join(verdicts({"not_installed": missing}, on_page=True))
    assert said({}, not_installed=["DNSMOS"]) == verdicts({}) == []
    assert said({}, no_likeness="it takes 13 s of recordings") == [
        "Likeness not measured: it takes 13 s of recordings."
    ]
    assert said({"words": 0, "misheard": 0}, {"misheard": 0}) == []


def test_no_sentence_is_wider_than_a_terminal():
    voice = {"identity": -0.55, "misheard": 200, "words": 900, "distillmos": 1.5}
    for to_speaker in (True, False):
        metrics = {"voice": voice, "recordings": {"misheard": 20, "distillmos": 4.5}}
        assert max(map(len, verdicts(metrics, to_speaker=to_speaker))) <= 79


def test_the_documentation_has_the_bounds():
    """One row for every scale: measure, excellent, good, fair."""
    rows = dict(
        re.findall(r"^\| (likeness|words understood|clearness) \|(.*)\|$", DOCUMENTATION.read_text(), re.MULTILINE)
    )
    for name, scale in SCALES.items():
        written = [float(figure) for figure in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", rows[name])][:3]
        factor = 100 if name == "words understood" else 1
        assert written == [round(abs(bound) * factor, 4) for bound in (scale.excellent, scale.good, scale.fair)]
