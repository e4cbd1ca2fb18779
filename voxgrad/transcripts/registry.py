"""The registry of transcript formats, the rows and segments that their readers yield, and checks of these.

The readers are in `voxgrad.transcripts.lists` and `voxgrad.transcripts.beside`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, TypeVar

from voxgrad.transcripts.recordings import Folder


@dataclass(frozen=True, slots=True)
class Row:
    """One text of a list or a corpus."""

    line: int
    """0 where the whole file is one text."""
    name: str
    """Of the recording: a path, or an id without ending."""
    text: str
    speaker: str | None
    span: tuple[float, float] | None = None
    """Seconds of the recording; None: all of it."""
    source: str = ""
    """The file that the line stands in, relative to the folder; empty: the list that was opened."""
    base: str = ""
    """The folder that the name is relative to, within the one that was opened."""
    language: str = ""
    """As the list says, such as ``en-GB``; empty where it does not."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that cannot be used, and why."""

    line: int
    name: str
    reason: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a recording, in seconds, with its text."""

    start: float
    stop: float
    text: str
    speaker: str | None
    """None where nobody is named."""
    source: str
    """Where it was found, for messages: a file, and a place in it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording with its text."""

    id: str
    """Can be a file's name, and is not the path that it was found at."""
    recording: Path
    text: str
    """Empty where there is none, and it is to be transcribed."""
    speaker: str | None
    source: str
    """Where the text was found, for messages: a file, and a line in it."""
    segments: tuple[Segment, ...] = ()
    """The parts that have a text, in order; none: the text is of the whole recording."""
    language: str = ""
    """As the list says, such as ``en-GB``; empty where it does not."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A line or a recording that cannot be used, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Transcripts:
    """The texts that a folder holds.

    Attributes:
        entries: what can be used, in the list's order.
        problems: what cannot.
        form: a key of `FORMATS`; several are joined by " and ".
        source: name of the list; empty where there is none.
        encoding: of the list.
        others: other formats that were found, but not used.
        unlisted: how many recordings of the folder the list does not name.
        notices: remarks for the user, in sentences.
    """

    entries: list[Entry]
    problems: list[Problem]
    form: str
    source: str = ""
    encoding: str = "UTF-8"
    others: tuple[str, ...] = ()
    unlisted: int = 0
    notices: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, entries: list[Entry], problems: list[Problem], *told: Any, **more: Any) -> "Transcripts":
        """Transcripts in which a second entry with the same id is a problem."""
        kept: dict[str, Entry] = {}
        for entry in entries:
            if entry.id in kept:
                problems.append(Problem(entry.id, f"{entry.source}: {entry.id} occurs twice"))
            else:
                kept[entry.id] = entry
        return cls(list(kept.values()), problems, *told, **more)

    def in_language(self, code: str, name: str) -> "Transcripts":
        """The same, where texts that their list says are in another language are problems."""
        kept, problems = [], list(self.problems)
        for entry in self.entries:
            if not entry.language or entry.language.lower().startswith((code, name.lower())):
                kept.append(entry)
            else:
                problems.append(Problem(entry.id, f"{entry.source} is in {entry.language}, but was to be in {name}"))
        return replace(self, entries=kept, problems=problems)

    @property
    def texts(self) -> int:
        """How many texts there are: several of a recording with times."""
        return sum(max(1, len(entry.segments)) for entry in self.entries)


Rows = Iterator[Row | BadRow]
Segments = Iterator[Segment | str]
"""Segments, and what is wrong with those that cannot be used."""
Kind = Literal["list", "corpus", "timed", "script"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format of transcripts.

    Attributes:
        kind: ``list``: lines that name recordings; ``corpus``: known by its folders; ``timed`` and ``script``: beside
            a recording, with times and without.
        read: takes the content of a list apart, or a file in the folder of a corpus, as `Rows`; a file with times, as
            `Segments`; or a script, as a text.
        expects: the files that a corpus is known by, for messages; the ending of files beside recordings.
        signs: the files in a folder that show a corpus; none: it is another.
    """

    kind: Kind
    read: Callable[..., Iterator[Any]]
    expects: str
    signs: Callable[[Folder], list[PurePosixPath]]


FORMATS: Final[dict[str, Format]] = {}
"""By name. Of the corpora and of the files with times the first that is there is read."""


_Reader = TypeVar("_Reader", bound=Callable[..., Iterator[Any]])


def register(
    name: str, kind: Kind, expects: str = "", signs: Callable[[Folder], list[PurePosixPath]] = lambda _: []
) -> Callable[[_Reader], _Reader]:
    """Register a reader as a `Format`."""

    def add(read: _Reader) -> _Reader:
        FORMATS[name] = Format(kind, read, expects, signs)
        return read

    return add


def of_kind(kind: Kind) -> dict[str, Format]:
    """The formats of one kind, in the order in which they are looked for."""
    return {name: known for name, known in FORMATS.items() if known.kind == kind}


def one_line(text: str) -> str:
    """A text with single spaces in place of all others and of line ends."""
    return " ".join(text.split())


OVERLAP = 0.1
"""Seconds by which two segments may overlap."""


def timed_entry(
    name: str, recording: Path, segments: Iterable[Segment | str], source: str
) -> tuple[list[Entry], list[Problem]]:
    """A recording whose text has times, and what of it cannot be used; no entry where nothing can.

    ``name`` is the clip's; ``source`` is where the segments were found, for messages.
    """
    kept, reasons = _usable(segments)
    problems = [Problem(name, reason) for reason in reasons]
    if not kept:
        return [], problems or [Problem(name, f"{source} has no text with times")]
    text = " ".join(segment.text for segment in kept)
    return [Entry(name, recording, text, None, source, tuple(kept))], problems


def _usable(read: Iterable[Segment | str]) -> tuple[list[Segment], list[str]]:
    """Segments in the order of time, without those whose times cannot be; and what is wrong with the others."""
    segments, reasons = [], []
    for segment in read:
        if isinstance(segment, str):
            reasons.append(segment)
        elif has_note(segment.text) or has_tag(segment.text):
            reasons.append(f"{segment.source} contains a note that is not spoken: {segment.text}")
        elif not 0 <= segment.start < segment.stop < float("inf"):
            reasons.append(f"{segment.source} has impossible times: {segment.start:g} to {segment.stop:g} s")
        else:
            segments.append(segment)
    segments.sort(key=lambda segment: (segment.start, segment.stop))
    clashes = set[int]()
    latest = 0
    for index, segment in enumerate(segments[1:], 1):
        if segment.start < segments[latest].stop - OVERLAP:
            clashes |= {latest, index}
        if segment.stop > segments[latest].stop:
            latest = index
    reasons += [f"{segments[index].source} overlaps with another" for index in sorted(clashes)]
    kept = [segment for index, segment in enumerate(segments) if index not in clashes]
    # What still overlaps by less than a tenth of a second is parted in the middle.
    for index, (before, after) in enumerate(pairwise(kept)):
        if after.start < before.stop:
            middle = (after.start + before.stop) / 2
            kept[index], kept[index + 1] = replace(before, stop=middle), replace(after, start=middle)
    return kept, reasons


def has_tag(text: str) -> bool:
    """Whether a text has markup in it that would be read aloud, such as ``<unk>``."""
    return re.search(r"</?[A-Za-z][^<>]*>", text) is not None


def has_note(text: str) -> bool:
    """Whether a text holds ``[Music]``, ♪, or nothing but ``(applause)``."""
    return "[" in text or text.startswith(("♪", "♫")) or not re.sub(r"\[[^\]]*\]|\([^)]*\)", "", text).strip(" *#–-")
