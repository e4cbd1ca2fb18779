"""A long text in pieces that a voice can say in one breath: sentences, and clauses where a sentence is too long.

And where a text holds what nothing is said for, in sentences for people.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import itemgetter
from typing import Final

from voxgrad.settings import TextSpec
from voxgrad.text.abbreviations import AFTER, COUNTED, MONTHS, STREETS, TITLES, ends_with_street, is_stuck
from voxgrad.text.languages import language_of
from voxgrad.text.lexicon import BRACED, Lexicon, is_inline
from voxgrad.text.marked_text import PLAIN, Break, Event, MarkedText, Pause, Prosody, Segment, Sound
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.symbols import ENGLISH, NO_TEXT, Encoded
from voxgrad.text.tokens import encode

MOST_TOKENS: Final = 200
"""Tokens of one passage, blanks counted: about eight seconds of speech."""

_FIRST_TOKENS: Final = 80
_LONG: Final = 300  # characters; the first passage of such a text is short, so that sound comes soon
_TOO_LONG: Final = 400  # characters; not worth reading before it is cut
_REACH: Final = 150
_SHORTEST: Final = 8
_LONGEST_ORDINAL: Final = 2  # digits

_STOP: Final = re.compile(
    r"(?<![.!?…])(?P<mark>[.!?…]++)(?:[\"')\]’”“»]|\s»)*+(?:\s++|(?=[A-Z]))(?=[\"'(\[‘“«„]*(?P<next>\S))"
)
_NATURAL: Final = re.compile(
    r"(?<=[\w.,!?\"'’”)])(?:(?P<dots>\.{3,}|\s?…)[\"'’”)\]]*\s+|\s?(?:—|(?<!-)--(?!-))\s?|(?<![\d%])\s[–-]\s(?!\d))"
    r"(?=[\"'“‘(]?\w)"
)
"""Dots and dashes between words."""
_WORD_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_WORD_BEFORE: Final = re.compile(r"[\w.]*$")
_INITIALS: Final = re.compile(r"(?:[A-HJ-Z]|\w\.(?:\w\.?)*)")
_ENTRY: Final = re.compile(r"\d+|[IVXLCDM]+|[ivx]+")
_NEVER_LAST: Final = frozenset((*TITLES, *STREETS, *AFTER)) - {"etc", "min", "max"}
_BEFORE_FIGURE: Final = frozenset((*COUNTED, *MONTHS))


# Where a sentence is cut, the best first. What stands between groups is kept on the left.
Cut = tuple[Break, re.Pattern[str]]
_CUTS: Final[Sequence[Cut]] = (
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


@cache
def _cuts(language: str) -> Sequence[Cut]:
    """`_CUTS`, with the words before which a sentence of a language may be cut."""
    if language == ENGLISH:
        return _CUTS
    joints = "|".join(language_of(language).joints.split())
    return (*_CUTS[:2], (Break.WORD, re.compile(rf"\s+(?=(?:{joints})\s)")), _CUTS[3])


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a text.

    Attributes:
        written: as in the text, without the space around it.
        encoded: as the model reads it.
        ends: what comes after it.
        voice: whose it is; None is the voice that was asked for.
        prosodies: numbers of words, each with the prosody from there on.
        events: numbers of words, each with what happens before that word; the number of all words is the end.
    """

    written: str
    encoded: Encoded
    ends: Break
    voice: str | None = None
    prosodies: tuple[tuple[int, Prosody], ...] = ()
    events: tuple[tuple[int, Event], ...] = ()


FrontEnd = Callable[[Segment], tuple[TextSpec, Lexicon]]
"""How the voice of a segment reads it."""


def segment_passages(segments: Iterable[Segment | Sound], front_end: FrontEnd) -> Iterator[Passage | Sound]:
    """Cut segments into passages of at most about `MOST_TOKENS`, one after another, as they come; sounds stay.

    Where something is cut depends on the text alone. What holds nothing to say, such as a row of stars, is left out,
    but not what happens there.

    Raises:
        BadInputError: as `encode`, but for passages without a word; earlier passages have been given by then.
    """
    first, waiting = True, list[Event]()
    for item in _read_alike(segments, front_end):
        if isinstance(item, Sound):
            yield item
            continue
        segment, reading = item
        limit = _FIRST_TOKENS if first and len(segment.content.text) > _LONG else MOST_TOKENS
        for sentence, ends in _with_ends(segment, reading[0].language):
            if waiting:
                sentence = sentence.with_events([(0, event) for event in waiting])  # noqa: PLW2901 - those that waited
                waiting = []
            for found in _fitting(sentence, ends, limit, segment.voice, reading):
                if isinstance(found, Passage):
                    yield found
                    first, limit = False, MOST_TOKENS
                else:  # nothing to say, but what happens there does
                    waiting.extend(found)
    if waiting:
        yield Passage("", NO_TEXT, Break.PARAGRAPH, None, (), tuple((0, event) for event in waiting))


