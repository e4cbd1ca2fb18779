"""The pronunciations of the official front end, quirks included."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from voxgrad.text.dictionary import lookup
from voxgrad.text.lexicon import Lexicon, inline
from voxgrad.text.pronounce import Pronunciation
from voxgrad.text.symbols import PUNCTUATION

_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz" + PUNCTUATION)
# The official cleaners write Mrs. so, and no dictionary has it: the checkpoints learnt its letters.
_REWRITTEN: Final = {"missus": "misess"}
_PIECE: Final = re.compile(r"(?:\{[^{}]*\}|[^ {}])+")
_PART: Final = re.compile(r"\{[^{}]*\}|[^{}]+")
_MARKED: Final = re.compile(r"([^a-z]*)([a-z](?:.*[a-z])?)([^a-z]*)")


@dataclass(frozen=True, slots=True)
class OfficialWord:
    """What stands between two spaces.

    Attributes:
        written: in lower case, with its marks.
        said: its phones, or its characters.
        unknown: the word without its marks where no dictionary has that, else empty.
    """

    written: str
    said: Pronunciation
    unknown: str


_MONEY: Final = re.compile(
    r"\b(one (?:dollar|pound|euro)|dollars|pounds|euros) "
    r"(?=(?:[a-z]+(?:-[a-z]+)? (?:cents|pence)|one (?:cent|penny))\b)"
)


def with_official_commas(normalised: str) -> str:
    """A normalised text with the comma that the released checkpoints learnt within a sum of money.

    >>> with_official_commas("three dollars fifty cents")
    'three dollars, fifty cents'
    """
    return _MONEY.sub(r"\1, ", normalised)


def official_words(normalised: str, lexicon: Lexicon) -> Iterator[OfficialWord]:
    """The words of a text as the official front end says them.

    An entry of the lexicon counts within marks too, which stay marks. What comes before phones in braces is
    spelt, for the official front end looks words up only after the last of them.

    Raises:
        BadInputError: a braced phone is none.
    """
    looked_up = normalised.rfind("}")
    for match in _PIECE.finditer(normalised):
        parts = [part if part[0] == "{" else part.lower() for part in _PART.findall(match[0])]
        if len(parts) > 1 or parts[0][0] == "{":
            phones = (phone for part in parts for phone in (inline(part) if part[0] == "{" else _letters(part)))
            yield OfficialWord(match[0], Pronunciation(tuple(phones), "inline"), "")
            continue
        entry = _entry(parts[0], lexicon)
        if entry is not None:
            yield OfficialWord(parts[0], entry, "")
            continue
        spelt = match.start() < looked_up
        said = Pronunciation(_letters(parts[0]), "letters") if spelt else pronounce_official(parts[0])
        yield OfficialWord(parts[0], said, _unknown(parts[0]) if said.source == "letters" else "")


def _entry(word: str, lexicon: Lexicon) -> Pronunciation | None:
    marked = _MARKED.fullmatch(word) if lexicon else None
    if marked is None:
        return None
    for before, core, after in (("", word, ""), marked.groups()):
        phones = lexicon.lookup(core)
        if phones is not None:
            return Pronunciation((*_letters(before), *phones, *_letters(after)), "lexicon")
    return None


def _letters(written: str) -> tuple[str, ...]:
    return tuple(character for character in written if character in _CHARACTERS)


def _unknown(written: str) -> str:
    marked = _MARKED.fullmatch(written)
    core = "" if marked is None else marked[2]
    known = any(pronounce_official(word).source == "dictionary" for word in (written, core, f"{core}."))
    return "" if known else core


@cache
def _differences() -> dict[str, tuple[str, ...] | None]:
    """Words whose first pronunciation in the official dictionary differs from ours; None: it lacks them."""
    text = Path(__file__).with_name("official.txt").read_text(encoding="ascii")
    entries = (line.partition(" ") for line in text.splitlines())
    return {word: tuple(phones.split()) if phones else None for word, _, phones in entries}


@lru_cache(maxsize=16384)
def pronounce_official(word: str) -> Pronunciation:
    """The phones of a word with its punctuation attached, or its characters where the dictionary lacks it so.

    Args:
        word: lower case, as it stands between two spaces. Characters without an id are dropped.
    """
    written = _REWRITTEN.get(word, word)
    phones = _differences()[written] if written in _differences() else lookup(written)
    return Pronunciation(_letters(written), "letters") if phones is None else Pronunciation(phones, "dictionary")
