"""Times of words and phones, and the file formats for them: JSON, TextGrid, SubRip and WebVTT subtitles."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import Final

from pydantic import TypeAdapter

from voxgrad.errors import BadInputError
from voxgrad.files import check_file
from voxgrad.text.marked_text import Mark
from voxgrad.text.passages import Passage
from voxgrad.text.tokens import as_written
from voxgrad.textgrid import Interval, text_grid, without_gaps

FORMATS: Final = ("json", "srt", "vtt", "TextGrid")
_LINE: Final = 42  # characters, as subtitles have it
_BLANK: Final = "_"


@dataclass(frozen=True, slots=True)
class TimedPhone:
    """A phone, mark or letter; seconds."""

    phone: str
    start: float
    stop: float


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word as it is read, and what was written for it; seconds."""

    word: str
    written: str
    start: float
    stop: float
    phones: tuple[TimedPhone, ...]


@dataclass(frozen=True, slots=True)
class TimedMark:
    """A mark of SSML; seconds."""

    name: str
    time: float


@dataclass(frozen=True, slots=True)
class TimedPassage:
    """What is said in one breath; seconds."""

    written: str
    start: float
    stop: float
    words: tuple[TimedWord, ...]
    marks: tuple[TimedMark, ...] = ()

    @property
    def line(self) -> str:
        """As JSON in one line."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


_TIMINGS: Final = TypeAdapter(list[TimedPassage])


def timed(passage: Passage, borders: Sequence[float], start: float) -> TimedPassage:
    """Find when the words of a passage are said, and when its marks are passed.

    ``borders`` are seconds from its beginning, ``start`` seconds later: its tokens begin, and the last one ends.
    """
    border = [round(start + seconds, 4) for seconds in borders]
    labels, words = passage.encoded.phones, passage.encoded.words
    origins = as_written(passage.written, [word.word for word in words])
    spoken = []
    for word, origin in zip(words, origins, strict=True):
        # A blank belongs to what it follows.
        tokens = [token for token in range(word.start, word.stop) if labels[token] != _BLANK]
        stops = [*tokens[1:], word.stop]
        phones = tuple(
            TimedPhone(labels[token], border[token], border[stop]) for token, stop in zip(tokens, stops, strict=True)
        )
        spoken.append(TimedWord(word.word, origin, border[word.start], border[word.stop], phones))
    starts = [*(word.start for word in spoken), border[-1]]
    marks = tuple(TimedMark(event.name, starts[at]) for at, event in passage.events if isinstance(event, Mark))
    return TimedPassage(passage.written, border[0], border[-1], tuple(spoken), marks)


@dataclass(frozen=True)
class TimingsFile:
    """A file of timings, and which of ``FORMATS`` it has."""

    path: Path
    kind: str

    def write(self, passages: Sequence[TimedPassage], seconds: float) -> None:
        """Write the passages of an audio file of so many seconds, in order."""
        if self.kind == "json":
            text = json.dumps([asdict(passage) for passage in passages], ensure_ascii=False, indent=1) + "\n"
        elif self.kind == "TextGrid":
            text = _text_grid(passages, seconds)
        else:
            text = "\n".join(_vtt(passages) if self.kind == "vtt" else _srt(passages))
        self.path.write_text(text, encoding="utf-8")


def timings_file(asked: Path, audio: Path | None = None) -> TimingsFile:
    """The requested file of timings: a file name, or a format such as ``srt`` for a file beside the audio.

    Raises:
        BadInputError: the name ends in no format that can be written, or no file can have it.
    """
    ending = asked.suffix.removeprefix(".") if asked.suffix else asked.name
    for kind in FORMATS:
        if ending.lower() == kind.lower():
            if not asked.suffix and audio is not None:
                return TimingsFile(audio.with_suffix(f".{kind}"), kind)
            check_file(asked)
            return TimingsFile(asked, kind)
    raise BadInputError(f"{asked} does not have an ending for timings", f"End it in .{', .'.join(FORMATS)}.")


def read_timings(text: str) -> list[TimedPassage]:
    """Read passages back from a JSON list of them, as a speech artifact keeps it."""
    return _TIMINGS.validate_json(text)


def _srt(passages: Iterable[TimedPassage]) -> Iterator[str]:
    for number, passage in enumerate((passage for passage in passages if passage.written), 1):
        yield f"{number}\n{_clock(passage.start, ',')} --> {_clock(passage.stop, ',')}"
        yield "\n".join(wrap(passage.written, _LINE)) + "\n"


def _vtt(passages: Iterable[TimedPassage]) -> Iterator[str]:
    """WebVTT with a time before every word (W3C, 2019, section 4.2.2)."""
    yield "WEBVTT\n"
    for passage in (passage for passage in passages if passage.written):
        yield f"{_clock(passage.start, '.')} --> {_clock(passage.stop, '.')}"
        words = [(word.start, word.written) for word in passage.words if word.written]
        words = words if passage.words else [(passage.start, passage.written)]
        yield " ".join(f"<{_clock(start, '.')}>{escape(written, quote=False)}" for start, written in words) + "\n"


def _text_grid(passages: Sequence[TimedPassage], seconds: float) -> str:
    words = [word for passage in passages for word in passage.words]
    tiers = {
        "words": [Interval(word.start, word.stop, word.word) for word in words],
        "phones": [Interval(phone.start, phone.stop, phone.phone) for word in words for phone in word.phones],
    }
    return text_grid({name: without_gaps(tier, seconds) for name, tier in tiers.items()}, seconds)


def _clock(seconds: float, point: str) -> str:
    """Seconds as subtitles have them.

    >>> _clock(3725.5, ",")
    '01:02:05,500'
    """
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
