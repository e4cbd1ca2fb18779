"""A pronunciation as people write it: phones, IPA between slashes, or a spelling that sounds like it.

And the store's own lexicon with one entry more or less; its remarks stay as they are.
"""

import re
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.phonetic_alphabets import read_pronunciation
from voxgrad.text.pronounce import pronounce

_PARTS: Final = re.compile(r"[A-Za-z']+")
_SPELLING: Final = re.compile(r"[A-Za-z'\s-]*[A-Za-z][A-Za-z'\s-]*")


def read_phones(written: str) -> tuple[str, ...]:
    """The phones that somebody means.

    Args:
        written: phones in capitals (``SH IH0 V AO1 N``); IPA, X-SAMPA or ASCII IPA between slashes; or a spelling whose
            parts are pronounced as words are, those in capitals with the stress (``shi VAWN``).

    Raises:
        BadInputError: it is none of these.

    >>> read_phones("shi VAWN")
    ('SH', 'IY0', 'V', 'AO1', 'N')
    """
    known = read_pronunciation(written)
    if known is not None:
        return known
    if not _SPELLING.fullmatch(written):
        raise BadInputError(
            f"{written!r} is no pronunciation",
            'Write phones (SH IH0 V AO1 N), IPA between slashes (/ʃɪˈvɔːn/), or how it sounds ("shi VAWN").',
        )
    parts = _PARTS.findall(written)
    stressed = [len(part) > 1 and part.isupper() for part in parts]
    marked = any(stressed) and not all(stressed)
    return tuple(
        phone.replace("1", "0") if marked and not has_stress else phone
        for part, has_stress in zip(parts, stressed, strict=True)
        for phone in pronounce(part.lower()).phones
    )


def with_entry(lexicon: str, word: str, phones: tuple[str, ...], remark: str) -> str:
    """The content of a lexicon with a word, in place of its entry if it has one.

    Args:
        lexicon: as the file has it.
        word: letters, apostrophes, hyphens, full stops.
        phones: its pronunciation.
        remark: put after it.

    Raises:
        BadInputError: the word cannot stand in a lexicon.
    """
    if len(word.split()) != 1 or "#" in word:
        raise BadInputError(
            f"{word!r} is no word", "Give one, of letters, apostrophes, hyphens and full stops."
        )
    line = f"{word}  {' '.join(phones)}"
    Lexicon.parse(line, "the word")
    kept = without_entry(lexicon, word)
    gap = "" if not kept or kept.endswith("\n") else "\n"
    return f"{kept}{gap}{line}{f'  # {remark}' if remark else ''}\n"


def without_entry(lexicon: str, word: str) -> str:
    """The content of a lexicon without a word."""
    lines = lexicon.splitlines(keepends=True)
    return "".join(line for line in lines if _word(line) != word.lower())


def _word(line: str) -> str:
    return next(iter(line.partition("#")[0].split()), "").lower()
