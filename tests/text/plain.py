"""Passages of plain text."""

from collections.abc import Iterable, Iterator

from voxgrad.settings import TextSpec
from voxgrad.text.lexicon import NONE, Lexicon
from voxgrad.text.marked_text import plain_segments
from voxgrad.text.passages import Passage, segment_passages


def passages(texts: Iterable[str], spec: TextSpec, lexicon: Lexicon = NONE) -> Iterator[Passage]:
    """Those of several texts, one after another, that have a word."""
    segments = (segment for text in texts for segment in plain_segments(text))
    for passage in segment_passages(segments, lambda _: (spec, lexicon)):
        if isinstance(passage, Passage) and passage.encoded.words:
            yield passage
