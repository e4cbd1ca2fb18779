"""Written English to words and punctuation: one deterministic string, stable when normalised again."""

import re
from functools import partial
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.text.characters import to_ascii
from voxgrad.text.dictionary import lookup
from voxgrad.text.expand import expand

_READ: Final = frozenset(
    (
        "AIDS",
        "ASAP",
        "COVID",
        "FIFA",
        "NAFTA",
        "NASA",
        "NATO",
        "OPEC",
        "SWAT",
        "UNESCO",
        "UNICEF",
        "WHO",
        "YOLO",
    )
)
"""Acronyms that are read as words, in the dictionary or not."""
_SPELT: Final = frozenset(
    ("AD", "AI", "AM", "EU", "HR", "ID", "IP", "IQ", "IR", "OS", "PM", "PR", "UN", "US", "UV")
)
"""Acronyms that are spelt though the dictionary may have a word of these letters."""

_MOST_PASSES: Final = 4
"""Writing one thing out may complete an abbreviation ("1/2etc."), so a text is read until it is stable."""

_CAPITALS: Final = re.compile(r"\b[A-Z]{2,}\b")
_CASED: Final = re.compile(r"(?:[A-Za-z]\.){2,}|[A-Za-z]+(?:'[A-Za-z]+)*")
_SPELT_FORM: Final = re.compile(r"(?:[A-Z]\.){2,}|([A-Z]{2,})('?s)?")
_LETTER: Final = re.compile(r"([A-HJ-Z])('s)?")

_SPACING: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"[\x00-\x20\x7f]+", " "),
        (r"\.{4,}", "..."),
        (r"([!?,;:])\1+", r"\1"),
        (r" ?-{2,} ?|(?<= )-(?= )", " -- "),
        (r" {2,}", " "),
        (r" (?=[,;:!?)\]]|\.(?:[ \"')]|$))", ""),
        (r"(?<=[(\[]) ", ""),
    )
)
_LOOSE_HYPHEN: Final = re.compile(r"(?<![A-Za-z0-9'.\-])-(?![-\d.])|(?<!-)-(?![A-Za-z0-9\-.'])")


def normalize(text: str) -> str:
    """Write out everything that is not a word or punctuation.

    Args:
        text: written English, any Unicode.

    Returns:
        Words in lower case, parted by single spaces; what is to be spelt (``FBI``, ``U.S.``, the letter
        ``A``) in capitals; punctuation attached as in print, dashes as `` -- ``, quotation marks straight.

    Raises:
        BadInputError: letters of another script, or nothing to say.
    """
    words = _once(to_ascii(text))
    for _ in range(_MOST_PASSES):
        again = _once(words)
        if again == words:
            break
        words = again
    if not any(character.isalpha() for character in words):
        raise BadInputError("The text holds nothing to say", "Give at least one word in English")
    return words


def _once(text: str) -> str:
    expanded = _space(expand(_space(text)))
    return _space(_lower(_LOOSE_HYPHEN.sub("", expanded)))


def _space(text: str) -> str:
    for pattern, replacement in _SPACING:
        text = pattern.sub(replacement, text)
    return text.strip()


def _lower(text: str) -> str:
    shouted = len(_CAPITALS.findall(text)) > 1 and not any(character.islower() for character in text)
    return _CASED.sub(partial(_cased, shouted=shouted), text)


def _cased(match: re.Match[str], *, shouted: bool) -> str:
    word = match[0]
    if _LETTER.fullmatch(word):
        return word if word[0] != "A" or _is_letter_a(match) else word.lower()
    form = _SPELT_FORM.fullmatch(word)
    if form is None:
        return word.lower()
    return word if form[1] is None or _is_spelt(form[1], shouted=shouted) else word.lower()


def _is_spelt(acronym: str, *, shouted: bool) -> bool:
    if acronym in _READ:
        return False
    known = lookup(acronym.lower()) is not None
    if acronym in _SPELT and not (shouted and known):
        return True
    pronounceable = len(acronym) >= (4 if shouted else 5) and re.search("[AEIOUY]", acronym) is not None
    return not (known or pronounceable)


def _is_letter_a(match: re.Match[str]) -> bool:
    """Whether a capital A is the letter's name: beside another letter, or where no article can stand."""
    before = match.string[max(match.start() - 3, 0) : match.start()]
    after = match.string[match.end() : match.end() + 3]
    if re.search(r"\b[B-HJ-Z][ ,.]+$", before) is not None:
        return True
    if re.match(r"\.|[ ,]+[B-HJ-Z]\b", after) is not None:
        return True
    return bool(before) and re.match(r"[,;:!?)]|$", after) is not None
