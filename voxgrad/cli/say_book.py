"""`voxgrad say` of an EPUB: an audiobook, or a file for each chapter."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voxgrad.cli.say_output import SayRequest, make_directory
from voxgrad.cli.shared_options import Session
from voxgrad.cli.terminal import duration, table
from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.events import Emit, Said, counted

if TYPE_CHECKING:
    from voxgrad.documents.epub import Book
    from voxgrad.steps.read_book import BookPart, ReadBook
    from voxgrad.voice.voice import Voice

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
    from rich.text import Text

    from voxgrad.documents.epub import open_book

    book = open_book(path)
    session.warn(book.missing)
    shown = table("", "chapter", "characters")
    listed = []
    for number, chapter in enumerate(book.chapters, 1):
        characters = len(re.sub(r"<[^>]*>", "", chapter.ssml))
        shown.add_row(str(number), Text(chapter.title), str(characters))
        listed.append({"number": number, "title": chapter.title, "characters": characters})
    session.answer(
        {"title": book.title, "authors": list(book.authors), "language": book.language, "chapters": listed},
        shown,
        f"say {shlex.quote(str(path))}",
    )


def say_book(
    request: SayRequest, path: Path, output: Path | None, directory: Path | None, chapters: str | None
) -> None:
    """Read an EPUB aloud: into one file, or into a directory with a file for each chapter.

    Raises:
        BadInputError: the book, the output or the chapters cannot be used; or ``--strict`` forbids that some are left
            out.
    """
    from voxgrad.audio.writers import check_writable_audio
    from voxgrad.documents.epub import open_book

    if str(output) == "-":
        raise BadInputError("a book cannot be streamed", "Name a file with -o.")
    book = open_book(path)
    if request.strict and book.missing:
        raise BadInputError(
            f"{path}: {book.missing[0]}", "Save the book again, or leave out --strict to read the rest."
        )
    numbers = _chosen(chapters, len(book.chapters))
    output = output or Path(f"{path.stem}.{request.ending}")
    parts = list(_parts(book, numbers, output, directory, request.ending))
    if directory is not None:
        request.require_timings_beside()
    for target, _ in parts:
        check_writable_audio(target, request.delivery)
    request.session.warn([f"{reason}: it is left out" for reason in book.missing] + list(book.warnings))
    with request.session.progress() as progress:
        voice = request.load(request.voice, progress.emit)
        request = _in_its_language(request, book, voice, progress.emit)
        _read_parts(request, voice, parts, book.missing, progress.emit)


def _in_its_language(request: SayRequest, book: "Book", voice: "Voice", emit: Emit) -> SayRequest:
    """The request in the book's language, unless another is asked for, or the voice does not speak it."""
    from voxgrad.text.languages import known_language, named

    if request.synthesis.language is not None or not book.language:
        return request
    try:
        language = voice.text_in(known_language(book.language)).language
    except BadInputError:
        read = named([voice.own_language])
        message = f"the book is in {book.language}, which {voice.artifact.ref} does not speak: it is read as {read}"
        emit(Said(message, "warning"))
        return request
    return replace(request, synthesis=request.synthesis.model_copy(update={"language": language}))


def _read_parts(
    request: SayRequest, voice: "Voice", parts: "list[tuple[Path, BookPart]]", missing: tuple[str, ...], emit: Emit
) -> None:
    from voxgrad.steps.read_book import NoChapterError, read_book

    job = request.job("", voice, emit)
    unreadable = 0
    for path, part in parts:
        try:
            done = read_book(part, job, request.target(path), strict=request.strict, emit=emit)
        except NoChapterError as error:
            unreadable += 1
            if unreadable == len(parts):
                raise
            emit(Said(f"{error.message}: it is left out", "warning"))
            continue
        except (KeyboardInterrupt, VoxgradError):
            if (folder := path.with_name(f"{path.name}.part")).is_dir():
                emit(Said(f"the speech so far is in {folder}: run the same command to continue", "warning"))
            raise
        _answer(request, path, done, job.voice.artifact.ref, missing)
    request.session.then(f"info {shlex.quote(str(parts[-1][0]))}")


def _answer(request: SayRequest, path: Path, done: "ReadBook | None", voice: str, missing: tuple[str, ...]) -> None:
    if done is None:
        request.session.answer({"file": str(path), "seconds": None}, f"{path}: already spoken by {voice}")
        return
    chapters, left_out = counted(len(done.chapters), "chapters"), [*missing, *done.left_out]
    if left_out:
        chapters += f" ({len(left_out)} left out)"
    request.session.answer(
        {
            "file": str(path),
            "seconds": round(done.seconds, 4),
            "seed": request.seed,
            "voice": voice,
            "chapters": [chapter.title for chapter in done.chapters],
            "left_out": left_out,
        },
        f"{path}: {duration(done.seconds)}, {chapters} by {voice}, seed {request.seed}",
    )


def _parts(
    book: "Book", numbers: list[int], output: Path, directory: Path | None, ending: str
) -> "Iterator[tuple[Path, BookPart]]":
    from voxgrad.steps.read_book import BookPart

    author = ", ".join(book.authors)
    if directory is None:
        read = tuple(book.chapters[number - 1] for number in numbers)
        yield output, BookPart(book.title, author, read, book.cover)
        return
    make_directory(directory)
    for number in numbers:
        chapter = book.chapters[number - 1]
        name = " ".join(re.sub(r"[^\w .,'()-]+", " ", chapter.title).split())[:_LONGEST_NAME].strip(" .")
        path = directory / f"{f'{number:03} {name}'.strip()}.{ending}"
        yield path, BookPart(f"{book.title}: {chapter.title}", author, (chapter,), book.cover)


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
            raise BadInputError(f"--chapters contains {part!r}", "Write numbers such as 3, 3-5 or 4-.")
        first = int(match[1])
        last = int(match[3]) if match[3] else count if match[2] else first
        if not 1 <= first <= last <= count:
            raise BadInputError(
                f"--chapters contains {part.strip()!r}, but the book has {count}",
                "See --list-chapters for their numbers.",
            )
        numbers.update(range(first, last + 1))
    return sorted(numbers)
