"""Text with what is asked of its delivery: prosody, pauses and marks, each at its place.

A text of any format becomes a sequence of `Segment` and `Sound`. Plain text has pauses, ``[pause 0.5s]``, and what is
plainly HTML in it is understood; `voxgrad.text.ssml` has the rest.
"""

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from operator import itemgetter
from typing import Final

from voxgrad.unicode import PARAGRAPH, clean


class Break(Enum):
    """What ends a passage."""

    PARAGRAPH = "paragraph"
    SENTENCE = "sentence"
    CLAUSE = "clause"
    """A semicolon, a colon, a dash or a bracket."""
    COMMA = "comma"
    WORD = "word"
    """Nothing: the sentence was too long."""


@dataclass(frozen=True, slots=True)
class Prosody:
    """How words are spoken, relative to the voice (SSML 1.1, section 3.2.4).

    Attributes:
        rate: factor of the speed.
        semitones: raised by.
        hertz: added to the pitch.
        target: mean pitch in Hz, in place of the voice's own.
        decibels: louder by; minus infinity is silent.
    """

    rate: float = 1.0
    semitones: float = 0.0
    hertz: float = 0.0
    target: float | None = None
    decibels: float = 0.0


PLAIN: Final = Prosody()


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence: seconds, or a share of the silence between sentences, or both."""

    seconds: float = 0.0
    sentences: float = 0.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A place whose time is wanted."""

    name: str


