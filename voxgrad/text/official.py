"""The pronunciations of the official front end, quirks included."""

from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from voxgrad.text.dictionary import lookup
from voxgrad.text.pronounce import Pronunciation
from voxgrad.text.symbols import PUNCTUATION

_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz" + PUNCTUATION)
# The official cleaners write Mrs. so, and no dictionary has it: the checkpoints learnt its letters.
_REWRITTEN: Final = {"missus": "misess"}


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
    if written in _differences():
        phones = _differences()[written]
        if phones is not None:
            return Pronunciation(phones, "table")
    else:
        phones = lookup(written)
        if phones is not None:
            return Pronunciation(phones, "dictionary")
    return Pronunciation(tuple(character for character in written if character in _CHARACTERS), "spelt")
