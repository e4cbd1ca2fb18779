"""A book and a voice → an audiobook with chapters.

What is spoken is kept beside the audiobook, passage by passage, until all of it is: a stopped command goes on there.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter, ValidationError

from voxgrad.audio.codecs import AUDIOBOOKS, AudiobookChapter, AudiobookTags, require_av, write_audiobook
from voxgrad.audio.io import Samples, to_pcm
from voxgrad.audio.writers import open_writer
from voxgrad.documents.epub import Chapter
from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said
from voxgrad.files import explain_os_errors
from voxgrad.voice.metadata import MARK
from voxgrad.voice.speak import AudioTarget, Resumption, SpokenPassage, warn_unknown, warn_unread, with_progress
from voxgrad.voice.timings import TimedPassage
from voxgrad.voice.voice import SpeechJob, TextSummary

_RECIPE: Final = "recipe.json"
_AUDIO: Final = "audio.pcm"
_PIECES: Final = "passages.jsonl"
_CHAPTER: Final = "chapter "
_BLOCK: Final = 1 << 18
_TASK: Final = "say"


@dataclass(frozen=True)
class BookPart:
    """The part of a book that is read into one file.

    Attributes:
        title: of the file.
        author: may be empty.
        chapters: those that are read.
        cover: a picture's bytes, or None.
    """

    title: str
    author: str
    chapters: tuple[Chapter, ...]
    cover: bytes | None = None


@dataclass(frozen=True)
class ReadBook:
    """The result of `read_book`.

    Attributes:
        seconds: of all of it.
        chapters: with their places.
        left_out: why each chapter that is not in it cannot be read, in sentences.
    """

    seconds: float
    chapters: tuple[AudiobookChapter, ...]
    left_out: tuple[str, ...]


class NoChapterError(BadInputError):
    """None of the chapters can be read."""


def read_book(part: BookPart, job: SpeechJob, target: AudioTarget, *, strict: bool, emit: Emit) -> ReadBook | None:
    """Read chapters aloud into one file, which appears complete at the end.

    The target is an .m4b, .mp3 or .opus with chapters, or a .wav, .flac or .ogg without. A chapter that cannot be read
    is left out with a warning if there are others; ``strict`` refuses it, and what `say` refuses. The text of ``job``
    is replaced.

    Returns:
        None where the target was there already; with timings, it is always made anew.

    Raises:
        NoChapterError: no chapter can be read.
        BadInputError: ``strict`` forbids what there is.
        EnvironmentFailureError: PyAV is missing, or the disk is full or cannot be written.
    """
    if _is_audiobook(target.path):
        require_av()
    job, chapters = replace(job, text=book_ssml(part.chapters)), part.chapters

    def is_there() -> bool:
        return target.timings is None and target.was_made_by(job.recipe)

    if is_there():
        return None
    chapters, summary, left_out = _readable(job, part.chapters, strict=strict)
    if left_out:
        for reason in left_out:
            emit(Said(f"{reason}: it is left out", "warning"))
        job = replace(job, text=book_ssml(chapters))
        if is_there():
            return None
    names = {f"{_CHAPTER}{number}": f"chapter “{chapter.title}”" for number, chapter in enumerate(chapters, 1)}
    warn_unread(job, emit, strict=strict, marks=names)
    warn_unknown(summary.unknown, emit, strict=strict)
    work = _Work.open(target.path.with_name(f"{target.path.name}.part"), job)
    before = sum(bool(piece.timing.words) for piece in work.pieces)
    if before:
        emit(Said(f"continuing after {before} of {summary.passages} passages"))
    work.add(with_progress(job.pieces(after=work.resumption), _TASK, summary.passages, emit, before))
    comment = job.recipe.remark if target.metadata else MARK
    tags = AudiobookTags(part.title, part.author, comment, part.cover)
    placed = tuple(work.chapters(chapters))
    work.write(target, placed, tags)
    return ReadBook(work.samples / job.rate, placed, left_out)


def _readable(
    job: SpeechJob, chapters: tuple[Chapter, ...], *, strict: bool
) -> tuple[tuple[Chapter, ...], TextSummary, tuple[str, ...]]:
    """The chapters that can be read, what they take, and why the others cannot."""

    def summary_of(*some: Chapter) -> TextSummary:
        return replace(job, text=book_ssml(some)).summarize()

    kept, left_out = chapters, []
    try:
        summary = summary_of(*chapters)
    except BadInputError:
        kept = ()
        for chapter in chapters:
            try:
                summary_of(chapter)
            except BadInputError as error:
                left_out.append(f"chapter {chapter.title!r} cannot be read ({error.message})")
                if strict:
                    raise BadInputError(left_out[0], error.hint) from error
            else:
                kept += (chapter,)
        if not kept:
            raise NoChapterError(left_out[0], "Name another book, or other chapters.") from None
        summary = summary_of(*kept)
    if not summary.passages:
        raise NoChapterError(f"chapter {kept[0].title!r} has no words to speak", "Leave it out.")
    return kept, summary, tuple(left_out)


def book_ssml(chapters: Iterable[Chapter]) -> str:
    """The chapters as one document, a mark at the beginning of each."""
    written = (f'<mark name="{_CHAPTER}{number}"/>{chapter.ssml}' for number, chapter in enumerate(chapters, 1))
    return f"<speak>{''.join(written)}</speak>"


def _is_audiobook(path: Path) -> bool:
    return path.suffix.lower().removeprefix(".") in AUDIOBOOKS


@dataclass(frozen=True)
class _Piece:
    """A passage that is spoken: its samples, those silent at its end, the chapter that it begins, its times."""

    samples: int
    tail: int
    chapter: int | None
    timing: TimedPassage


_PIECE: Final = TypeAdapter(_Piece)


@dataclass
class _Work:
    folder: Path
    job: SpeechJob
    pieces: list[_Piece]

    @classmethod
    def open(cls, folder: Path, job: SpeechJob) -> "_Work":
        """The folder of this very work, as far as it is whole; anything else there is left from other work."""
        recipe, remark = folder / _RECIPE, job.recipe.remark
        with explain_os_errors(f"write to the folder {folder}"):
            if not recipe.is_file() or recipe.read_text(encoding="utf-8") != remark:
                if folder.exists():
                    shutil.rmtree(folder)
                folder.mkdir()
                recipe.write_text(remark, encoding="utf-8")
                (folder / _AUDIO).touch()
                (folder / _PIECES).touch()
            work = cls(folder, job, [])
            work.pieces = _whole_pieces(folder, work.kind.itemsize)
            with (folder / _AUDIO).open("r+b") as audio:
                audio.truncate(work.kind.itemsize * work.samples)
            (folder / _PIECES).write_bytes(b"".join(map(_line, work.pieces)))
        return work

    @property
    def kind(self) -> np.dtype[Any]:
        """Of the samples that are kept: no fewer bits than the file will have."""
        return np.dtype("<i2" if self.job.delivery.bits == 16 else "<f4")

    @property
    def samples(self) -> int:
        """Of all pieces."""
        return sum(piece.samples for piece in self.pieces)

    @property
    def resumption(self) -> Resumption:
        """Where speaking goes on."""
        return Resumption(len(self.pieces), self.samples, self.pieces[-1].tail if self.pieces else 0)

    def add(self, spoken: Iterable[SpokenPassage]) -> None:
        """Keep pieces as they come."""
        # A chapter's mark lies before its first words, or after the last words before it.
        waiting = _chapters(self.pieces[-1].timing)[1] if self.pieces else None
        with (self.folder / _AUDIO).open("ab") as audio, (self.folder / _PIECES).open("ab") as lines:
            for passage in spoken:
                began, following = _chapters(passage.timing)
                chapter = waiting if began is None else began
                piece = _Piece(len(passage.samples), passage.tail, chapter, passage.timing)
                samples = to_pcm(passage.samples) if self.kind.kind == "i" else passage.samples
                audio.write(samples.astype(self.kind).tobytes())
                audio.flush()
                lines.write(_line(piece))
                lines.flush()
                self.pieces.append(piece)
                waiting = following

    def chapters(self, named: tuple[Chapter, ...]) -> Iterator[AudiobookChapter]:
        """Where the chapters begin and end."""
        starts: list[tuple[int, str]] = []
        at = 0
        for piece in self.pieces:
            if piece.chapter is not None:
                starts.append((at, named[piece.chapter - 1].title))
            at += piece.samples
        for (start, title), (stop, _) in zip(starts, [*starts[1:], (at, "")], strict=True):
            yield AudiobookChapter(title, 0 if start == starts[0][0] else start, stop)

    def write(self, target: AudioTarget, chapters: tuple[AudiobookChapter, ...], tags: AudiobookTags) -> None:
        """Write the audiobook and its timings, and remove the folder."""
        rate, delivery = self.job.rate, self.job.delivery
        if _is_audiobook(target.path):
            write_audiobook(target.path, self._blocks(), rate, chapters, tags, delivery)
        else:
            with open_writer(target.path, rate, tags.comment, delivery) as sink:
                for block in self._blocks():
                    sink.write(block)
        shutil.rmtree(self.folder, ignore_errors=True)
        if target.timings is not None:
            target.timings.write([piece.timing for piece in self.pieces], self.samples / rate)

    def _blocks(self) -> Iterator[Samples]:
        full = np.float32(32767 if self.kind.kind == "i" else 1)
        with (self.folder / _AUDIO).open("rb") as audio:
            while content := audio.read(self.kind.itemsize * _BLOCK):
                yield np.frombuffer(content, self.kind).astype(np.float32) / full


def _whole_pieces(folder: Path, size: int) -> list[_Piece]:
    """The pieces whose lines and samples are all there: a kill may have left half of one."""
    available = (folder / _AUDIO).stat().st_size // size
    pieces: list[_Piece] = []
    for line in (folder / _PIECES).read_bytes().splitlines():
        try:
            piece = _PIECE.validate_json(line)
        except ValidationError:
            break
        if piece.samples > available:
            break
        available -= piece.samples
        pieces.append(piece)
    return pieces


def _line(piece: _Piece) -> bytes:
    return _PIECE.dump_json(piece) + b"\n"


def _chapters(timing: TimedPassage) -> tuple[int | None, int | None]:
    """The chapters that begin with the first word of a passage, and after its last."""
    before = after = None
    for mark in timing.marks:
        if mark.name.startswith(_CHAPTER):
            number = int(mark.name.removeprefix(_CHAPTER))
            before, after = (number, after) if mark.time < timing.stop else (before, number)
    return before, after
