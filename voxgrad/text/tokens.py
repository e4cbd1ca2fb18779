"""Text to token ids, in two documented modes.

``voxgrad``: words are pronounced one by one; punctuation is a token of its own, right after the word; one
space parts words, and the parts of a compound that no dictionary has whole.

``official``: what the released checkpoints were trained on. Words are looked up with their punctuation
attached, so that a word before a comma is spelt in letters; the official dictionary's first pronunciation;
``a`` as EY1.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from voxgrad.errors import BadInputError
from voxgrad.specs import TextSpec
from voxgrad.text.normalize import normalize
from voxgrad.text.official import pronounce_official
from voxgrad.text.pronounce import Pronunciation, Source, find, pronounce, starts_with_vowel
from voxgrad.text.symbols import BLANK, CHARACTER_IDS, PHONE_IDS, VOCABULARY_SIZE

vocabulary_size: Final = VOCABULARY_SIZE

_PIECES: Final = re.compile(
    r"(?:[A-Za-z]\.){2,}(?:'?s\b)?"  # U.S., p.m.
    r"|\b[A-HJ-Z]\.(?= \w)"  # an initial: its full stop is no pause
    r"|'?[A-Za-z]+(?:['-][A-Za-z]+)*'?"
    r"|--|[!(),.:;?\[\]]"
)
_MARKS: Final = {"--": "-", "[": "(", "]": ")"}
_Item = TypeVar("_Item", int, str)
_BLANK_LABEL: Final = "_"


@dataclass(frozen=True, slots=True)
class Word:
    """One word of an encoded text.

    Attributes:
        word: as normalised.
        phones: what it is pronounced as; letters and marks too where the official front end spells it.
        source: where the pronunciation comes from.
        start: index of its first token in ``Encoded.tokens``.
        stop: index after its last token; the blanks between its tokens lie within.
    """

    word: str
    phones: tuple[str, ...]
    source: Source
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text as the model reads it.

    Attributes:
        tokens: ids, each below ``vocabulary_size``.
        normalised: the text after normalisation.
        phones: a label for each token: a phone, a letter, a mark, a space, or ``_`` for the blank.
        words: the words in order.
        unknown: words that no dictionary has, pronounced by the network; each once.
    """

    tokens: tuple[int, ...]
    normalised: str
    phones: tuple[str, ...]
    words: tuple[Word, ...]
    unknown: tuple[str, ...]


def encode(text: str, spec: TextSpec) -> Encoded:
    """Encode written English.

    Args:
        text: any Unicode.
        spec: the mode, and whether blanks go between all tokens.

    Raises:
        BadInputError: letters of another script, or nothing to say.
    """
    normalised = normalize(text)
    labels, words = (_split if spec.frontend == "voxgrad" else _attached)(normalised)
    if not words:
        raise BadInputError("The text holds nothing to say", "Give at least one word in English")
    unknown = tuple(dict.fromkeys(word.word for word in words if word.source == "network"))
    tokens = [PHONE_IDS[label] if label in PHONE_IDS else CHARACTER_IDS[label] for label in labels]
    if spec.add_blank:
        words = [replace(word, start=2 * word.start + 1, stop=2 * word.stop) for word in words]
        tokens = _interspersed(tokens, BLANK)
        labels = _interspersed(labels, _BLANK_LABEL)
    return Encoded(tuple(tokens), normalised, tuple(labels), tuple(words), unknown)


def _interspersed(items: list[_Item], blank: _Item) -> list[_Item]:
    mixed = [blank] * (2 * len(items) + 1)
    mixed[1::2] = items
    return mixed


def _split(normalised: str) -> tuple[list[str], list[Word]]:
    labels: list[str] = []
    words: list[Word] = []
    pieces = list(_pieces(normalised))
    for piece, following in zip(pieces, [*pieces[1:], ""], strict=True):
        if _is_word(piece) or piece == "(":
            if labels and labels[-1] != "(":
                labels.append(" ")
        elif not labels or labels[-1] == piece:  # nothing to pause after, or "..." and the like
            continue
        if not _is_word(piece):
            labels.append(piece)
            continue
        said = _the(following) if piece == "the" else pronounce(piece)
        words.append(Word(piece, said.phones, said.source, len(labels), len(labels) + len(said.phones)))
        labels.extend(said.phones)
    if normalised[-1] == "." and pieces[-1][-1] == "." and len(pieces[-1]) > 1:
        labels.append(".")  # one full stop ends both "p.m." and the sentence
    return labels, words


def _is_word(piece: str) -> bool:
    return piece[:1].isalpha() or piece[:1] == "'"


def _pieces(normalised: str) -> Iterator[str]:
    for match in _PIECES.finditer(normalised):
        piece = match[0]
        if "-" in piece and _is_word(piece) and (piece.isupper() or find(piece) is None):
            yield from (part for part in piece.split("-") if part.strip("'"))
        else:
            yield _MARKS.get(piece, piece)


def _the(following: str) -> Pronunciation:
    before_vowel = _is_word(following) and starts_with_vowel(pronounce(following).phones)
    return Pronunciation(("DH", "IY0" if before_vowel else "AH0"), "dictionary")


def _attached(normalised: str) -> tuple[list[str], list[Word]]:
    labels: list[str] = []
    words: list[Word] = []
    for piece in normalised.lower().split(" "):
        said = pronounce_official(piece)
        if any(character.isalpha() for character in piece):
            words.append(Word(piece, said.phones, said.source, len(labels), len(labels) + len(said.phones)))
        labels.extend((*said.phones, " "))
    return labels[:-1], words
