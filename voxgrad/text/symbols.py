"""The symbol table of the released checkpoints: 148 symbols in their order, and the blank after them.

Source: the front end of Grad-TTS, which has it from Tacotron (keithito). A checkpoint's embedding is indexed
by these positions, so the order may never change.
"""

from string import ascii_letters, ascii_lowercase, ascii_uppercase
from typing import Final

VOWELS: Final = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS: Final = (
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T", "TH"),
    *("V", "W", "Y", "Z", "ZH"),
)
_VOWELS_AND_STRESSES: Final = tuple(vowel + stress for vowel in VOWELS for stress in ("", "0", "1", "2"))

PHONES: Final = tuple(sorted((*CONSONANTS, *_VOWELS_AND_STRESSES)))
"""ARPABET, vowels without and with the stress digits 0, 1 and 2."""

PUNCTUATION: Final = "-!'(),.:;? "
"""The marks that have an id, and the space between words."""

SYMBOLS: Final = ("_", *PUNCTUATION, *ascii_uppercase, *ascii_lowercase, *(f"@{phone}" for phone in PHONES))
"""Every symbol at its id; an ``@`` tells phones from letters."""

BLANK: Final = len(SYMBOLS)
"""The id that is put between all others."""

VOCABULARY_SIZE: Final = BLANK + 1

PHONE_IDS: Final = {phone: SYMBOLS.index(f"@{phone}") for phone in PHONES}
CHARACTER_IDS: Final = {character: SYMBOLS.index(character) for character in (*PUNCTUATION, *ascii_letters)}
SPACE: Final = CHARACTER_IDS[" "]


def is_vowel(phone: str) -> bool:
    """Whether ``phone`` is a vowel, stress digit or not.

    >>> is_vowel("AH0"), is_vowel("K")
    (True, False)
    """
    return phone.rstrip("012") in VOWELS