Reading = tuple[TextSpec, Lexicon]


def _read_alike(segments: Iterable[Segment | Sound], front_end: FrontEnd) -> Iterator[tuple[Segment, Reading] | Sound]:
    """Segments with how they are read.

    Parts of a sentence that were marked as other languages, and are read alike, are one.
    """
    held: tuple[Segment, Reading] | None = None
    for segment in segments:
        if isinstance(segment, Sound):
            yield from () if held is None else (held,)
            held = None
            yield segment
            continue
        reading = front_end(segment)
        if held is not None and held[0].voice == segment.voice and held[1] == reading and not segment.whole:
            segment = replace(segment, content=held[0].content.followed_by(segment.content))  # noqa: PLW2901 - with what was held
        elif held is not None:
            yield held
        held = (segment, reading) if segment.ends is Break.WORD else None
        if held is None:
            yield segment, reading
    if held is not None:
        yield held


def _with_ends(segment: Segment, language: str) -> Iterator[tuple[MarkedText, Break]]:
    content = segment.content
    if segment.whole:
        yield content.part(0, len(content.text)), segment.ends
        return
    spans = _sentence_spans(content.text, language)
    start, stop = next(spans, (0, len(content.text)))
    for after, end in spans:
        yield content.part(start, stop), Break.SENTENCE
        start, stop = after, end
    yield content.part(start, stop), segment.ends


def sentences(paragraph: str, language: str = ENGLISH) -> Iterator[str]:
    """The sentences of a paragraph, without the space around them.

    >>> list(sentences("Dr. Smith came at 5 p.m. from St. Ives. “Why?” he was asked. No. 5 was his."))
    ['Dr. Smith came at 5 p.m. from St. Ives.', '“Why?” he was asked.', 'No. 5 was his.']
    """
    for start, stop in _sentence_spans(paragraph, language):
        if sentence := paragraph[start:stop].strip():
            yield sentence


def _sentence_spans(paragraph: str, language: str) -> Iterator[tuple[int, int]]:
    """Where sentences begin and end, the space after them included."""
    start = 0
    for stop in _STOP.finditer(paragraph):
        if not stop[0][-1].isspace() and not is_stuck(paragraph, stop.start(), stop.end()):
            continue
        before = paragraph[max(start, stop.start() - 32) : stop.start()]
        after = paragraph[stop.end("mark") : stop.end() + 24]
        if _is_end(language, before, stop["mark"], stop["next"], after):
            yield start, stop.end()
            start = stop.end()
    if paragraph[start:].strip():
        yield start, len(paragraph)


def _is_end(language: str, before: str, mark: str, following: str, after: str) -> bool:
    """Whether a sentence ends at ``mark``, by what stands before it, the first character and all that follows it."""
    if following.islower():
        return False
    found = _WORD_BEFORE.search(before)
    word = "" if found is None else found[0]
    if mark != "." or not word:
        return True
    is_initial = _INITIALS.fullmatch(word) is not None
    if language != ENGLISH:
        written = language_of(language)
        is_ordinal = written.has_dotted_ordinals and word.isdecimal() and len(word) <= _LONGEST_ORDINAL
        return not (is_ordinal or is_initial or word in written.never_last)
    if word in {"p.m", "a.m"}:
        return True
    is_entry = word == before.strip() and _ENTRY.fullmatch(word) is not None  # of a list, or a heading
    never_last = word in _NEVER_LAST or is_initial or (word in _BEFORE_FIGURE and following.isdecimal())
    return not is_entry and (not never_last or ends_with_street(word, before[: len(before) - len(word)], after))


def _fitting(
    sentence: MarkedText, ends: Break, limit: int, voice: str | None, reading: tuple[TextSpec, Lexicon]
) -> Iterator[Passage | list[Event]]:
    """A sentence as passages that are short enough, or the events of a part that has no words.

    Only the first has the given ``limit``.
    """
    waiting = [(sentence, ends)]
    while waiting:
        part, after = waiting.pop()
        encoded, clauses_only = None, False
        if len(part.text) <= _TOO_LONG:
            part = _with_natural_pauses(part)
            try:
                encoded = encode(_finished(_with_commas(part), after), *reading)
            except NothingToSayError:
                yield [event for _, event in part.events]
                continue
            clauses_only = len(encoded.tokens) <= MOST_TOKENS
        fits = encoded is not None and (len(encoded.tokens) <= limit or len(part.text) < _SHORTEST)
        cuts = _cuts(reading[0].language)
        halves = () if fits else _halves(part, after, cuts[:2] if clauses_only else cuts, clauses_only=clauses_only)
        if encoded is not None and not halves:
            yield _passage(part, encoded, after, voice, reading)
            limit = MOST_TOKENS
        waiting.extend(reversed(halves))


