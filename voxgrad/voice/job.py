"""What every speech job has around it: warnings about its text, progress, and the audio file that it becomes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxgrad.audio.writers import AudioWriter, open_writer
from voxgrad.errors import BadInputError
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.text.lexicon import refuse_unknown
from voxgrad.text.passages import NO_MARKS, unread_remarks
from voxgrad.text.ssml import is_ssml, read_script
from voxgrad.voice.metadata import MARK, Recipe, recipe_of
from voxgrad.voice.speak import SpokenPassage
from voxgrad.voice.timings import TimedPassage, TimingsFile, timings_file

_NAMED: Final = 20


@dataclass(frozen=True)
class AudioTarget:
    """An audio file to write.

    Attributes:
        path: its name ends in the format.
        timings: written too; None: they are not.
        metadata: False leaves only the mark that it is synthetic, and makes the file anew.
    """

    path: Path
    timings: TimingsFile | None = None
    metadata: bool = True

    @classmethod
    def at(cls, path: Path, timings: Path | None, *, metadata: bool) -> "AudioTarget":
        """An audio file, and the timings that are asked for, beside it or by their name."""
        return cls(path, None if timings is None else timings_file(timings, path), metadata)

    def was_made_by(self, recipe: Recipe) -> bool:
        """Whether all of it is there, and says of itself that it was made just so."""
        return self.metadata and (self.timings is None or self.timings.path.exists()) and recipe_of(self.path) == recipe

    def write(self, pieces: Iterable[SpokenPassage], recipe: Recipe, rate: int) -> float:
        """Write what is spoken; it appears complete. Returns its seconds.

        Raises:
            BadInputError: it cannot be said.
            EnvironmentFailureError: the disk refuses.
        """
        timings: list[TimedPassage] = []
        with open_writer(self.path, rate, recipe.remark if self.metadata else MARK) as sink:
            seconds = write_pieces(pieces, sink, timings.append) / rate
        if self.timings is not None:
            self.timings.write(timings, seconds)
        return seconds


def write_pieces(pieces: Iterable[SpokenPassage], sink: AudioWriter, note: Callable[[TimedPassage], object]) -> int:
    """Write pieces as they come; ``note`` is told when each is said. Returns how many samples."""
    samples = 0
    for piece in pieces:
        sink.write(piece.samples)
        note(piece.timing)
        samples += len(piece.samples)
    return samples


def with_progress(
    pieces: Iterable[SpokenPassage], task: str, total: int | None, emit: Emit, done: int = 0
) -> Iterator[SpokenPassage]:
    """Hand pieces on, and tell of each of them once it was taken; ``done`` were spoken before."""
    emit(Began(task, total, "passages"))
    for piece in pieces:
        yield piece
        done += bool(piece.durations)
        emit(Advanced(task, done))
    emit(Ended(task))


def warn_unread(
    text: str,
    emit: Emit,
    *,
    strict: bool = False,
    line: int | None = None,
    marks: Mapping[str, str] = NO_MARKS,
) -> None:
    """Warn of what nothing is said for, and of what SSML asks in vain; see `unread_remarks`.

    Raises:
        BadInputError: SSML that cannot be read; or something is left out, and ``strict`` forbids it.
    """
    for warning in read_script(text).warnings if is_ssml(text) else ():
        emit(Said(warning, "warning"))
    for remark in unread_remarks(text, line, marks):
        if strict:
            raise BadInputError(remark, "Leave it out, or write it in English.")
        emit(Said(remark, "warning"))


def warn_unknown(words: Sequence[str], emit: Emit, *, strict: bool) -> None:
    """Warn of words that are guessed.

    Raises:
        BadInputError: there are some, and ``strict`` forbids them.
    """
    if strict:
        refuse_unknown(words)
    if words:
        more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
        shown = ", ".join(words[:_NAMED])
        emit(Said(f"not in the dictionary, pronunciation guessed: {shown}{more}", "warning"))
