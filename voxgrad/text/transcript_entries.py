"""What a folder of recordings holds: recordings with their texts, and what cannot be used."""

from dataclasses import dataclass, field
from pathlib import Path

from voxgrad.text.timed_transcripts import Segment


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


@dataclass(frozen=True, slots=True)
class Problem:
    """A line or a recording that cannot be used, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds.

    Attributes:
        entries: what can be used, in the list's order.
        problems: what cannot.
        form: a list's (see `voxgrad.text.transcript_formats.FORMATS`), a corpus's
            (`voxgrad.text.corpora.CORPORA`), or that of the files beside the recordings (``beside``, or of
            `voxgrad.text.timed_transcripts.TIMED`); several are joined by " and ".
        source: name of the list; empty where there is none.
        encoding: of the list.
        others: forms that are there too, and were not chosen.
        unlisted: how many recordings of the folder the list does not name.
        notices: what is odd, in sentences.
    """

    entries: list[Entry]
    problems: list[Problem]
    form: str
    source: str = ""
    encoding: str = "UTF-8"
    others: tuple[str, ...] = ()
    unlisted: int = 0
    notices: list[str] = field(default_factory=list)

    @property
    def texts(self) -> int:
        """How many texts there are: several of a recording with times."""
        return sum(max(1, len(entry.segments)) for entry in self.entries)


def unique(entries: list[Entry], problems: list[Problem]) -> tuple[list[Entry], list[Problem]]:
    """Leaves out entries that are called as one before; they are added to the problems."""
    seen: set[str] = set()
    kept = []
    for entry in entries:
        if entry.id in seen:
            problems.append(Problem(entry.id, f"{entry.source}: {entry.id} occurs twice"))
        else:
            seen.add(entry.id)
            kept.append(entry)
    return kept, problems
