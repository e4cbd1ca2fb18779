"""A long text in pieces that a voice can say in one breath: sentences, and clauses where a sentence is too long."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from voxgrad.settings import TextSpec
from voxgrad.text.abbreviations import AFTER, COUNTED, MONTHS, STREETS, TITLES, ends_with_street
from voxgrad.text.lexicon import NONE, Lexicon
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.tokens import Encoded, encode

MOST_TOKENS: Final = 200
"""Tokens of one passage, blanks counted: about eight seconds of speech."""

_FIRST_TOKENS: Final = 80
_LONG: Final = (
    300  # characters; the first passage of a text of this length is short, so that sound comes soon
)
_TOO_LONG: Final = 400  # characters; not worth reading before it is cut
_REACH: Final = 150
_SHORTEST: Final = 8

_PARAGRAPH: Final = re.compile(r"\n\s*\n")
_STOP: Final = re.compile(r"(?<![.!?…])(?P<mark>[.!?…]++)[\"')\]’”»]*+\s++(?=[\"'(\[‘“«]*(?P<next>\S))")
_WORD_BEFORE: Final = re.compile(r"[\w.]*$")
_INITIALS: Final = re.compile(r"(?:[A-HJ-Z]|\w\.(?:\w\.?)*)")
_NEVER_LAST: Final = frozenset((*TITLES, *STREETS, *AFTER)) - {"etc", "min", "max"}
_BEFORE_FIGURE: Final = frozenset((*COUNTED, *MONTHS))


class Break(Enum):
    """What ends a passage."""

    PARAGRAPH = "paragraph"
    SENTENCE = "sentence"
    CLAUSE = "clause"
    """A semicolon, a colon, a dash or a bracket."""
    COMMA = "comma"
    WORD = "word"
    """Nothing: the sentence was too long."""


# Where a sentence is cut, the best first. What stands between groups is kept on the left.
_CUTS: Final = (
    (Break.CLAUSE, re.compile(r"(?:[;:]|[;:,]?\)|\s--|\s-|\s?[–—])[\"'’”»]*(?:\s+|(?<=—))|\s+(?=[(\[])")),
    (Break.COMMA, re.compile(r",[\"'’”»]*\s+")),
    (
        Break.WORD,
        re.compile(
            r"\s+(?=(?:and|or|but|nor|that|which|who|whom|whose|where|when|while|because|although|though|if|as"
            r"|than|until|after|before|to|of|in|on|at|by|for|with|from|into|through)\s)"
        ),
    ),
    (Break.WORD, re.compile(r"\s+")),
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a text.

    Attributes:
        written: as in the text, without the space around it.
        encoded: as the model reads it.
        ends: what comes after it.
    """

    written: str
    encoded: Encoded
    ends: Break


def passages(texts: Iterable[str], spec: TextSpec, lexicon: Lexicon = NONE) -> Iterator[Passage]:
    """Cut texts into passages of at most about ``MOST_TOKENS``, one after another, as they come.

    Where something is cut depends on the text alone. What holds nothing to say, such as a row of stars, is left out.

    Args:
        texts: each ends a paragraph; so does an empty line in one.
        spec: how they are read.
        lexicon: the user's pronunciations.

    Raises:
        BadInputError: as `encode`, but for passages without a word; earlier passages have been given by then.
    """
    first = True
    for text in texts:
        for paragraph in _PARAGRAPH.split(text):
            limit = _FIRST_TOKENS if first and len(paragraph) > _LONG else MOST_TOKENS
            for sentence, ends in _with_ends(sentences(paragraph)):
                for passage in _fitting(sentence, ends, limit, spec, lexicon):
                    yield passage
                    first, limit = False, MOST_TOKENS


def _with_ends(written: Iterator[str]) -> Iterator[tuple[str, Break]]:
    sentence = next(written, "")
    for following in written:
        yield sentence, Break.SENTENCE
        sentence = following
    if sentence:
        yield sentence, Break.PARAGRAPH


