"""Where pronunciations come from, and that they are the right ones."""

from pathlib import Path

import pytest

from voxgrad.errors import EnvironmentFailureError
from voxgrad.text.dictionary import PHONES, PREFERRED_VARIANTS, additions, lookup, package_file, predict
from voxgrad.text.pronounce import LONGEST_WORD, Pronunciation, pronounce


@pytest.mark.parametrize(
    ("word", "phones", "source"),
    [
        ("hello", "HH AH0 L OW1", "dictionary"),
        ("don't", "D OW1 N T", "dictionary"),
        ("a", "AH0", "dictionary"),
        ("A", "EY1", "spelt"),
        ("'em", "AH0 M", "dictionary"),
        ("'hello'", "HH AH0 L OW1", "dictionary"),
        ("lords'", "L AO1 R D Z", "dictionary"),
        ("p.m.", "P IY1 EH1 M", "dictionary"),
        ("U.S.", "Y UW1 EH1 S", "spelt"),
        ("PRS", "P IY1 AA1 R EH1 S", "spelt"),
        ("MPs", "EH1 M P IY1 Z", "spelt"),
        ("MPs'", "EH1 M P IY1 Z", "spelt"),
        ("BBC's", "B IY1 B IY1 S IY1 Z", "spelt"),
        ("U.S.'s", "Y UW1 EH1 S IH0 Z", "spelt"),
        ("xkcd", "EH1 K S K EY1 S IY1 D IY1", "spelt"),
        ("xkcd's", "EH1 K S K EY1 S IY1 D IY1 Z", "spelt"),
        ("psst", "P IH1 S T", "dictionary"),
        ("y'all", "Y AO2 L", "dictionary"),
        ("o'clock", "AH0 K L AA1 K", "dictionary"),
        ("'twas", "T W AH1 Z", "dictionary"),
        ("C's", "S IY1 Z", "spelt"),
        ("live", "L IH1 V", "dictionary"),
        ("wound", "W UW1 N D", "dictionary"),
        ("springy", "S P R IH1 NG IY0", "dictionary"),
        ("activationist", "AE2 K T IH0 V EY1 SH AH0 N IH0 S T", "network"),
        # possessives of a guess: voiceless, voiced, sibilant
        ("quorbit's", "K W AO1 R B IH0 T S", "network"),
        ("snizzle's", "S N IH1 Z AH0 L Z", "network"),
        ("tchotchkess's", "CH AA1 CH K IH0 S IH0 Z", "network"),
        # built from words of the dictionary
        ("deceives", "D IH0 S IY1 V Z", "derived"),
        ("dietaries", "D AY1 AH0 T EH2 R IY0 Z", "derived"),
        ("pinioning", "P IH1 N Y AH0 N IH0 NG", "derived"),
        ("flogged", "F L AA1 G D", "derived"),
        ("connived", "K AH0 N AY1 V D", "derived"),
        ("capitally", "K AE1 P AH0 T AH0 L IY0", "derived"),
        ("verily", "V EH1 R AH0 L IY0", "derived"),
        ("friendless", "F R EH1 N D L AH0 S", "derived"),
        ("disconcerning", "D IH0 S K AH0 N S ER1 N IH0 NG", "derived"),
        ("housemaid", "HH AW1 S M EY2 D", "derived"),
    ],
)
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
