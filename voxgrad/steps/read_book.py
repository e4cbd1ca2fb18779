"""A book and a voice → an audiobook with chapters.

What is spoken is kept beside the audiobook, passage by passage, until all of it is: a stopped command goes on there.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from voxgrad.audio.audiobook import ENDINGS, AudiobookChapter, AudiobookTags, write_audiobook
from voxgrad.audio.codecs import require_av
from voxgrad.audio.writers import PCM, open_writer, read_comment, to_pcm
from voxgrad.documents.epub import Chapter
from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.files import explained
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.speech.cast import Cast
from voxgrad.speech.provenance import MARK
from voxgrad.speech.results import SpokenPassage, TextSummary
from voxgrad.speech.speaker import Speaker
from voxgrad.speech.stream import Resumption
from voxgrad.speech.text_input import warn_unknown, warn_unread
from voxgrad.speech.word_timings import TimedPassage, read_timings

_RECIPE: Final = "recipe.json"
_AUDIO: Final = "audio.pcm"
_PIECES: Final = "passages.jsonl"
_CHAPTER: Final = "chapter "
_BLOCK: Final = 1 << 18
_TASK: Final = "say"


@dataclass(frozen=True)
class Reading:
    """What is read.

    Attributes:
        title: of the book.
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
    """What came of it.

    Attributes:
        seconds: of all of it.
        chapters: with their places.
        passages: with the times of their words.
        left_out: why each chapter that is not in it cannot be read, in sentences.
    """

    seconds: float
    chapters: tuple[AudiobookChapter, ...]
    passages: tuple[TimedPassage, ...]
    left_out: tuple[str, ...]


class NoChapterError(BadInputError):
    """None of the chapters can be read."""


@dataclass(frozen=True)
class _Piece:
    """A passage that is spoken: its samples, those silent at its end, the chapter that it begins, its times."""

    samples: int
    tail: int
    chapter: int | None
    timing: TimedPassage


def read_book(
    reading: Reading,
    speaker: Speaker,
    target: Path,
    *,
    synthesis: SynthesisSpec,
    delivery: DeliverySpec,
    seed: int,
    cast: Cast,
    metadata: bool,
    strict: bool,
    anew: bool,
    emit: Emit,
) -> ReadBook | None:
    """Read a book aloud into one file, which appears complete at the end.

    A chapter that cannot be read is left out with a warning if there are others.

    Args:
        reading: what is read.
        speaker: whose voice.
        target: an .m4b, .mp3 or .opus with chapters; or a .wav, .flac or .ogg without.
        synthesis: steps, temperature, speed.
        delivery: pitch, volume, silences.
        seed: of all noise.
        cast: other voices.
        metadata: False leaves only the mark that it is synthetic.
        strict: refuse words that no dictionary has, what nothing is said for, and chapters that cannot be read.
        anew: even where the target says that it was made just so.
        emit: called with progress events.

    Returns:
        None where the target was there already.

    Raises:
        NoChapterError: no chapter can be read.
        BadInputError: ``strict`` forbids what there is.
        EnvironmentFailureError: PyAV is missing, or the disk refuses.
    """
    if _kind(target) in ENDINGS:
        require_av()

    def planned(chapters: Iterable[Chapter]) -> tuple[str, str, bool]:
        ssml = book_ssml(chapters)
        remark = speaker.recipe(ssml, synthesis, delivery, seed, cast).remark
        return ssml, remark, metadata and not anew and _remark_of(target) == remark

    ssml, remark, is_there = planned(reading.chapters)
    if is_there:
        return None
    chapters, summary, left_out = _readable(reading.chapters, speaker, cast, strict=strict)
    if left_out:
        for reason in left_out:
            emit(Said(f"{reason}: it is left out", "warning"))
        ssml, remark, is_there = planned(chapters)
        if is_there:
            return None
    names = {f"{_CHAPTER}{number}": f"chapter “{one.title}”" for number, one in enumerate(chapters, 1)}
    warn_unread(ssml, emit, strict=strict, marks=names)
    warn_unknown(summary.unknown, emit, strict=strict)
    work = _Work.open(target.with_name(f"{target.name}.part"), remark)
    before = [piece for piece in work.pieces if piece.timing.words]
    if before:
        emit(Said(f"going on after {len(before)} of {summary.passages} passages"))
    spoken = speaker.stream([ssml], synthesis, delivery, seed, cast, work.resumption)
    emit(Began(_TASK, summary.passages, "passages"))
    for done in work.add(spoken):
        emit(Advanced(_TASK, done))
    emit(Ended(_TASK))
    tags = AudiobookTags(reading.title, reading.author, remark if metadata else MARK, reading.cover)
    return work.finish(target, speaker.rate, chapters, tags, left_out)


def _readable(
    chapters: tuple[Chapter, ...], speaker: Speaker, cast: Cast, *, strict: bool
) -> tuple[tuple[Chapter, ...], TextSummary, tuple[str, ...]]:
    """The chapters that can be read, what they take, and why the others cannot."""

    def summary_of(*some: Chapter) -> TextSummary:
        return speaker.summarize([book_ssml(some)], cast)

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
    written = (f'<mark name="{_CHAPTER}{number}"/>{one.ssml}' for number, one in enumerate(chapters, 1))
    return f"<speak>{''.join(written)}</speak>"