Event = Pause | Mark


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text, where its prosody changes, and what happens in it.

    Attributes:
        text: as written.
        prosodies: offsets, each with the prosody from there on; none before the first.
        events: offsets, in order, each with what happens before the character there.
    """

    text: str
    prosodies: tuple[tuple[int, Prosody], ...] = ()
    events: tuple[tuple[int, Event], ...] = ()

    def part(self, start: int, stop: int) -> "MarkedText":
        """What lies between two offsets, without the space around it; events at ``stop`` belong to it."""
        inner = self.text[start:stop]
        text = inner.strip()
        if not self.prosodies and not self.events:
            return MarkedText(text)
        first = start + len(inner) - len(inner.lstrip())
        # By bisection, for a paragraph may have as many of them as words.
        after = bisect_right(self.prosodies, first, key=itemgetter(0))
        until = bisect_left(self.prosodies, stop, key=itemgetter(0))
        active = [(0, prosody) for _, prosody in self.prosodies[max(after - 1, 0) : after]]
        later = [(offset - first, prosody) for offset, prosody in self.prosodies[after:until]]
        begin = bisect_right(self.events, start, key=itemgetter(0)) if start else 0
        here = [
            (min(max(offset - first, 0), len(text)), event)
            for offset, event in self.events[begin : bisect_right(self.events, stop, key=itemgetter(0))]
        ]
        return MarkedText(text, (*active, *later), tuple(here))

    def followed_by(self, other: "MarkedText") -> "MarkedText":
        """Both as one text."""
        size = len(self.text)
        begins_plain = not other.prosodies or other.prosodies[0][0] > 0
        between = [(size, PLAIN)] if self.prosodies and begins_plain else []
        prosodies = [(size + offset, prosody) for offset, prosody in other.prosodies]
        events = [(size + offset, event) for offset, event in other.events]
        return MarkedText(self.text + other.text, (*self.prosodies, *between, *prosodies), (*self.events, *events))

    def with_events(self, more: list[tuple[int, Event]]) -> "MarkedText":
        """With more events, in order."""
        events = sorted((*self.events, *more), key=lambda placed: placed[0])
        return MarkedText(self.text, self.prosodies, tuple(events))


@dataclass(frozen=True, slots=True)
class Segment:
    """A paragraph, or a part of one, that one voice says.

    Attributes:
        content: what is said.
        ends: what comes after it.
        voice: a name; None is the voice that was asked for.
        whole: it is one sentence, whatever stands in it.
        language: its code; None is the language that was asked for.
    """

    content: MarkedText
    ends: Break = Break.PARAGRAPH
    voice: str | None = None
    whole: bool = False
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """Something that is played: a file, or a tone in place of words that shall not be heard.

    Attributes:
        file: beside the text; empty for a tone.
        seconds: of the tone.
        decibels: louder by.
    """

    file: str = ""
    seconds: float = 0.0
    decibels: float = 0.0


LONGEST_PAUSE: Final = 60.0
"""Seconds; a longer one is a slip of the pen."""
STRENGTHS: Final = {
    "none": 0.0, "x-weak": 1 / 6, "weak": 1 / 3, "medium": 1 / 2, "strong": 1.0, "x-strong": 2.0,
}  # fmt: skip
"""Shares of the silence between sentences."""

_BLOCKS: Final = (
    "address|article|aside|blockquote|body|caption|center|dd|details|div|dl|dt|figcaption|figure|footer|form|h[1-6]|head"
    "|header|hr|html|li|main|nav|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|title|tr|ul"
)
_INLINE: Final = (
    "a|abbr|acronym|audio|b|bdi|bdo|big|br|button|cite|code|data|del|dfn|em|font|i|iframe|img|input|ins|kbd|label|link|map"
    "|mark|meta|q|rp|rt|ruby|s|samp|small|source|span|strike|strong|sub|sup|time|tt|u|var|video|wbr"
)
_SSML: Final = "speak|prosody|emphasis|say-as|phoneme|voice|lang"
_TAG: Final = rf"(?is)<!--.{{0,500}}?-->|</?(?:(?P<block>{_BLOCKS})|{_INLINE}|{_SSML})(?:\s[^<>]{{0,1000}})?/?>"
_ENTITY: Final = r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});"
_SECONDS: Final = r"\+?(?P<{0}>\d+\.?\d*|\.\d+)\s?(?P<{0}_unit>ms|s)"
_PAUSE: Final = (
    rf"(?i)[ \t]?(?:\[pause(?:[ \t]+{_SECONDS.format('mark')})?\]"
    rf"|<break(?:\s+(?:time\s*=\s*[\"']{_SECONDS.format('time')}[\"']|strength\s*=\s*[\"'](?P<strength>[a-z-]+)[\"']))*\s*/?>"
    r"(?:</break>)?)"
)
_PARAGRAPH: Final = re.compile(r"\n\s*\n")
_NUMBERED: Final = r"[\[{](?:pg|page)\.?\s(?:\d{1,4}|[ivxlcdm]{1,8})[\]}]"
_PAGE_NUMBER: Final = rf"(?im)^[ \t]*{_NUMBERED}[ \t]*\r?\n|{_NUMBERED}"
"""As Project Gutenberg writes them in plain text: ``[Pg 19]``."""


def without_html(text: str, block: str = " ") -> str:
    """A text without what is plainly HTML or SSML: tags of known names, comments, and character references.

    ``block`` stands for a tag that ends a paragraph.

    >>> without_html("a <b>bold</b> claim &amp; more, x < y and <unknown>")
    'a bold claim & more, x < y and <unknown>'
    """
    if "<" in text:
        text = re.sub(_TAG, lambda tag: block if tag["block"] else " " if tag[0][:3].lower() == "<br" else "", text)
    return re.sub(_ENTITY, lambda entity: html.unescape(entity[0]), text) if "&" in text else text


def without_tags(text: str) -> str:
    """As `without_html`, with as many lines as the text has."""
    untagged = re.sub(_TAG, lambda tag: "\n" * tag[0].count("\n"), text) if "<" in text else text
    return clean(without_html(untagged.replace(PARAGRAPH, "")))


def plain_segments(text: str) -> Iterator[Segment]:
    """The paragraphs of a plain text, an empty line between two of them, with their pauses, without page numbers.

    Lines of verse, of a list and of a heading end sentences; those of prose that was wrapped do not.
    """
    cleaned = re.sub(_PAGE_NUMBER, "", clean(without_html(text, "\n\n")))
    for paragraph in _PARAGRAPH.split(cleaned):
        *others, last = filter(str.strip, _parts(paragraph)) if paragraph.strip() else ("",)
        for part in others:
            yield Segment(_with_pauses(part), Break.SENTENCE)
        if last:
            yield Segment(_with_pauses(last))


_ITEM: Final = re.compile(r"\s*(?:[-*+•‣◦·–—]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s")
_OPEN_END: Final = re.compile(r"[\w%°][\"'”’»)\]]*\s*$")
_LINE_START: Final = re.compile(r"\s*[\"'“‘«(\[]*(\w)\S*")
_NARROWEST: Final = 50
"""Characters of a line: prose is not wrapped to less, except where lines begin with small letters."""


def _parts(paragraph: str) -> Iterator[str]:
    """A paragraph, cut after the lines that end without a mark and are no prose that was wrapped.

    Prose is wrapped where a line's first word would not have fitted into the line before.
    """
    lines = paragraph.split("\n")
    starts = [_LINE_START.match(line) for line in lines[1:]]
    items = [_ITEM.match(line) is not None for line in lines]
    opens = [_OPEN_END.search(line[-40:]) is not None for line in lines[:-1]]
    filled = [
        len(line.rstrip()) + 1 + (len(start[0].strip()) if start else 0)
        for line, start in zip(lines, starts, strict=False)
    ]
    width = max(len(line.rstrip()) for line in lines)
    small = any(
        is_open and start is not None and start[1].islower() and not item
        for is_open, start, item in zip(opens, starts, items[1:], strict=True)
    )
    wrapped = small or (width >= _NARROWEST and all(length > width for length in filled))
    begin = 0
    for number, (is_open, start, length) in enumerate(zip(opens, starts, filled, strict=True), 1):
        item = items[number] and (not wrapped or length <= width or sum(items) > 1)
        begins = start is not None and not start[1].islower() and (not wrapped or length <= width * 0.8)
        if is_open and (item or begins):
            yield "\n".join(lines[begin:number])
            begin = number
    yield "\n".join(lines[begin:])


def _with_pauses(text: str) -> MarkedText:
    if "[" not in text and "<" not in text:
        return MarkedText(text)
    kept, events = "", []
    for part in split_pauses(text):
        if isinstance(part, Pause):
            events.append((len(kept), part))
            kept += " "
        else:
            kept += part
    return MarkedText(kept, (), tuple(events))


def split_pauses(text: str) -> Iterator[str | Pause]:
    """A text in order, in which pauses are read: ``[pause]``, ``[pause 0.5s]`` and ``<break time="500ms"/>``.

    >>> list(split_pauses("Wait [pause 500ms] here [pause never]."))
    ['Wait', Pause(seconds=0.5, sentences=0.0), ' here [pause never].']
    """
    position = 0
    for found in re.finditer(_PAUSE, text):
        if (pause := _pause(found)) is not None:
            yield text[position : found.start()]
            yield pause
            position = found.end()
    yield text[position:]


def _pause(found: re.Match[str]) -> Pause | None:
    for name in ("mark", "time"):
        if found[name] is not None:
            seconds = float(found[name]) / (1000 if found[f"{name}_unit"].lower() == "ms" else 1)
            return Pause(seconds) if seconds <= LONGEST_PAUSE else None
    if found["strength"] is not None:
        share = STRENGTHS.get(found["strength"].lower())
        return None if share is None else Pause(sentences=share)
    return Pause(sentences=1.0 if "[" in found[0] else STRENGTHS["medium"])