def _halves(
    content: MarkedText, ends: Break, all_cuts: Sequence[Cut], *, clauses_only: bool
) -> tuple[tuple[MarkedText, Break], ...]:
    """Cut a text once, near its middle; nothing where only words part it and ``clauses_only`` forbids that."""
    text = content.text
    middle = len(text) // 2
    reach = min(_REACH, middle * 2 // 3)
    for kind, pattern in all_cuts:
        cuts = [
            match.end()
            for match in pattern.finditer(text, middle - reach, middle + reach)
            if text[: match.end()].strip() and text[match.end() :].strip() and not _in_braces(text, match.start())
        ]
        if cuts:
            best = min(cuts, key=lambda cut: abs(cut - middle))
            return (content.part(0, best), kind), (content.part(best, len(text)), ends)
    if clauses_only:
        return ()
    return (content.part(0, middle), Break.WORD), (content.part(middle, len(text)), ends)


def _with_natural_pauses(content: MarkedText) -> MarkedText:
    """With the pauses of dashes and of dots in a sentence, where nothing else was asked for there."""
    asked = {offset for offset, event in content.events if isinstance(event, Pause)}
    found = [
        (match.end(), Pause(sentences=1.0 if match["dots"] else 0.5))
        for match in _NATURAL.finditer(content.text)
        if asked.isdisjoint(range(match.start(), match.end() + 1))
    ]
    return content.with_events(list(found)) if found else content


def _with_commas(content: MarkedText) -> str:
    """The text, with a comma at each pause within it that follows a word: else the voice would not get ready for it."""
    text = content.text
    for offset, event in reversed(content.events):
        if isinstance(event, Pause) and (event.seconds or event.sentences) and 0 < offset < len(text):
            before = text[:offset].rstrip()
            if before[-1:].isalnum() or before[-1:] == "}":
                text = f"{before}, {text[offset:].lstrip()}"
    return text


def _passage(
    part: MarkedText, encoded: Encoded, ends: Break, voice: str | None, reading: tuple[TextSpec, Lexicon]
) -> Passage:
    def index(offset: int) -> int:
        return _word_at(part.text, offset, encoded, reading)

    prosodies: dict[int, Prosody] = {}
    before = PLAIN
    for offset, prosody in part.prosodies:
        # A word that has some of it takes all of it.
        last_word = before != PLAIN and _is_inside_word(part.text, offset)
        prosodies[index(offset) + last_word] = prosody
        before = prosody
    events = tuple((index(offset), event) for offset, event in part.events)
    in_order = tuple(sorted(prosodies.items(), key=itemgetter(0)))
    return Passage(part.text, encoded, ends, voice, in_order, events)


def _is_inside_word(text: str, offset: int) -> bool:
    return text[offset : offset + 1].isalnum() and text[:offset][-1:].isalnum()


def _word_at(text: str, offset: int, encoded: Encoded, reading: tuple[TextSpec, Lexicon]) -> int:
    """The number of the word, as read, that begins at an offset of the text, or contains it.

    Found by reading what stands before it, or after it, alone: most text is read the same alone and in a sentence.
    """
    words = [word.word for word in encoded.words]
    if _is_inside_word(text, offset):
        offset -= len(text[:offset]) - len(text[:offset].rstrip(_WORD_LETTERS))
    before = _words(text[:offset], reading)
    if before == words[: len(before)]:
        return len(before)
    after = _words(text[offset:], reading)
    if len(after) <= len(words) and after == words[len(words) - len(after) :]:
        return len(words) - len(after)
    return min(len(before), len(words))


def _words(text: str, reading: tuple[TextSpec, Lexicon]) -> list[str]:
    try:
        return [word.word for word in encode(text, *reading).words] if text.strip() else []
    except NothingToSayError:
        return []


def _in_braces(text: str, position: int) -> bool:
    start = text.rfind("{", max(position - _REACH, 0), position)
    braced = BRACED.match(text, start) if start >= 0 else None
    return braced is not None and position < braced.end() and is_inline(braced[0])


def _finished(text: str, ends: Break) -> str:
    """A text with a mark where it ends in a word: voices learn from sentences, and rush through anything else.

    >>> _finished("hello", Break.SENTENCE), _finished("Hello?", Break.SENTENCE), _finished("and so", Break.WORD)
    ('hello.', 'Hello?', 'and so,')
    """
    if not text[-1:].isalnum():
        return text
    return f"{text}{',' if ends is Break.WORD else '.'}"
