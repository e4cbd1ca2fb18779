"""Normalisation: a table of what is written and what is said, its stability, its errors and its cost."""

import os
import re
import string
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tables import rows
from tests.text.plain import passages
from voxgrad.errors import BadInputError
from voxgrad.settings import TextSpec
from voxgrad.text import tokens
from voxgrad.text.lexicon import NONE
from voxgrad.text.marked_text import Break
from voxgrad.text.normalize import normalize
from voxgrad.text.tokens import encode

ROWS = rows("text/normalisation.tsv")
"""Kind, what is written, what is said: the head of the file explains them."""


def reading(kind, written, said):
    """A text as it is said, in the form of its row: words, phones, or passages."""
    if said[0] == "/":
        phones = " ".join(phone for word in encode(written, TextSpec()).words for phone in word.phones)
        alike = [one for one in said.split("/")[1::2] if _heard(one) == _heard(phones)]
        return said if alike else f"/{phones}/"
    if kind == "line ends":
        found = ""
        for one in passages([written], TextSpec()):
            is_end = one.ends in {Break.SENTENCE, Break.PARAGRAPH}
            found += " ".join(one.written.split()).lstrip("*-• ") + (" / " if is_end else " ")
        return found.removesuffix(" / ")
    return normalize(written)


def is_heard(kind, written, said):
    """Whether a row is right as it is heard: "epa" is spelt as "EPA" is."""
    if reading(kind, written, said) == said:
        return True
    if kind == "line ends" or said[0] == "/":
        return False
    heard = encode(written, TextSpec(add_blank=False)).phones
    meant, _ = tokens._separated(said, said, NONE)  # not normalised again
    return _sounds(heard) == _sounds(meant)


def _sounds(labels):
    """Without stress and without the spaces between words: "NACL" and "N A C L" sound alike."""
    return [label.replace("1", "") for label in _heard(" ".join(labels)).split()]


def _heard(phones):
    """Without secondary stress, and with one weak vowel for AH0 and IH0."""
    return re.sub("[02]", "", phones.replace("IH0", "AH0"))


@pytest.mark.parametrize(("kind", "written", "said"), ROWS, ids=[f"{kind}: {written!a}" for kind, written, _ in ROWS])
def test_reading(kind, written, said):
    assert reading(kind, written, said) == said
    if normalize(written) == said:
        assert normalize(said) == said


def test_cases_that_no_rule_was_made_for():
    unseen = rows("text/normalisation_unseen.tsv")
    wrong = [row for row in unseen if not is_heard(*row)]
    assert len(unseen) == 360
    assert len(wrong) <= 4, wrong


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Привет", "Cyrillic"),
        ("日本", "Chinese"),
        ("ひらがな 日本", "Japanese"),
        ("한국", "Korean"),
        ("αβγ", "Greek"),
        ("μΩ", "Greek"),
        ("שלום", "Hebrew"),
        ("سلام", "Arabic"),
        ("สวัสดี", "Thai"),
        ("Привет, 日本", "Cyrillic"),
    ],
)
def test_a_text_in_another_script_alone_says_nothing_and_the_script_is_named(text, script):
    with pytest.raises(BadInputError, match=f"no words to speak, only {script} letters"):
        normalize(text)


@pytest.mark.parametrize(
    "text", ["", "   ", "\n", "😀🎉", "...", "-- !?", '"', "'", "\u0301", "\ud800", "[]{}", "{ }", "\x02", "\x03"]
)
def test_nothing_to_say(text):
    with pytest.raises(BadInputError, match="no words to speak"):
        normalize(text)


LEXICON = frozenset(("us", "fbi", "st", "no", "inc", "km", "iphone", "nasa", "mp", "ai"))


@pytest.mark.parametrize(("written", "said"), rows("text/lexicon.tsv", "known"))
def test_a_word_of_the_users_lexicon_is_neither_spelt_nor_an_abbreviation(written, said):
    def known(word):
        return word in LEXICON | {"openai"}

    assert normalize(written, known) == said
    assert normalize(said, known) == said


WRITTEN = (
    "A I a the am s St. Mr. etc. Dr. No. Elm George GEORGE III IV Chapter US NASA HELLO p.m. PM A. B C U.S. i.e. 1 23"
    " 1830 1830s 1/2 10:30 30 th $ £ ¢ % # & / . , : ; ! ... - -- – — ' 's \" ( ) [ ] { } ½ é ſ İ Ⅷ ﬁ ² № {HH AH0} km"
    " ft in 5'10 µ Ω π ° ≤ × + = ^ e-5 x @ http:// www. .com example.org a@b.com C# AT&T Q&A MP3 B2B F-16 TX Dallas,"
    " Jan. Mon-Fri Inc. Ph.D. v2.1 192.168.0.1 555-1234 +1 (555) 1e5 10^3 2.5x $5M bn per \\ _ ~ < > * 😀 May King"
    " rosé learnèd née ñ Wh- th-that 1.5m 72F 0630 50-50 NaCl f(x) iOS README.md VI. (ii) WHO He.She ()"
    " WWII '90s BC oz. lbs iPhone Baker Ave pp. vs. I. II. of was 401(k) 1080p IIII VX file.txt km/h m² \x02 \x03 ٣ １"
)
PIECES = st.sampled_from([*WRITTEN.split(" "), " ", "\n", "\u00a0"])
TEXTS = (
    st.lists(PIECES, max_size=10).map("".join)
    | st.lists(PIECES, max_size=8).map(" ".join)
    | st.text(max_size=30)
    | st.text(alphabet=string.printable + "£–½é°μ", max_size=25)
)
SAID = re.compile(r"(?:\{[A-Za-z0-9 ]+\}|[A-Za-zà-öø-ÿ .,:;!?'\"()\[\]-])+")


@settings(max_examples=500, deadline=None)
@given(TEXTS, st.sampled_from([None, LEXICON.__contains__]))
@example("72Fnée.oz.km", None)
@example("née.http://www.rosé.b", None)
def test_any_text_is_stable_words_or_one_clear_error(text, known):
    try:
        once = normalize(text, known)
    except BadInputError:
        return
    assert SAID.fullmatch(once)
    assert normalize(once, known) == once


UNITS = (
    "é aé a.A a-a aB NaCl f( =2x (ii)"
    " a 1 1, a1 $ $1 { {a A Aa A.B 1. 1- - 1: 1/ ( ' 1' 1\" # @ a@ a@a. http:// /a www. x.com 1x 1e 1^ % 1% & A& +1"
    " 555- v1. 1m /h 5° ² ½ _ a_ C:\\ é 😀"
)
PHRASES = (
    "word |A |I |THE | I|King I |No. |Dallas, TX 1|1 1/2 |(555) |Jan 1 |5 km/h |Wh- |part ii, |5551234567 |call 911, "
    "|from 0900 to |50-50 |x - |He.She "
)


@pytest.mark.parametrize("unit", [*UNITS.split(" "), *PHRASES.split("|")])
def test_the_cost_grows_with_the_length_only(unit):
    """Doubling a text that no sentence ends must not quadruple what it costs; the bound is loose for busy machines."""
    shortest = 4_000 if os.environ.get("VOXGRAD_LONG") else 2_000
    short, long = (unit * (length // len(unit)) for length in (shortest, 4 * shortest))
    assert _seconds(long) < 0.05 + 10 * _seconds(short)


def _seconds(text):
    started = time.process_time()
    try:
        normalize(text)
    except BadInputError:
        assert not any(character.isalnum() for character in text)
    return time.process_time() - started
