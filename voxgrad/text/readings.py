"""Which of a text's words, as they were written, became which of those that are read."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from voxgrad.text.characters import dropped

_MARKS: Final = "\"'.,:;!?()[]-"


def as_written(text: str, words: Sequence[str]) -> tuple[str, ...]:
    """What was written for each word that is read.

    Args:
        text: as written.
        words: as read, in order.

    Returns:
        For every word: what was written where that can be told, for the first of several words that one sign
        became ("$5" for "five" of "five dollars"); else nothing.

    >>> as_written("Dr. Smith paid $5 😀.", ["doctor", "smith", "paid", "five", "dollars"])
    ('Dr.', 'Smith', 'paid', '$5', '')
    """
    unread = dict.fromkeys(map(ord, dropped(text)))
    written = [word for word in text.translate(unread).split() if word.strip(_MARKS)]
    plain = [word.strip(_MARKS).lower() for word in written]
    read = [word.lower() for word in words]
    origins = [""] * len(words)
    for _, start, stop, first, last in SequenceMatcher(None, plain, read).get_opcodes():
        if stop - start == last - first:
            origins[first:last] = written[start:stop]
        elif last > first:
            origins[first] = " ".join(written[start:stop])
    return tuple(origins)
