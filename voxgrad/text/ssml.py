"""SSML 1.1 to segments: the part of it that is used (https://www.w3.org/TR/speech-synthesis11/)."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from typing import Any, Final
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, InputSource

from voxgrad.errors import BadInputError
from voxgrad.text.characters import to_ascii
from voxgrad.text.ipa import inline_ipa
from voxgrad.text.languages import known_language
from voxgrad.text.lexicon import ALPHABETS, to_phones
from voxgrad.text.marked_text import (
    PLAIN,
    STRENGTHS,
    Break,
    Event,
    Mark,
    MarkedText,
    Pause,
    Prosody,
    Segment,
    Sound,
    split_pauses,
)
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.ssml_values import KINDS, SPELT, changed, emphasised, pause_seconds, say_as
from voxgrad.text.symbols import ENGLISH
from voxgrad.unicode import clean

_START: Final = re.compile(
    r"[\s\ufeff\u200b\u2060]*+(?:<\?xml[^>?]*+\?>\s*+|<!--(?:(?!-->).)*+-->\s*+|<!DOCTYPE[^>\[]*+(?:\[[^\]]*+\]\s*+)?+>\s*+)*+<speak[\s>/]",
    re.DOTALL,
)
_DECLARED: Final = re.compile(
    r"(?<=<\?xml version=.1\.[01].)\s+encoding\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*')"
    r"|<!DOCTYPE\s+speak\s+(?:PUBLIC|SYSTEM)[^>\[]*>"
)
_NO_MARKUP: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)(?:#?\w+;)?+|<(?![^\W\d]|[/!?:])")
"""What XML does not allow in a text: a stray ampersand or ``<``, and references that only HTML has."""
_CAPTURED: Final = frozenset(("say-as", "phoneme", "sub", "audio", "metadata", "meta", "desc", "title", "head"))
"""Elements whose text is not said as it stands."""
_THROUGH: Final = frozenset(("w", "token", "speak", "lang", *_CAPTURED))
_SECONDS_A_LETTER: Final = 0.08
_SHORTEST_TONE: Final = 0.3
_DEEPEST: Final = 500


@dataclass(frozen=True)
class Script:
    """What a document says.

    Attributes:
        items: in order.
        warnings: what of it is left out, a sentence each.
    """

    items: tuple[Segment | Sound, ...]
    warnings: tuple[str, ...]


def is_ssml(text: str) -> bool:
    """Whether a text is SSML, by its beginning.

    >>> is_ssml("<speak>Hi.</speak>"), is_ssml("<speaker> Hi.")
    (True, False)
    """
    return "<speak" in text and _START.match(text) is not None


@lru_cache(maxsize=4)
def read_script(text: str) -> Script:
    """Read an SSML document, whose root is ``speak``.

    Raises:
        BadInputError: it is not XML, has entities of its own, or an element has a value that cannot be used; line and
            column are named.
    """
    # It is text already, whatever it declares of its encoding; and a document type elsewhere is not needed.
    document = _DECLARED.sub(lambda match: re.sub(r"\S", " ", match[0]), clean(text))
    document = document.lstrip() if document.lstrip().startswith("<?xml") else document
    try:
        return _parsed(document)
    except BadInputError:
        mended = _NO_MARKUP.sub(lambda found: html.escape(clean(html.unescape(found[0]))), document)
        try:
            script = None if mended == document else _parsed(mended)
        except BadInputError:
            script = None
        if script is None:  # the places in the first error are those of the text
            raise
    return replace(script, warnings=(*script.warnings, "& and < that are not markup are read as text"))


def _parsed(document: str) -> Script:
    # Only here: plain text needs neither.
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415
    from defusedxml.expatreader import create_parser  # noqa: PLC0415

    parser, handler = create_parser(forbid_entities=True, forbid_external=True), _Handler()
    parser.setContentHandler(handler)
    source = InputSource()
    source.setByteStream(BytesIO(document.encode("utf-8", "surrogatepass")))
    source.setEncoding("utf-8")
    try:
        parser.parse(source)
    except DefusedXmlException as error:
        raise BadInputError(
            "the SSML declares entities or refers to external resources", "Write the text itself instead."
        ) from error
    except SAXParseException as error:
        line, column, why = error.getLineNumber(), (error.getColumnNumber() or 0) + 1, error.getMessage()
        message = f"the SSML is broken in line {line}, column {column}: {why}"
        raise BadInputError(message, "Write XML: every tag closed, values in quotation marks.") from error
    except SAXException as error:
        raise BadInputError(f"the SSML cannot be read: {error}", "Write XML.") from error
    return Script(handler.finished(), tuple(handler.warnings))


@dataclass(frozen=True, slots=True)
class _Frame:
    """An open element: what holds in it, and where it began."""

    tag: str
    prosody: Prosody
    voice: str | None
    language: str | None
    attributes: dict[str, str]
    place: str


class _Handler(ContentHandler):
    """Builds segments as elements come; text is gathered until something ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: dict[str, None] = {}
        self._stack = [_Frame("", PLAIN, None, None, {}, "")]
        self._items: list[Segment | Sound] = []
        self._text: list[str] = []
        self._length = 0
        self._prosodies: list[tuple[int, Prosody]] = []
        self._events: list[tuple[int, Event]] = []
        self._gathered: list[str] = []
        self._captured: list[str] | None = None
        self._locator: Any = None

    def setDocumentLocator(self, locator: Any) -> None:  # noqa: N802 - as SAX calls it
        self._locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - as SAX calls it
        self._gather()
        place = f"line {self._locator.getLineNumber()}, column {self._locator.getColumnNumber() + 1}"
        outer, attributes = self._stack[-1], dict(attrs.items())
        if len(self._stack) > _DEEPEST:
            raise self._refusal(place, f"elements are nested more than {_DEEPEST} deep", "Nest fewer elements.")
        if len(self._stack) == 1 and name != "speak":
            raise self._refusal(place, f"the outermost element is <{name}>", "Put all of it into <speak>.")
        language = self._language(name, attributes, outer.language)
        if language != outer.language and self._captured is None:
            self._flush(Break.WORD)
        frame = _Frame(name, outer.prosody, outer.voice, language, attributes, place)
        self._stack.append(frame)
        start = getattr(self, f"_start_{name.replace('-', '_')}", None)
        if self._captured is not None and name != "mark":
            return
        if start is not None:
            self._stack[-1] = start(frame)
        elif name not in _THROUGH:
            self._warn(f"<{name}> is unknown; its text is read")
        if name in _CAPTURED:
            self._captured = []

    def endElement(self, name: str) -> None:  # noqa: N802 - as SAX calls it
        self._gather()
        frame = self._stack.pop()
        if any(outer.tag in _CAPTURED for outer in self._stack):
            return
        held = "".join(self._captured or ())
        if name in _CAPTURED:
            self._captured = None
        end = getattr(self, f"_end_{name.replace('-', '_')}", None)
        outer = self._stack[-1]
        self._stack[-1] = replace(outer, language=frame.language)  # of what is still to be said within the element
        if end is not None:
            end(frame, held)
        if frame.language != outer.language:
            self._flush(Break.WORD)
        self._stack[-1] = outer

    def characters(self, content: str) -> None:
        self._gathered.append(content)

    def finished(self) -> tuple[Segment | Sound, ...]:
        """All items, in order."""
        self._flush(Break.PARAGRAPH)
        if self._events:
            self._items.append(Segment(MarkedText("", (), tuple((0, event) for _, event in self._events))))
        return tuple(self._items)

    def _gather(self) -> None:
        """Text since the last tag: its space is folded, and pauses in brackets hold in it too."""
        text = re.sub(r"\s+", " ", clean("".join(self._gathered)))
        self._gathered = []
        if self._captured is not None:
            self._captured.append(text)
            return
        for part in split_pauses(text) if text else ():
            if isinstance(part, Pause):
                self._happen(part)
            else:
                self._say(part)

    def _say(self, text: str) -> None:
        prosody = self._stack[-1].prosody
        if prosody != (self._prosodies[-1][1] if self._prosodies else PLAIN):
            self._prosodies.append((self._length, prosody))
        self._text.append(text)
        self._length += len(text)

    def _happen(self, event: Event) -> None:
        """Something that happens after the text so far; a pause parts words."""
        self._events.append((self._length, event))
        if isinstance(event, Pause):
            self._say(" ")

    def _flush(self, ends: Break, *, whole: bool = False) -> None:
        """The text so far as a segment. Without any, what was before it ends as strongly as this."""
        content = MarkedText("".join(self._text), tuple(self._prosodies), tuple(self._events))
        last = self._items[-1] if self._items else None
        waiting: list[tuple[int, Event]] = []
        if content.text.strip():
            inner = self._stack[-1]
            self._items.append(Segment(content, ends, inner.voice, whole, inner.language))
        elif isinstance(last, Segment):
            end = len(last.content.text)
            said = last.content.with_events([(end, event) for _, event in content.events])
            self._items[-1] = replace(last, content=said, ends=min(last.ends, ends, key=list(Break).index))
        else:  # they wait for the first text
            waiting = [(0, event) for _, event in self._events]
        self._text, self._length, self._prosodies, self._events = [], 0, [], waiting

    def _language(self, name: str, attributes: dict[str, str], outer: str | None) -> str | None:
        """The language that holds in an element."""
        named = attributes.get("xml:lang")
        if named is None:
            if name == "lang":
                self._warn("<lang> without xml:lang has no effect")
            return outer
        try:
            return known_language(named)
        except BadInputError:
            self._warn(f"<{name}> in {named or 'no language'} is read as the text around it")
            return outer

    def _warn(self, warning: str) -> None:
        self.warnings[warning] = None

    @staticmethod
    def _refusal(place: str, message: str, hint: str) -> BadInputError:
        return BadInputError(f"the SSML, {place}: {message}", hint)

    @contextmanager
    def _refusing(self, frame: _Frame, message: str, hint: str = "") -> Iterator[None]:
        """Values that cannot be used are refused with their place, and with what can be given."""
        try:
            yield
        except ValueError as error:
            raise self._refusal(frame.place, message, hint or str(error)) from error

    # Elements: what begins at a start tag returns the frame that holds from there.

    def _start_p(self, frame: _Frame) -> _Frame:
        self._flush(Break.PARAGRAPH)
        return frame

    def _end_p(self, _frame: _Frame, _held: str) -> None:
        self._flush(Break.PARAGRAPH)

    def _start_s(self, frame: _Frame) -> _Frame:
        self._flush(Break.SENTENCE)
        return frame

    def _end_s(self, _frame: _Frame, _held: str) -> None:
        self._flush(Break.SENTENCE, whole=True)

    def _start_break(self, frame: _Frame) -> _Frame:
        time, strength = frame.attributes.get("time"), frame.attributes.get("strength", "medium")
        if strength not in STRENGTHS:
            hint = f"Give one of {', '.join(STRENGTHS)}."
            raise self._refusal(frame.place, f"<break> has strength={strength!r}", hint)
        with self._refusing(frame, f"<break> has time={time!r}"):
            self._happen(Pause(sentences=STRENGTHS[strength]) if time is None else Pause(pause_seconds(time)))
        return frame

    def _start_prosody(self, frame: _Frame) -> _Frame:
        prosody = frame.prosody
        for name, value in frame.attributes.items():
            if name in {"range", "contour", "duration"}:
                self._warn(f"{name} of <prosody> has no effect")
            elif name in {"rate", "pitch", "volume"}:
                with self._refusing(frame, f"<prosody> has {name}={value!r}"):
                    prosody = changed(prosody, name, value.strip())
        return replace(frame, prosody=prosody)

    def _start_emphasis(self, frame: _Frame) -> _Frame:
        level = frame.attributes.get("level", "moderate")
        with self._refusing(frame, f"<emphasis> has level={level!r}"):
            prosody = emphasised(frame.prosody, level)
        return replace(frame, prosody=prosody)

    def _start_mark(self, frame: _Frame) -> _Frame:
        if name := frame.attributes.get("name"):
            self._happen(Mark(name))
            return frame
        raise self._refusal(frame.place, "<mark> has no name", 'Write <mark name="…"/>.')

    def _start_voice(self, frame: _Frame) -> _Frame:
        name = frame.attributes.get("name", "").strip()
        if not name:
            self._warn("<voice> without a name has no effect")
            return frame
        if name != frame.voice:
            self._flush(Break.SENTENCE)
        return replace(frame, voice=name)

    def _end_voice(self, frame: _Frame, _held: str) -> None:
        if frame.voice != self._stack[-1].voice:
            self._stack.append(frame)
            self._flush(Break.SENTENCE)
            self._stack.pop()

    def _start_audio(self, frame: _Frame) -> _Frame:
        source = frame.attributes.get("src", "").strip()
        if not source:
            raise self._refusal(frame.place, "<audio> has no src", "Name a file beside the text.")
        if re.match(r"[A-Za-z][\w+.-]*:|//|/|\\", source) or ".." in re.split(r"[/\\]", source):
            hint = "Put the file beside the text, and give its name."
            raise self._refusal(frame.place, f"<audio> has src={source!r}", hint)
        level = frame.attributes.get("soundLevel", "0dB")
        with self._refusing(frame, f"<audio> has soundLevel={level!r}", "Give decibels such as -6dB."):
            decibels = changed(PLAIN, "volume", level.strip()).decibels
        self._flush(Break.COMMA)
        self._items.append(Sound(source, decibels=decibels))
        return frame

    def _end_sub(self, frame: _Frame, _held: str) -> None:
        if "alias" not in frame.attributes:
            raise self._refusal(frame.place, "<sub> has no alias", 'Write <sub alias="…">.')
        self._say(re.sub(r"\s+", " ", clean(frame.attributes["alias"])))

    def _end_phoneme(self, frame: _Frame, _held: str) -> None:
        named = frame.attributes.get("alphabet", "ipa")
        alphabet = ALPHABETS.get(named.lower())
        if alphabet is None:
            hint = "Give ipa, x-sampa or x-arpabet."
            raise self._refusal(frame.place, f"<phoneme> has alphabet={named!r}", hint)
        written, english = frame.attributes.get("ph", ""), frame.language in {None, ENGLISH}
        if not english and alphabet != "ipa":
            raise self._refusal(frame.place, f"{alphabet} is not read in {frame.language}", "Write the phones in ipa.")
        try:
            said = " ".join(to_phones(written, alphabet)) if english else inline_ipa(written)
        except BadInputError as error:
            raise self._refusal(frame.place, f"<phoneme>: {error.message}", error.hint) from error
        self._say(f" {{{said}}} ")

    def _end_say_as(self, frame: _Frame, held: str) -> None:
        kind, format_ = frame.attributes.get("interpret-as", ""), frame.attributes.get("format", "")
        text = held.strip()
        if kind not in KINDS:
            self._warn(f"<say-as> as {kind or 'nothing'} is unknown; its text is read")
        if kind not in KINDS or not to_ascii(text).strip():  # nothing that is read
            self._say(held)
        elif kind in {"expletive", "bleep"}:
            self._flush(Break.WORD)
            self._items.append(Sound(seconds=max(_SECONDS_A_LETTER * len(text), _SHORTEST_TONE)))
        elif frame.language not in {None, ENGLISH}:  # whose numbers and letters are read by espeak-ng
            self._say(f" {' '.join(text)} " if kind in SPELT else held)
        else:
            of = f" of the format {format_}" if format_ else ""
            try:
                with self._refusing(frame, f"{text!r} is not a valid {kind}{of}", "Correct it, or leave <say-as> out."):
                    words = say_as(text, kind, format_)
            except NothingToSayError as error:
                raise self._refusal(frame.place, error.message, error.hint) from error
            self._say(f"{' ' if held[:1] == ' ' else ''}{words}{' ' if held[-1:] == ' ' else ''}")
