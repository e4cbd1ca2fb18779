"""Texts and names as they come in: one Unicode form of each, without what is invisible."""

import re
import unicodedata
from pathlib import Path
from typing import Final

PARAGRAPH: Final = "\u2029"
"""Ends a paragraph, and no line."""
_IGNORABLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Unicode's Default_Ignorable_Code_Point: soft hyphens, joiners, marks of direction, variation selectors."""
_CLEANING: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\x1b\[[0-?]*+[ -/]*+[@-~]", ""),  # a terminal's colours (ECMA-48)
        ("\r\n?|[\x85\u2028]", "\n"),
        (PARAGRAPH, "\n\n"),
        ("\u00ad[ \t]*+\n[ \t]*+", ""),  # a word that was broken at the end of a line
        (f"[{_IGNORABLE}]+", ""),
        (r"(?<=\d)[\u00a0\u2007-\u2009\u202f](?=\d{3}(?!\d))", ""),  # 5 000
        ("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]", " "),
    )
)
_PLAIN: Final = re.compile(r"[\t\n -~]*+")


def clean(text: str) -> str:
    r"""A text in composed letters (NFC), without what is invisible, its spaces plain and its lines ended by ``\n``.

    Control characters become spaces.

    >>> clean("beau\u00adti\u00adful\u00a0cafe\u0301 5\u2009000")
    'beautiful café 5000'
    """
    if _PLAIN.fullmatch(text) is not None:
        return text
    for pattern, replacement in _CLEANING:
        text = pattern.sub(replacement, text)
    return unicodedata.normalize("NFC", text)


def whole_characters(text: str) -> str:
    r"""A text with U+FFFD for halves of surrogate pairs, which JSON can hold where a program cut a text in an emoji.

    >>> whole_characters("so \ud83d")
    'so \ufffd'
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def composed(name: str) -> str:
    """The name of a file in composed letters (NFC): a Mac writes decomposed ones, and most lists hold composed ones."""
    return unicodedata.normalize("NFC", name)


def on_disk(path: Path) -> Path:
    """A file as it is called on the disk, where that differs in its Unicode form only."""
    if path.exists() or not path.parent.is_dir():
        return path
    return next(
        (entry for entry in path.parent.iterdir() if composed(entry.name) == composed(path.name)), path
    )
