"""Where pronunciations come from, and that they are the right ones."""

from pathlib import Path

import pytest

from tests.tables import rows
from voxgrad.errors import EnvironmentFailureError
from voxgrad.text.dictionary import PHONES, PREFERRED_VARIANTS, additions, lookup, package_file, predict
from voxgrad.text.pronounce import LONGEST_WORD, Pronunciation, pronounce


@pytest.mark.parametrize(("word", "phones", "source"), rows("text/pronunciations.tsv"))
def test_pronunciation(word, phones, source):
    assert pronounce(word) == Pronunciation(tuple(phones.split()), source)


def test_what_is_too_long_to_be_a_word_is_spelt():
    assert pronounce("b" * (LONGEST_WORD + 1)).source == "spelt"


@pytest.mark.parametrize(
    ("guess", "phones", "source"),
    [
        # The network knows UW without a stress digit, which no checkpoint was trained on.
        (("B", "UW"), ("B", "UW0"), "network"),
        (("<unk>", "B", "AA1"), ("B", "AA1"), "network"),
        (("<pad>",), ("B", "IY1", "Z", "IY1", "OW1"), "spelt"),
    ],
)
def test_a_guess_is_kept_within_the_trained_symbols(monkeypatch, guess, phones, source):
    monkeypatch.setattr("voxgrad.text.pronounce.predict", lambda _: guess)
    assert pronounce.__wrapped__("bzo") == Pronunciation(phones, source)


def test_corrections_hold_what_they_say():
    for word, variant in PREFERRED_VARIANTS.items():
        assert lookup(word, variant) is not None, word
    for word, phones in additions().items():
        assert set(phones.split()) <= set(PHONES), word
    assert list(additions()) == sorted(additions())


LINES = Path(__file__).with_name("network_outputs.txt").read_text(encoding="ascii").splitlines()
ORIGINAL = {word: tuple(phones.split()) for word, _, phones in (line.partition(" ") for line in LINES)}


def test_guesses_equal_the_original():
    assert {word: predict(word) for word in ORIGINAL} == ORIGINAL
    assert len(ORIGINAL) >= 60
    assert max(map(len, ORIGINAL.values())) == 20  # a word that is cut off


def test_a_missing_package_is_said():
    with pytest.raises(EnvironmentFailureError, match="no_such_package"):
        package_file("no_such_package", "weights.npz")
    with pytest.raises(EnvironmentFailureError, match=r"no_such\.npz"):
        package_file("g2p_en", "no_such.npz")
