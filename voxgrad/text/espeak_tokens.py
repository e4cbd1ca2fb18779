"""Texts of languages beside English as token ids, by espeak-ng.

It reads a clause at a time, because words change beside each other (French liaison).
"""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from typing import Final

from voxgrad.settings import TextSpec
from voxgrad.text.characters import unread
from voxgrad.text.espeak import transcribe
from voxgrad.text.ipa import IPA_IDS, phones
from voxgrad.text.languages import Language, blank_of, language_of
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.normalize_languages import INLINE, MARKS, normalize
from voxgrad.text.pronounce import Source
from voxgrad.text.symbols import BLANK_LABEL, CHARACTER_IDS, PUNCTUATION, Encoded, Word, with_blanks
from voxgrad.unicode import clean

_IDS: Final = {**CHARACTER_IDS, **IPA_IDS}


def encode(text: str, spec: TextSpec, lexicon: Lexicon) -> Encoded:
    """Encode a text in the language of the settings; what cannot be read is left out.

    Raises:
        BadInputError: nothing to say, or espeak-ng is not installed.
    """
    language = language_of(spec.language)
    normalised = normalize(text, language)
    labels: list[str] = []
    words: list[Word] = []
    parts = [*MARKS.split(normalised), ""]
    for clause, marks in zip(parts[::2], parts[1::2], strict=True):
        for written, said, source in _clause(clause, language, lexicon):
            if labels and labels[-1] != "(":
                labels.append(" ")
            words.append(Word(written, said, source, "", len(labels), len(labels) + len(said)))
            labels.extend(said)
        for mark in dict.fromkeys(marks):
            if mark in PUNCTUATION and labels and labels[-1] != mark:
                labels.append(mark)
    if not words:
        raise NothingToSayError(part.script for part in unread(clean(text)))
    if spec.add_blank:
        labels, words = with_blanks(labels, words)
    blank = blank_of(language.code)
    tokens = tuple(blank if label == BLANK_LABEL else _IDS[label] for label in labels)
    return Encoded(tokens, normalised, tuple(labels), tuple(words), (), language.code)


_Said = tuple[str, tuple[str, ...], Source]
"""A written word, its phones, and where they come from."""
_WORD: Final = re.compile(r"\{/[^{}/]+/\}|[^\s{}]+")


def _clause(text: str, language: Language, lexicon: Lexicon) -> Iterator[_Said]:
    """The words of a clause; espeak-ng reads what stands between those that the user gave phones for."""
    waiting: list[str] = []
    for word in _WORD.findall(text):
        inline = INLINE.fullmatch(word)
        given = phones(word[2:-2], language.phones) if inline else lexicon.lookup_in(language.code, word)
        if given is None:
            if any(map(str.isalnum, word)) or word in "%&+=°§@€$£":
                waiting.append(word)
            continue
        yield from _spoken(waiting, language)
        waiting = []
        yield word.strip("{}"), given, "inline" if inline else "lexicon"
    yield from _spoken(waiting, language)


def _spoken(words: Sequence[str], language: Language) -> Iterator[_Said]:
    """Words as espeak-ng says them beside each other."""
    said = transcribe(" ".join(words), language.espeak) if words else ()
    for word, transcribed in zip(words, _assigned(words, said, language), strict=True):
        parts = filter(None, (phones(part, language.phones) for part in transcribed.split()))
        joined = [phone for part in parts for phone in (" ", *part)]
        if joined:
            yield word.strip("'-"), tuple(joined[1:]), "espeak-ng"


def _assigned(words: Sequence[str], said: Sequence[str], language: Language) -> list[str]:
    """What was said for each written word: a number is several words, and some words are said as one.

    By the least cost of a division of ``said`` among the words; the cost of a word is how far what it is given is from
    what it sounds like alone.
    """
    if len(words) == len(said) and not any(character.isdigit() for word in words for character in word):
        return list(said)
    alone = [_alone(word, language.espeak) for word in words]
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for sound, count in alone:
        reached: dict[int, tuple[float, int]] = {}
        for start, (cost, _) in best[-1].items():
            for stop in range(start, min(start + count + 2, len(said)) + 1):
                distance = cost + _distance(sound, "".join(said[start:stop]))
                if stop not in reached or distance < reached[stop][0]:
                    reached[stop] = (distance, start)
        best.append(reached)
    stops = [len(said)]
    if len(said) not in best[-1]:  # far more words than their parts alone: all of it is the last one's
        return [*[""] * (len(words) - 1), " ".join(said)]
    for reached in reversed(best[1:]):
        stops.append(reached[stops[-1]][1])
    return [" ".join(said[start:stop]) for start, stop in pairwise(reversed(stops))]


@lru_cache(maxsize=16384)
def _alone(word: str, voice: str) -> tuple[str, int]:
    said = transcribe(word, voice)
    return "".join(said), len(said)


_MARKS_OF_STRESS: Final = re.compile("[ˈˌː\u0361-]")


def _distance(one: str, other: str) -> float:
    """How far two transcriptions are from each other, in phones."""
    a, b = _MARKS_OF_STRESS.sub("", one), _MARKS_OF_STRESS.sub("", other)
    return max(len(a), len(b)) * (1 - SequenceMatcher(None, a, b, autojunk=False).ratio())