def sentences(paragraph: str) -> Iterator[str]:
    """The sentences of a paragraph, without the space around them.

    >>> list(sentences("Dr. Smith came at 5 p.m. from St. Ives. “Why?” he was asked. No. 5 was his."))
    ['Dr. Smith came at 5 p.m. from St. Ives.', '“Why?” he was asked.', 'No. 5 was his.']
    """
    start = 0
    for stop in _STOP.finditer(paragraph):
        before = paragraph[max(start, stop.start() - 32) : stop.start()]
        if _is_end(before, stop["mark"], stop["next"], paragraph[stop.end("mark") : stop.end() + 24]):
            yield paragraph[start : stop.end()].strip()
            start = stop.end()
    rest = paragraph[start:].strip()
    if rest:
        yield rest


def _is_end(before: str, mark: str, following: str, after: str) -> bool:
    """Whether a sentence ends at ``mark``, by what stands before it, the first character and all that follows it."""
    if following.islower():
        return False
    found = _WORD_BEFORE.search(before)
    word = "" if found is None else found[0]
    if mark != "." or not word:
        return True
    if word in {"p.m", "a.m"}:
        return True
    if word.isdecimal() and word == before.strip():  # the number of a list's entry
        return False
    if ends_with_street(word, before[: len(before) - len(word)], after):
        return True
    if word in _NEVER_LAST or _INITIALS.fullmatch(word) is not None:
        return False
    return not (word in _BEFORE_FIGURE and following.isdecimal())


def _fitting(sentence: str, ends: Break, limit: int, spec: TextSpec, lexicon: Lexicon) -> Iterator[Passage]:
    """A sentence as passages that are short enough; only the first has the given ``limit``."""
    waiting = [(sentence, ends)]
    while waiting:
        text, after = waiting.pop()
        encoded, clauses_only = None, False
        if len(text) <= _TOO_LONG:
            try:
                encoded = encode(_finished(text, after), spec, lexicon)
            except NothingToSayError:
                continue
            clauses_only = len(encoded.tokens) <= MOST_TOKENS
        fits = encoded is not None and (len(encoded.tokens) <= limit or len(text) < _SHORTEST)
        halves = () if fits else _halves(text, after, clauses_only=clauses_only)
        if encoded is not None and not halves:
            yield Passage(text, encoded, after)
            limit = MOST_TOKENS
        waiting.extend(reversed(halves))


def _halves(text: str, ends: Break, *, clauses_only: bool) -> tuple[tuple[str, Break], ...]:
    """Cut a text once, near its middle; nothing where only words part it and ``clauses_only`` forbids that."""
    middle = len(text) // 2
    reach = min(_REACH, middle * 2 // 3)
    for kind, pattern in _CUTS[:2] if clauses_only else _CUTS:
        found = [
            match
            for match in pattern.finditer(text, middle - reach, middle + reach)
            if text[: match.end()].strip()
            and text[match.end() :].strip()
            and not _in_braces(text, match.start())
        ]
        if found:
            best = min(found, key=lambda match: abs(match.end() - middle))
            return (text[: best.end()].strip(), kind), (text[best.end() :].strip(), ends)
    return () if clauses_only else ((text[:middle], Break.WORD), (text[middle:], ends))


def _in_braces(text: str, position: int) -> bool:
    start = max(position - _REACH, 0)
    return text.rfind("{", start, position) > text.rfind("}", start, position)


def _finished(text: str, ends: Break) -> str:
    """A text with a mark where it ends in a word: voices learn from sentences, and rush through anything else.

    >>> _finished("hello", Break.SENTENCE), _finished("Hello?", Break.SENTENCE), _finished("and so", Break.WORD)
    ('hello.', 'Hello?', 'and so,')
    """
    if not text[-1:].isalnum():
        return text
    return f"{text}{',' if ends is Break.WORD else '.'}"