def _remark_of(target: Path) -> str:
    """What a file says of itself; nothing where it is none of ours."""
    try:
        return read_comment(target) if target.is_file() else ""
    except VoxgradError:
        return ""


def _kind(target: Path) -> str:
    return target.suffix.lower().removeprefix(".")


@dataclass
class _Work:
    """What is spoken so far, in a folder."""

    folder: Path
    pieces: list[_Piece]

    @classmethod
    def open(cls, folder: Path, remark: str) -> "_Work":
        """The folder of this very work, as far as it is whole; anything else there is left from other work."""
        recipe = folder / _RECIPE
        try:
            if not recipe.is_file() or recipe.read_text(encoding="utf-8") != remark:
                if folder.exists():
                    shutil.rmtree(folder)
                folder.mkdir()
                recipe.write_text(remark, encoding="utf-8")
                (folder / _AUDIO).touch()
                (folder / _PIECES).touch()
            work = cls(folder, _whole_pieces(folder))
            with (folder / _AUDIO).open("r+b") as audio:
                audio.truncate(2 * work.samples)
            lines = "".join(f"{_line(piece)}\n" for piece in work.pieces)
            (folder / _PIECES).write_text(lines, encoding="utf-8")
        except OSError as error:
            raise explained(error, f"write to the folder {folder}") from error
        return work

    @property
    def samples(self) -> int:
        """Of all pieces."""
        return sum(piece.samples for piece in self.pieces)

    @property
    def resumption(self) -> Resumption:
        """Where speaking goes on."""
        return Resumption(len(self.pieces), self.samples, self.pieces[-1].tail if self.pieces else 0)

    def add(self, spoken: Iterable[SpokenPassage]) -> Iterator[int]:
        """Keep pieces as they come; gives how many passages there are after each."""
        done = sum(bool(piece.timing.words) for piece in self.pieces)
        # A chapter's mark lies before its first words, or after the last words before it.
        waiting = _chapter_after(self.pieces[-1].timing) if self.pieces else None
        with (
            (self.folder / _AUDIO).open("ab") as audio,
            (self.folder / _PIECES).open("a", encoding="utf-8") as lines,
        ):
            for one in spoken:
                began = _chapter_before(one.timing)
                piece = _Piece(len(one.samples), one.tail, waiting if began is None else began, one.timing)
                audio.write(to_pcm(one.samples).astype("<i2").tobytes())
                audio.flush()
                lines.write(f"{_line(piece)}\n")
                lines.flush()
                self.pieces.append(piece)
                waiting = _chapter_after(one.timing)
                done += bool(one.durations)
                yield done

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

    def blocks(self) -> Iterator[PCM]:
        """All samples, in order."""
        with (self.folder / _AUDIO).open("rb") as audio:
            while content := audio.read(2 * _BLOCK):
                yield np.frombuffer(content, "<i2").astype(np.int16)

    def finish(
        self,
        target: Path,
        rate: int,
        chapters: tuple[Chapter, ...],
        tags: AudiobookTags,
        left_out: tuple[str, ...],
    ) -> ReadBook:
        """Write the audiobook, and remove the folder."""
        placed = tuple(self.chapters(chapters))
        if _kind(target) in ENDINGS:
            write_audiobook(target, self.blocks(), rate, placed, tags)
        else:
            with open_writer(target, rate, tags.comment) as sink:
                for block in self.blocks():
                    sink.write(block.astype(np.float32) / np.float32(32767))
        shutil.rmtree(self.folder, ignore_errors=True)
        passages = tuple(piece.timing for piece in self.pieces)
        return ReadBook(self.samples / rate, placed, passages, left_out)


def _whole_pieces(folder: Path) -> list[_Piece]:
    """The pieces whose lines and samples are all there: a kill may have left half of one."""
    available = (folder / _AUDIO).stat().st_size // 2
    pieces: list[_Piece] = []
    for line in (folder / _PIECES).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            content = json.loads(line)
            (timing,) = read_timings(json.dumps([content["timing"]]))
            piece = _Piece(int(content["samples"]), int(content["tail"]), content["chapter"], timing)
        except (ValueError, KeyError, TypeError):
            break
        if piece.samples > available:
            break
        available -= piece.samples
        pieces.append(piece)
    return pieces


def _line(piece: _Piece) -> str:
    return json.dumps(asdict(piece), ensure_ascii=False, separators=(",", ":"))


def _chapter_before(timing: TimedPassage) -> int | None:
    """The chapter that begins with the first word."""
    found = [mark for mark in timing.marks if mark.name.startswith(_CHAPTER) and mark.time < timing.stop]
    return int(found[-1].name.removeprefix(_CHAPTER)) if found else None


def _chapter_after(timing: TimedPassage) -> int | None:
    found = [mark for mark in timing.marks if mark.name.startswith(_CHAPTER) and mark.time >= timing.stop]
    return int(found[-1].name.removeprefix(_CHAPTER)) if found else None
