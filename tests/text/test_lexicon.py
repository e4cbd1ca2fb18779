"""The user's pronunciations: files of them, and phones in braces."""

import pickle

import pytest

from tests.tables import rows
from voxgrad.errors import BadInputError
from voxgrad.settings import TextSpec
from voxgrad.text.lexicon import LEXICON, NONE, Lexicon, refuse_unknown
from voxgrad.text.tokens import encode, encode_transcript

PLAIN = TextSpec(add_blank=False)
BOTH = [PLAIN, TextSpec(frontend="official", add_blank=False)]


def parse(*lines):
    return Lexicon.parse("\n".join(lines), "words.txt")


def first(text, lexicon=NONE, spec=PLAIN):
    word = encode(text, spec, lexicon).words[0]
    return " ".join(word.phones), word.source


@pytest.mark.parametrize(("line", "phones"), rows("text/lexicon.tsv", "line"))
def test_a_line(line, phones):
    assert parse("# a remark", "", line).lookup("snizzle") == tuple(phones.split())


@pytest.mark.parametrize(("lines", "message"), rows("text/lexicon.tsv", "bad line"))
def test_a_bad_line_is_refused_with_its_place(lines, message):
    with pytest.raises(BadInputError) as caught:
        parse(lines)
    assert caught.value.message.startswith(message)
    assert caught.value.hint.endswith(".")


def test_the_same_line_twice_is_no_harm():
    assert parse("a AH0", "a AH0").entries == (("a", ("AH0",)),)


def test_words_of_other_languages():
    lexicon = parse("es:Xàtiva  /ˈʃativa/  # a town", "de:Roggen  /ˈrɔɡən/")
    assert lexicon.lookup_in("es", "XÀTIVA") == ("ʃ", "ˈa", "t", "i", "v", "a")
    assert lexicon.lookup_in("de", "Roggen")[0] == "ʁ"  # as German has it
    assert lexicon.lookup_in("fr", "Xàtiva") is lexicon.lookup("Xàtiva") is None
    assert Lexicon.parse(lexicon.text, "again") == lexicon


def test_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes(b"\xef\xbb\xbfsnizzle S N IH1 Z\r\nblorp B L AO1 R P")
    assert Lexicon.read(path).entries == (("blorp", ("B", "L", "AO1", "R", "P")), ("snizzle", ("S", "N", "IH1", "Z")))
    path.write_bytes(b"caf\xe9 K")
    with pytest.raises(BadInputError, match="not UTF-8"):
        Lexicon.read(path)
    with pytest.raises(BadInputError, match="cannot be read"):
        Lexicon.read(tmp_path / "nowhere.txt")
    with pytest.raises(BadInputError, match="cannot be read"):
        Lexicon.read(tmp_path)


def test_the_most_specific_source_decides(tmp_path):
    assert Lexicon.gather(tmp_path, None) == NONE
    (tmp_path / LEXICON).write_text("one W\ntwo T\nthree TH")
    (tmp_path / "voice.txt").write_text("two D\nthree DH")
    (tmp_path / "given.txt").write_text("three Z")
    found = Lexicon.gather(tmp_path, tmp_path / "voice.txt", tmp_path / "given.txt")
    assert dict(found.entries) == {"one": ("W",), "two": ("D",), "three": ("Z",)}


def test_the_digest_is_that_of_the_pronunciations():
    plain = parse("b B", "a AH0")
    assert plain.sha256 == parse("# remark", "A\tAH0", "b B # more").sha256
    assert plain.sha256 != parse("b B", "a AH1").sha256
    assert NONE.settings == parse("# nothing").settings == {}
    assert plain.settings == {"lexicon": plain.sha256}
    assert Lexicon.parse(plain.text, "again") == plain
    assert pickle.loads(pickle.dumps(plain)) == plain  # noqa: S301


@pytest.mark.parametrize("spec", BOTH)
@pytest.mark.parametrize(("text", "entry", "phones"), rows("text/lexicon.tsv", "entry"))
def test_an_entry_goes_before_everything(text, entry, phones, spec):
    labels, source = first(text, parse(entry), spec)
    assert (labels.removesuffix(" '"), source) == (phones, "lexicon")


def test_a_word_with_a_full_stop_within():
    lexicon = parse("q.rt  K ER1 T", "zz.  Z IY1")
    assert [word.word for word in encode("So q.rt zz. is.", PLAIN, lexicon).words] == ["so", "q.rt", "zz.", "is"]


def test_the_letter_is_not_the_article():
    assert first("Vitamin A, please", parse("a  AH1"))[1] != "lexicon"
    words = encode("Grade A, B, C", PLAIN, parse("a AH1")).words
    assert words[1].phones == ("EY1",)


def test_the_article_hears_what_the_lexicon_says():
    assert first("the hello", parse("hello  EH1 L OW0"))[0] == "DH IY0"
    assert first("the {EH1 L}")[0] == "DH IY0"
    assert first("the {L EH1}")[0] == "DH AH0"


@pytest.mark.parametrize("spec", BOTH)
@pytest.mark.parametrize(("text", "phones"), rows("text/lexicon.tsv", "braces"))
def test_phones_in_braces(text, phones, spec):
    assert first(text, NONE, spec) == (phones, "inline")


def test_phones_in_braces_anywhere():
    encoded = encode("Say ({HH AH0 L OW1}), {B AY1}! {AY1}.", PLAIN)
    assert [word.source for word in encoded.words] == ["dictionary", "inline", "inline", "inline"]
    assert "".join(label for label in encoded.phones if not label[0].isalpha()) == " (), !  .".replace("  ", " ")


@pytest.mark.parametrize("spec", BOTH)
def test_braces_that_hold_no_phones_are_text_and_in_a_transcript_a_bad_phone_is_named(spec):
    assert encode("Say {ell AX} now", spec) == encode("Say ell AX now", spec)
    with pytest.raises(BadInputError) as caught:
        encode_transcript("Say {HH AX0 L} now", spec)
    assert caught.value.message == "{HH AX0 L}: AX0 is not a phone"
    assert "vowels with the stress 0, 1 or 2" in caught.value.hint


def test_unknown_words_are_refused_by_name():
    refuse_unknown([])
    with pytest.raises(BadInputError, match=r"not in any dictionary: blorp, snizz\. Add them to a lexicon"):
        refuse_unknown(["blorp", "snizz"])
    with pytest.raises(BadInputError, match="w19 and 5 more"):
        refuse_unknown([f"w{number}" for number in range(25)])
