"""Which questions rise, and where the rise begins."""

import pytest

from voxgrad.settings import TextSpec
from voxgrad.text.intonation import question_rises
from voxgrad.text.tokens import Encoded, encode

RISING = {
    "Is the train late?": "late",
    "Are you sure about it?": "sure",
    "You're coming?": "coming",
    "Really?": "really",
    "If you could, would you go?": "go",
    "When you get home, will you call me?": "call",
    "Have you got it?": "got",
    "Well, did he?": "did",
    "It's nice, isn't it?": "isn't",
    "Could you tell me where the station is?": "station",
    'He asked, "Is it you?"': "is",
    '"Is it late?" he asked.': "late",
    "Wait! Is it late? Yes.": "late",
    "Will they be there at nine?": "nine",
}
FALLING = (
    "The train is late.",
    "Stop!",
    "What time is it?",
    "And what do you want?",
    "In which house does he live?",
    "To whom should I write?",
    "What do you want, John?",
    "Who's there?",
    "How are you?",
    "Tea or coffee?",
    "Does anyone speak English, French, or Dutch?",
)


def read(text: str, *, blanks: bool = True) -> Encoded:
    return encode(text, TextSpec(add_blank=blanks))


@pytest.mark.parametrize(("text", "word"), RISING.items())
@pytest.mark.parametrize("blanks", [True, False])
def test_questions_rise_from_their_last_stress(text: str, word: str, *, blanks: bool):
    encoded = read(text, blanks=blanks)
    rises = question_rises(encoded)
    assert rises is not None
    first = next(token for token, rise in enumerate(rises) if rise)
    assert next(one.word for one in encoded.words if one.start <= first < one.stop).lower() == word
    assert encoded.phones[first][:-1].isalpha()  # a vowel
    risen = rises[first : encoded.phones.index("?") + 1]
    assert risen == sorted(risen)
    assert risen[-1] == 1


@pytest.mark.parametrize("text", FALLING)
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
