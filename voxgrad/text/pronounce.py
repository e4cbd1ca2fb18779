"""One written word to its phones: our own table, the dictionary, its base with an ending, the network."""

import re
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase
from typing import Final, Literal

from voxgrad.text import g2p_network
from voxgrad.text.derived_words import derive, with_s
from voxgrad.text.dictionary import PREFERRED_VARIANTS, PRONUNCIATIONS, lookup
from voxgrad.text.symbols import is_vowel

Source = Literal["dictionary", "derived", "homograph", "inline", "letters", "lexicon", "network", "spelt"]
"""``dictionary``: it or our additions to it; ``derived``: regularly from it; ``homograph``: chosen by context;
``inline``: phones in braces; ``letters``: characters as the official front end writes them; ``lexicon``: the
user's; ``network``: a guess; ``spelt``: the names of the letters."""

LONGEST_WORD: Final = 40
"""Letters; what is longer is no word, and is spelt: the network would need a step for each letter."""
_SPEAKABLE: Final = frozenset("aeiouy")
"""A word with none of these is an acronym, whatever its case."""


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """The phones of a word, and where they come from; of a homograph, the sense that was chosen too."""

    phones: tuple[str, ...]
    source: Source
    sense: str = ""


@lru_cache(maxsize=16384)
def pronounce(word: str) -> Pronunciation:
    """The pronunciation of one word of normalised text.

    Args:
        word: as ``normalize`` writes it: lower case, or capitals where it is to be spelt; apostrophes and
            full stops (``p.m.``) belong to it.
    """
    known = find(word)
    if known is not None:
        return known
    base = re.fullmatch("([a-z']*[a-z])'s", word)
    if base is not None:
        guess = pronounce(base[1])
        return Pronunciation(with_s(guess.phones), guess.source)
    letters = re.sub("[^a-z]", "", word.lower())
    if len(letters) > LONGEST_WORD or not _SPEAKABLE.intersection(letters):
        return _spell(letters)
    derived = derive(letters)
    if derived is not None:
        return Pronunciation(derived, "derived")
    # Only UW may come without stress from the network; the table's bare vowels were never trained.
    phones = tuple(
        "UW0" if phone == "UW" else phone for phone in g2p_network.predict(letters) if phone[0] != "<"
    )
    return Pronunciation(phones, "network") if phones else _spell(letters)


@lru_cache(maxsize=16384)
def find(word: str) -> Pronunciation | None:
    """The pronunciation of a word that needs no guess, or None."""
    if word == "A" or (len(word) > 1 and re.fullmatch(r"(?:[A-Z]\.?)+(?:'?s)?'?", word)):
        return _spell(word.removesuffix("'"))
    lower = word.lower()
    bare = (lower.removesuffix("'"), lower.removeprefix("'"), lower.strip("'"))
    for candidate in dict.fromkeys((lower, *bare)):
        if candidate in PRONUNCIATIONS:
            return Pronunciation(tuple(PRONUNCIATIONS[candidate].split()), "dictionary")
        phones = lookup(candidate, PREFERRED_VARIANTS.get(candidate, 1))
        if phones is not None:
            return Pronunciation(phones, "dictionary")
    if re.fullmatch(r"(?:[a-z]\.)+", lower):
        return _spell(lower)
    if lower.endswith(("'s", "s'")):
        base = find(lower[:-2])
        return None if base is None else Pronunciation(with_s(base.phones), base.source)
    return None


def starts_with_vowel(phones: tuple[str, ...]) -> bool:
    """Whether the first sound is a vowel: ``hour`` yes, ``one`` no."""
    return is_vowel(phones[0])


def _spell(word: str) -> Pronunciation:
    stem = word[:-1].removesuffix("'") if word[-1] == "s" and word[:-1].rstrip("'.").isupper() else word
    phones = tuple(phone for letter in stem.lower() if letter in ascii_lowercase for phone in _letter(letter))
    return Pronunciation(phones if stem == word else with_s(phones), "spelt")


def _letter(letter: str) -> tuple[str, ...]:
    # The dictionary's "a." is the letter's name, its "a" the article.
    phones = lookup(f"{letter}.")
    if phones is None:
        raise KeyError(letter)
    return phones
