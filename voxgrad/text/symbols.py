"""Symbols of the network's input and their ids, and a text as such ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import ascii_letters, ascii_lowercase, ascii_uppercase
from typing import Final

from voxgrad.text.dictionary import PHONES
from voxgrad.text.pronounce import Source

PUNCTUATION: Final = "-!'(),.:;? "
"""The marks that have an id, and the space between words."""
SYMBOLS: Final = ("_", *PUNCTUATION, *ascii_uppercase, *ascii_lowercase, *(f"@{phone}" for phone in PHONES))
"""The 148 symbols of Grad-TTS, which has them from Tacotron (keithito); an ``@`` tells phones from letters.

A checkpoint's embedding is indexed by these positions, so the order may never change.
"""
BLANK: Final = len(SYMBOLS)
"""The id that is put between all others."""
VOCABULARY_SIZE: Final = BLANK + 1
PHONE_IDS: Final = {phone: SYMBOLS.index(f"@{phone}") for phone in PHONES}
CHARACTER_IDS: Final = {character: SYMBOLS.index(character) for character in (*PUNCTUATION, *ascii_letters)}
SPACE: Final = CHARACTER_IDS[" "]
BLANK_LABEL: Final = "_"
ENGLISH: Final = "en"


@dataclass(frozen=True, slots=True)
class Word:
    """One word of an encoded text.

    Attributes:
        word: as normalised.
        phones: what it is pronounced as; letters and marks too where the official front end spells it.
        source: where the pronunciation comes from.
        sense: of a homograph, the one that was chosen; else empty.
        start: index of its first token in ``Encoded.tokens``.
        stop: index after its last token; the blanks between its tokens lie within.
    """

    word: str
    phones: tuple[str, ...]
    source: Source
    sense: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text as the model reads it.

    Attributes:
        tokens: ids; those of English are below `VOCABULARY_SIZE`.
        normalised: the text after normalisation.
        phones: a label for each token: a phone, a letter, a mark, a space, or ``_`` for the blank.
        words: the words in order.
        unknown: words that no dictionary has, so that they are guessed, or spelt in the official mode; each
            once, in lower case.
        language: its code, as in `voxgrad.text.languages`.
    """

    tokens: tuple[int, ...]
    normalised: str
    phones: tuple[str, ...]
    words: tuple[Word, ...]
    unknown: tuple[str, ...]
    language: str = ENGLISH


NO_TEXT: Final = Encoded((), "", (), (), ())


def with_blanks(labels: Sequence[str], words: Sequence[Word]) -> tuple[list[str], list[Word]]:
    """The labels of a text with a blank between all of them and at both ends, and its words where they then lie."""
    spread = [BLANK_LABEL] * (2 * len(labels) + 1)
    spread[1::2] = labels
    return spread, [replace(word, start=2 * word.start + 1, stop=2 * word.stop) for word in words]
