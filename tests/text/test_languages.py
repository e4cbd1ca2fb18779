"""Texts of languages beside English: what is written out, and what espeak-ng and the user's lexicon make of it."""

from pathlib import Path

import pytest

from tests.tables import rows
from voxgrad.errors import BadInputError
from voxgrad.settings import TextSpec
from voxgrad.text import espeak
from voxgrad.text.ipa import BLANKS, language_blank
from voxgrad.text.languages import guessed, known_language, language_of, languages, named
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.passages import sentences
from voxgrad.text.symbols import BLANK
from voxgrad.text.tokens import encode
from voxgrad.text.unread_remarks import unread_remarks

ORDER = ("es", "fr", "it", "pt", "de", "nl", "pl")
"""Of the blanks' ids, which trained weights hold: append only."""


def spec(language):
    return TextSpec(language=language, add_blank=False)


@pytest.mark.parametrize(("language", "text", "normalised", "phones"), rows("text/languages.tsv"))
def test_a_text_is_read(language, text, normalised, phones):
    encoded = encode(text, spec(language))
    assert encoded.normalised == normalised
    assert "".join(encoded.phones) == phones
    assert (encoded.language, encoded.unknown) == (language, ())


def test_codes_and_their_numbers():
    assert tuple(languages()) == ORDER
    assert [language.number for language in languages().values()] == list(range(len(ORDER)))
    assert known_language("PT-br") == "pt"
    assert known_language("en_GB") == "en"
    assert named(["en", "de"]) == "en (English), de (German)"
    with pytest.raises(BadInputError, match="no language 'xx'") as caught:
        language_of("xx")
    assert "es (Spanish)" in caught.value.hint


@pytest.mark.parametrize("language", ORDER)
def test_tokens_tell_the_language(language):
    encoded = encode("Anna, 3 km.", TextSpec(language=language))
    blank = language_blank(languages()[language].number)
    assert blank in BLANKS
    assert blank != BLANK
    assert set(encoded.tokens[::2]) == {blank}
    assert [encoded.phones[word.start : word.stop : 2] for word in encoded.words] == [
        word.phones for word in encoded.words
    ]


@pytest.mark.parametrize("text", ["", "...", "你好 😀", "—"])
def test_nothing_to_say(text):
    with pytest.raises(NothingToSayError):
        encode(text, spec("fr"))


def test_what_is_not_said_is_told():
    assert list(unread_remarks("Hola 你好 y 😀.")) == ["not read: 你好 (Chinese), 😀"]


def test_words_and_their_sources():
    lexicon = Lexicon.parse("es:Xàtiva  /ˈʃativa/", "test")
    words = encode("En «Xàtiva», 21 {/ˈola/} ¡sí!", spec("es"), lexicon).words
    assert [(word.word, word.source) for word in words] == [
        ("En", "espeak-ng"),
        ("Xàtiva", "lexicon"),
        ("21", "espeak-ng"),
        ("/ˈola/", "inline"),
        ("sí", "espeak-ng"),
    ]
    assert words[1].phones == ("ʃ", "ˈa", "t", "i", "v", "a")


@pytest.mark.parametrize(
    ("language", "text", "count"),
    [
        ("es", "El Sr. Ruiz vive en la Av. Sur. ¿Y Ud.? Sí, p. ej. aquí.", 3),
        ("fr", "M. Dupont est là. « Oui ! » dit-il. Mme Petit, etc. Puis rien.", 4),
        ("de", "Am 3. Oktober kam Dr. Müller, d. h. Herr M., z. B. um 5 Uhr. „Ja.“ Er ging usw. Gut.", 4),
        ("it", "Il sig. Rossi c'è. La sig.ra no. E il dott. Verdi?", 3),
        ("pt", "O Sr. Silva, a Dra. Lima etc. Eles vêm às 9h. Sim?", 3),
        ("nl", "Dhr. Jansen en mevr. De Vries, enz. Tot om 9.30 uur. Goed.", 3),
    ],
)
def test_sentences(language, text, count):
    assert len(list(sentences(text, language))) == count


GUESSED = [line.split("\t") for line in Path(__file__).with_name("guessed.tsv").read_text("utf-8").splitlines()]
SPOKEN = ["en", "es", "fr", "it", "pt", "de", "nl"]


def test_the_language_of_a_paragraph_is_guessed_among_those_that_are_spoken():
    sentences = [(code, text) for code, text in GUESSED if len(text.rstrip(" ?!").split()) > 2]
    others = [(code, text) for code, text in GUESSED if (code, text) not in sentences]
    for known, among_other, among_same in ((sentences, 0.98, 0.99), (others, 0.6, 0.98)):
        assert sum(guessed(text, SPOKEN, "") == code for code, text in known) > among_other * len(known)
        assert sum(guessed(text, SPOKEN, code) == code for code, text in known) > among_same * len(known)
    assert guessed("Buenos días.", ["fr"], "fr") == "fr"


def test_espeak_is_missing(monkeypatch, refused):
    monkeypatch.setattr(espeak, "find_spec", lambda name: None)
    espeak._library.cache_clear()
    espeak.transcribe.cache_clear()
    assert refused("g2p", "--language", "es", "hola") == (
        "error: languages other than English need espeak-ng, which is not installed. "
        "Install it: pip install 'voxgrad[languages]'.\n"
    )
