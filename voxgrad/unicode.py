"""Texts and names as they come in: decoded, in one Unicode form of each, without what is invisible."""

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from voxgrad.errors import BadInputError

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
    return next((entry for entry in path.parent.iterdir() if composed(entry.name) == composed(path.name)), path)


_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x7f]")
_MOST_CONTROL = 0.1  # a stray one makes no text a program
_LIMIT = 100_000_000


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text in composed letters, and its encoding: ``UTF-8``, ``UTF-16`` or ``Latin-1``."""

    text: str
    encoding: str


def read_text(path: Path) -> Decoded:
    """Read a text file in UTF-8 or UTF-16, with a byte-order mark or without, or else in Latin-1; lines end in LF.

    Latin-1 is read as Windows-1252, which adds the curly quotes that most such files have.

    Raises:
        BadInputError: it cannot be read, or is not text in any of these encodings.
    """
    try:
        if path.stat().st_size > _LIMIT:
            raise BadInputError(f"{path.name} is too large for a text", "Give a text file.")
        content = path.read_bytes()
    except OSError as error:
        message = f"{path.name or path} cannot be read ({error.strerror})"
        raise BadInputError(message, "Check its name and permissions.") from error
    return _decoded(content, path.name)


def read_lines(stream: BinaryIO, name: str) -> Iterator[str]:
    """The lines of a stream, which errors call ``name``, as they come, in any encoding that `read_text` knows.

    Raises:
        BadInputError: it is not text.
    """
    first = stream.readline()
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in first:
        # A line's end is two bytes, so it is read as a whole.
        yield from _decoded(first + stream.read(), name).text.splitlines(keepends=True)
        return
    for line in chain([first] if first else [], stream):
        yield _decoded(line, name).text


def _decoded(content: bytes, name: str) -> Decoded:
    found = _in_its_encoding(content)
    if found is None or len(_CONTROL.findall(found.text)) > _MOST_CONTROL * len(found.text):
        raise BadInputError(f"{name} is not text in UTF-8, UTF-16 or Latin-1", "Save it as UTF-8.")
    return found


def _in_its_encoding(content: bytes) -> Decoded | None:
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return _in(content, encoding)
    # English in UTF-16 has a zero in every other byte.
    zeros = content[:1000].count(0)
    if zeros > len(content[:1000]) / 4:
        return _in(content, "utf-16-be" if content[:1] == b"\0" else "utf-16-le")
    as_utf8 = _in(content, "utf-8")
    return as_utf8 if as_utf8 is not None else _in(content, "cp1252")


def _in(content: bytes, encoding: str) -> Decoded | None:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    family = "Latin-1" if encoding == "cp1252" else encoding.upper()[: 6 if "16" in encoding else 5]
    return Decoded(unicodedata.normalize("NFC", text), family)
