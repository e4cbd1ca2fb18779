"""Phones of languages beside English, in IPA."""

import hashlib

import pytest

from voxgrad.errors import BadInputError
from voxgrad.text.dictionary import PHONES
from voxgrad.text.ipa import (
    BLANKS,
    IPA_IDS,
    IPA_VOCABULARY_SIZE,
    NEAREST,
    inline_ipa,
    is_vowel,
    labels_of,
    language_blank,
    phones,
)
from voxgrad.text.symbols import PHONE_IDS, VOCABULARY_SIZE


@pytest.mark.parametrize(
    ("transcription", "expected"),
    [
        ("ˈola", "ˈo l a"),
        ("ˈokːi", "ˈo k k i"),
        ("t͡ʃˈaːo", "t͡ʃ ˈaː o"),
        ("ʧa ʤa", "t͡ʃ a d͡ʒ a"),
        ("bɔ̃ʒˈuʁ", "b ɔ̃ ʒ ˈu ʁ"),
        ("stˌɪl", "s t ˌɪ l"),
        ("ˈstɪl", "s t ˈɪ l"),
        ("ɡg", "ɡ ɡ"),
        ("laːtn̩", "l aː t ə n"),
        ("tʲa", "t j a"),
        ("a͡ɪ", "a ɪ"),
        ("p͡fˈuːɐ̯", "p f ˈuː ɐ"),
        ("zɐ̃ˑ", "z ɐ̃"),
        ("ç", "ç"),
    ],
)
def test_a_transcription_in_phones(transcription, expected):
    found = phones(transcription)
    assert found == tuple(expected.split())
    assert set(found) <= IPA_IDS.keys()


def test_phones_of_a_language_stand_for_others():
    assert phones("ˈrɔɾə", {"r": "ʁ", "ɾ": "ʁ"}) == ("ʁ", "ˈɔ", "ʁ", "ə")


@pytest.mark.parametrize(("transcription", "sign"), [("ola1", "1"), ("o€", "€"), ("ǃa", "ǃ"), ("オla", "オ")])
def test_what_is_no_phone_is_named(transcription, sign):
    with pytest.raises(BadInputError, match=sign):
        phones(transcription)


def test_phones_within_a_text():
    assert inline_ipa("ˈola") == "/ˈola/"
    with pytest.raises(BadInputError, match="no phones"):
        inline_ipa("ˈ")


def test_ids():
    assert all(IPA_IDS[phone] == PHONE_IDS[NEAREST[phone]] for phone in "pbtdkfvszmnlw")
    new = sorted(token for token in IPA_IDS.values() if token >= VOCABULARY_SIZE)
    assert new == list(range(BLANKS.stop, IPA_VOCABULARY_SIZE))
    assert set(NEAREST.values()) <= set(PHONES)
    assert labels_of([IPA_IDS["ˈo"], IPA_IDS["p"], BLANKS[1]]) == ["ˈo", "p", "_"]
    assert labels_of([IPA_IDS["p"], BLANKS[0]]) == ["P", "_"]
    assert is_vowel("ˌɔ̃")
    assert not is_vowel("ʁ")
    assert language_blank(0) == VOCABULARY_SIZE
    with pytest.raises(ValueError, match="number 64"):
        language_blank(64)


def test_ids_never_change():
    """Trained weights hold them: append to the tables, and give the digest of what stood there before."""
    written = " ".join(f"{phone}:{token}" for phone, token in IPA_IDS.items())
    assert hashlib.sha256(written.encode()).hexdigest()[:16] == "d039d4c93ad0aca5"
