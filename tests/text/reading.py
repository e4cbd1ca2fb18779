"""Rows of the tables beside this file, and the passages of plain text."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from voxgrad.settings import TextSpec
from voxgrad.text.lexicon import NONE, Lexicon
from voxgrad.text.marked_text import plain_segments
from voxgrad.text.passages import Passage, segment_passages

_ESCAPE = r"\\(?:[nt\\]|x00|u200b)"
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\x00": "\x00", "\\u200b": "\u200b", "\\\\": "\\"}


def rows(name: str) -> list[tuple[str, ...]]:
    """The rows of a table, columns between tabs; the second is what is written, with escapes."""
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines if not line.startswith("# ")]
    return [(first, re.sub(_ESCAPE, lambda one: _ESCAPES[one[0]], written), *more) for first, written, *more in cells]


def passages(texts: Iterable[str], spec: TextSpec, lexicon: Lexicon = NONE) -> Iterator[Passage]:
    """Those of several texts, one after another, that have a word."""
    segments = (segment for text in texts for segment in plain_segments(text))
    for passage in segment_passages(segments, lambda _: (spec, lexicon)):
        if isinstance(passage, Passage) and passage.encoded.words:
            yield passage
