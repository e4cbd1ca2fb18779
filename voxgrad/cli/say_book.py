"""`voxgrad say book.epub`: a book into one audiobook, or into a file for each chapter."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError, VoxgradError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgrad.cli.say_output import SayRequest
    from voxgrad.documents.epub import Book
    from voxgrad.events import Emit
    from voxgrad.steps.read_book import ReadBook, Reading

_BOOK: Final = ".epub"
_LONGEST_NAME: Final = 60
_RANGE: Final = re.compile(r"(\d{1,5})(?:(-)(\d{1,5})?)?")


def is_book(text: str | None, file: Path | None) -> Path | None:
    """The book that is named as a file; or in place of a text, though it be missing, if it can be nothing else."""
    if file is not None:
        return file if file.suffix.lower() == _BOOK else None
    return Path(text) if text is not None and text.lower().endswith(_BOOK) and " " not in text else None


def list_book(session: Session, path: Path) -> None:
    """Show the chapters of a book."""
    from rich.table import Table
    from rich.text import Text

    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.documents.epub import open_book
    from voxgrad.events import Said

    book = open_book(path)
    with Renderer(session) as renderer:
        for reason in book.missing:
            renderer.emit(Said(reason, "warning"))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("", "chapter", "characters"):
        table.add_column(heading)
    lengths = [len(re.sub(r"<[^>]*>", "", chapter.ssml)) for chapter in book.chapters]
    listed = []
    for number, (chapter, length) in enumerate(zip(book.chapters, lengths, strict=True), 1):
        table.add_row(str(number), Text(chapter.title), str(length))
        listed.append({"number": number, "title": chapter.title, "characters": length})
    answer(session, {"title": book.title, "authors": list(book.authors), "chapters": listed}, table)


def say_book(
    saying: "SayRequest", path: Path, output: Path | None, directory: Path | None, chapters: str | None
) -> None:
    """Read a book aloud.

    Args:
        saying: voice, settings and the like.
        path: an EPUB.
        output: one file; None is the book's name.
        directory: a file for each chapter instead.
        chapters: those that are read, such as ``3-5``; None is all.

    Raises:
        BadInputError: the book, the output or the chapters cannot be used; or ``--strict`` forbids that some are left
            out.
    """
    from voxgrad.cli.terminal import Renderer
    from voxgrad.documents.epub import open_book
    from voxgrad.events import Said

    if str(output) == "-":
        raise BadInputError("a book cannot be streamed", "Name a file with -o.")
    book = open_book(path)
    if saying.strict and book.missing:
        raise BadInputError(
            f"{path}: {book.missing[0]}", "Save the book again, or leave out --strict to read the rest."
        )
    numbers = _chosen(chapters, len(book.chapters))
    targets = list(
        _targets(book, numbers, output or Path(f"{path.stem}.{saying.ending}"), directory, saying.ending)
    )
    if directory is not None and saying.timings is not None and saying.timings.suffix:
        raise BadInputError(
            f"{saying.timings} cannot hold the timings of several audio files",
            "Give just srt, to write them beside each file.",
        )
    for target, _ in targets:
        _check(target)
    with Renderer(saying.session) as renderer:
        for warning in (*(f"{reason}: it is left out" for reason in book.missing), *book.warnings):
            renderer.emit(Said(warning, "warning"))
        if book.language and not book.language.lower().startswith("en"):
            renderer.emit(Said(f"the book is in {book.language}, and is read as English", "warning"))
        _read(saying, targets, book.missing, renderer.emit)


def _read(
    saying: "SayRequest", targets: "list[tuple[Path, Reading]]", missing: tuple[str, ...], emit: "Emit"
) -> None:
    from voxgrad.events import Said
    from voxgrad.steps.read_book import NoChapterError, read_book

    store = saying.store()
    speaker, synthesis = saying.load(store, saying.voice, emit)
    cast = saying.casting(store, emit)(speaker)
    failures: list[NoChapterError] = []
    for target, reading in targets:
        try:
            done = read_book(
                reading,
                speaker,
                target,
                synthesis=synthesis,
                delivery=saying.delivery,
                seed=saying.seed,
                cast=cast,
                metadata=saying.metadata,
                strict=saying.strict,
                anew=saying.timings is not None,
                emit=emit,
            )
        except NoChapterError as error:
            failures.append(error)
            if len(failures) == len(targets):
                raise
            emit(Said(f"{error.message}: it is left out", "warning"))
            continue
        except (KeyboardInterrupt, VoxgradError):
            if (folder := target.with_name(f"{target.name}.part")).is_dir():
                emit(Said(f"what is spoken is kept in {folder}: the same command goes on there", "warning"))
            raise
        _answer(saying, target, done, speaker.voice.ref, missing)


def _answer(
    saying: "SayRequest", target: Path, done: "ReadBook | None", voice: str, missing: tuple[str, ...]
) -> None:
    from voxgrad.cli.terminal import answer, duration
    from voxgrad.speech.word_timings import timings_format, write_timings

    if done is None:
        answer(saying.session, {"file": str(target), "seconds": None}, f"{target}: there already by {voice}")
        return
    if saying.timings is not None:
        kind = timings_format(saying.timings)
        path = saying.timings if saying.timings.suffix else target.with_suffix(f".{kind}")
        write_timings(path, kind, done.passages, done.seconds)
    count = len(done.chapters)
    chapters = f"{count} chapter{'' if count == 1 else 's'}"
    left_out = [*missing, *done.left_out]
    if left_out:
        chapters += f" ({len(left_out)} left out)"
    answer(
        saying.session,
        {
            "file": str(target),
            "seconds": round(done.seconds, 4),
            "seed": saying.seed,
            "voice": voice,
            "chapters": [one.title for one in done.chapters],
            "left_out": left_out,
        },
        f"{target}: {duration(done.seconds)}, {chapters} by {voice}, seed {saying.seed}",
    )


def _targets(
    book: "Book", numbers: list[int], output: Path, directory: Path | None, ending: str
) -> "Iterator[tuple[Path, Reading]]":
    from voxgrad.cli.say_output import make_directory
    from voxgrad.steps.read_book import Reading

    author = ", ".join(book.authors)
    if directory is None:
        read = tuple(book.chapters[number - 1] for number in numbers)
        yield output, Reading(book.title, author, read, book.cover)
        return
    make_directory(directory)
    for number in numbers:
        chapter = book.chapters[number - 1]
        name = " ".join(re.sub(r"[^\w .,'()-]+", " ", chapter.title).split())[:_LONGEST_NAME].strip(" .")
        target = directory / f"{f'{number:03} {name}'.strip()}.{ending}"
        yield target, Reading(f"{book.title}: {chapter.title}", author, (chapter,), book.cover)


def _chosen(written: str | None, count: int) -> list[int]:
    """Numbers of chapters, in order.

    >>> _chosen("2-3,5-", 6), _chosen(None, 2)
    ([2, 3, 5, 6], [1, 2])
    """
    if written is None:
        return list(range(1, count + 1))
    numbers: set[int] = set()
    for part in written.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise BadInputError(f"--chapters has {part!r}", "Write numbers such as 3, 3-5 or 4-.")
        first = int(match[1])
        last = int(match[3]) if match[3] else count if match[2] else first
        if not 1 <= first <= last <= count:
            raise BadInputError(
                f"--chapters has {part.strip()!r}, and the book has {count}",
                "See --list-chapters for their numbers.",
            )
        numbers.update(range(first, last + 1))
    return sorted(numbers)


def _check(target: Path) -> None:
    from voxgrad.audio.audiobook import ENDINGS
    from voxgrad.audio.writers import check_writable_audio

    # What libsndfile does not write is checked by a name that it does.
    ending = target.suffix.lower().removeprefix(".")
    check_writable_audio(target.with_suffix(".wav") if ending in ENDINGS else target)
