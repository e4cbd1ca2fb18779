"""Which questions rise, and where the rise begins."""

import pytest

from tests.tables import rows
from voxgrad.settings import TextSpec
from voxgrad.text.intonation import question_rises
from voxgrad.text.symbols import Encoded
from voxgrad.text.tokens import encode

ROWS = rows("text/questions.tsv")


def read(text: str, *, blanks: bool = True) -> Encoded:
    return encode(text, TextSpec(add_blank=blanks))


@pytest.mark.parametrize(("word", "text"), [row for row in ROWS if row[0] != "-"])
@pytest.mark.parametrize("blanks", [True, False])
def test_questions_rise_from_their_last_stress(word: str, text: str, *, blanks: bool):
    encoded = read(text, blanks=blanks)
    rises = question_rises(encoded)
    assert rises is not None
    first = next(token for token, rise in enumerate(rises) if rise)
    assert next(one.word for one in encoded.words if one.start <= first < one.stop).lower() == word
    assert encoded.phones[first][:-1].isalpha()  # a vowel
    risen = rises[first : encoded.phones.index("?") + 1]
    assert risen == sorted(risen)
    assert risen[-1] == 1


@pytest.mark.parametrize("text", [text for word, text in ROWS if word == "-"])
def test_others_are_left_alone(text: str):
    assert question_rises(read(text)) is None


def test_a_text_of_several_sentences_rises_in_its_questions_alone():
    encoded = read("Is it late? It is. Are we there?")
    rises = question_rises(encoded)
    assert rises is not None
    stop = encoded.phones.index(".")
    assert max(rises[: encoded.phones.index("?") + 1]) == 1
    assert set(rises[encoded.phones.index("?") + 2 : stop + 2]) == {0}
    assert rises[-2] == 1
